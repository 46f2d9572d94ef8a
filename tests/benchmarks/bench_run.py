"""The time from `flyte.serve` to the first answer of an app that really runs, against its command started by hand.

Both in each round, one after the other, on a server with `--run`: an app of the Flyte SDK with FastAPI, and a plain
command. What the SDK does before its Create, and what the app does before its port is open, is not ours. The time until
the port is open is that of the app's line which says so. The first answer is that to a client of this process, which
waits for ACTIVE beside the SDK: `flyte.serve` returns later, as the SDK sleeps for a second once it has begun to watch.
Run with `make bench`; `--smoke` for a short form. Exits 1 where the limit is not met.
"""

from __future__ import annotations

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sdk.field import RUN, Server, User

from flyteapps import App, AppNotFound, Client, new_app
from flyteapps_fake.processes.launching.containers import container_of
from flyteapps_fake.processes.launching.launch import Machine, launch_of

HELLO = Path(__file__).with_name("run_hello.py")
LIMIT_SECONDS = 0.3
"""Seconds that may be ours."""
COMMAND = [sys.executable, "-S", "-E", "-u", "-m", "http.server", "8080", "--bind", "127.0.0.1"]
LOOK_SECONDS = 0.002
START, OPEN = " starts: process ", ("Uvicorn running on", "Serving HTTP on")
"""Texts of the lines that are logged when a program was started, and when its port is open."""


class ByHand(NamedTuple):
    """Seconds from the start of a command until its port is open, and from there until it has answered."""

    opened: float
    answered: float


class Deployed(NamedTuple):
    """Seconds of the parts of a deploy, one after the other; `before`: those of the SDK until Create has arrived.

    `returned`: from ACTIVE until `flyte.serve` has returned, 0 without it.
    """

    before: float
    started: float
    opened: float
    active: float
    answered: float
    returned: float

    def over(self, by_hand: ByHand) -> float:
        """Return the seconds that are ours: those that the command started by hand doesn't need."""
        return self.started + self.active + self.answered - by_hand.answered


class Round(NamedTuple):
    """One round."""

    deployed: Deployed
    by_hand: ByHand


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def by_hand(app: App, api: str) -> ByHand:
    """Start the app's command as the data plane does, and wait for its answer."""
    with tempfile.TemporaryDirectory() as folder:
        directory, port = Path(folder), free_port()
        machine = Machine(python=sys.prefix, api=api)
        launch = launch_of(app.pb2, container_of(app.pb2.spec), machine, port, directory, directory, {})
        began = time.perf_counter()
        process = subprocess.Popen(
            launch.argv, env=dict(launch.env), cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not accepts(port):
                time.sleep(LOOK_SECONDS)
            opened = time.perf_counter() - began
            urllib.request.urlopen(f"http://127.0.0.1:{port}").close()
            return ByHand(opened, time.perf_counter() - began - opened)
        finally:
            process.kill()
            process.wait()


def accepts(port: int) -> bool:
    """Return whether a port accepts a connection."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def parts(app: App, begun: float, answered: float, returned: float = 0.0) -> Deployed:
    """Return the parts of a deploy by the app's conditions and its log, and when these three things happened."""
    lines = [(each.message, each.timestamp.timestamp()) for each in app.logs(follow=False) if each.timestamp]
    started = next(at for text, at in lines if START in text)
    opened = next(at for text, at in lines if any(each in text for each in OPEN))
    created = app.pb2.status.created_at.ToNanoseconds() / 1e9
    active = app.pb2.status.conditions[-1].last_transition_time.ToNanoseconds() / 1e9
    return Deployed(
        created - begun,
        started - created,
        opened - started,
        active - opened,
        answered - active,
        returned - active if returned else 0.0,
    )


def with_sdk(user: User, client: Client, name: str) -> Deployed:
    """Deploy the app of run_hello.py in a process of the SDK."""
    (user.folder / "run_hello.py").write_text(HELLO.read_text())
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(first_answer, client, name)
        output = user.run("env", f"BENCH_APP={name}", *RUN, "run_hello.py")
        times = json.loads(output[output.index('{"begun"') : output.index("}") + 1])
        return parts(client.apps.get(name), times["begun"], answered.result(), times["returned"])


def first_answer(client: Client, name: str) -> float:
    """Wait until an app is there and answers; return when that was."""
    while True:
        try:
            app = client.apps.get(name)
        except AppNotFound:
            time.sleep(LOOK_SECONDS)
        else:
            urllib.request.urlopen(app.watch().endpoint).close()
            return time.time()


def with_client(client: Client, name: str) -> Deployed:
    """Create an app with a plain command."""
    begun = time.time()
    app = client.apps.create(new_app(name, image="none", command=COMMAND, port=8080)).watch()
    urllib.request.urlopen(app.endpoint).close()
    return parts(client.apps.get(name), begun, time.time())


def show(what: str, rounds: list[Round]) -> bool:
    """Print the medians of the parts; return whether the limit is met."""
    deployed, hand = (zip(*each, strict=True) for each in zip(*rounds, strict=True))
    before, started, opened, active, answered, returned = (statistics.median(each) * 1e3 for each in deployed)
    by_hand_opened, by_hand_answered = (statistics.median(each) * 1e3 for each in hand)
    over = statistics.median(each.deployed.over(each.by_hand) for each in rounds)
    print(
        f"{what}: Create to process {started:.0f} ms, to its open port {opened:.0f}, to ACTIVE {active:.0f}, to the "
        f"first answer {answered:.0f}; before Create {before:.0f}"
        + (f", flyte.serve returns {returned:.0f} after ACTIVE" if returned else "")
    )
    print(
        f"  by hand: to the open port {by_hand_opened:.0f} ms, to the answer {by_hand_answered:.0f}; "
        f"ours: {over * 1e3:.0f} ms, limit {LIMIT_SECONDS * 1e3:.0f}"
    )
    return over <= LIMIT_SECONDS


def main() -> int:
    """Print the figures, and return 1 where the limit is not met."""
    smoke = "--smoke" in sys.argv
    count = 0 if smoke else 9
    folder = Path(tempfile.mkdtemp(prefix="bench-run-"))
    server = Server(folder, ["--run"])
    try:
        api = f"localhost:{server.port}"
        user = User(folder, api)
        client = Client(api, insecure=True, project="proj", domain="dev")
        rounds: dict[str, list[Round]] = {"FastAPI by the SDK": [], "python -m http.server": []}
        for number in range(count + 1):
            for kind, found in rounds.items():
                name = f"app-{number}-{len(kind)}"
                is_sdk = "SDK" in kind
                deployed = with_sdk(user, client, name) if is_sdk else with_client(client, name)
                app = client.apps.get(name)
                app.deactivate(wait=True)
                if number or smoke:  # the first one warms up
                    found.append(Round(deployed, by_hand(app, api)))
        met = [show(what, found) for what, found in rounds.items()]
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if smoke or all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
