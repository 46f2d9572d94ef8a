"""Servers and users in processes of their own: the unmodified SDK with its own HOME and working directory.

Nothing of this project is on the path of the users' processes. Every wait is for an event, never for a fixed time.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

FLOWS = Path(__file__).parent / "flows"
RUN = [sys.executable, str(Path(__file__).with_name("run_program.py"))]
"""The command that runs a program of the SDK: the same as Python, but for the interpreter's end."""
START_SECONDS = 120.0
FLOW_SECONDS = 200.0
CLI = "from flyte.cli.main import main; main()"


class Server:
    """A `flyteapps serve` of its own on free ports of the loopback, its access lines in a file."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._log = folder / "server.log"
        self._state = folder / "state"
        """The folder of the certificates that it makes."""
        command = [sys.executable, "-m", "flyteapps.cli", "serve", "--port", "0", "--console-port", "0"]
        # The FLYTEAPPS_... variables of the test run must not configure the server.
        env = {k: v for k, v in os.environ.items() if not k.startswith("FLYTEAPPS_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--log-format", "json", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**env, "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(self._state)},
                process_group=0,
            )
        self._said = b""
        self.killed = False
        try:
            self.port = int(self._wait_for(rb"API at https?://[^:]+:(\d+)"))
        except BaseException:
            self.stop()
            raise

    @property
    def console_port(self) -> int:
        """The port of its console."""
        return int(self._wait_for(rb"console +https?://[^:]+:(\d+)"))

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    @property
    def ca(self) -> Path:
        """The authority of the certificate of a server with `--tls self-signed`."""
        return Path(self._wait_for(rb"caCertFilePath: (\S+)").decode())

    def _wait_for(self, pattern: bytes) -> bytes:
        """Read the server's output until the pattern matches; return its group."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        while (found := re.search(pattern, self._said)) is None:
            chunk = _read(self._process.stdout.fileno(), deadline)
            if not chunk:
                raise AssertionError(f"the server did not start: {self._said!r} {self._log.read_text()}")
            self._said += chunk
        return cast("bytes", found.group(1))

    def calls(self) -> list[str]:
        """Return the access lines so far as `METHOD CODE`, in order of the calls' ends."""
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        while chunk := self._process.stdout.read():
            self._said += chunk
        lines = self._said.decode().splitlines() + self._log.read_text().splitlines()
        entries = [entry for line in lines if line.startswith("{") and "method" in (entry := json.loads(line))]
        calls = [entry for entry in entries if entry["method"] != "upload"]  # which is no call of an RPC
        return [f"{entry['method'].rpartition('/')[2]} {entry['code']}" for entry in calls]

    def wait_for_calls(self, call: str, count: int) -> None:
        """Wait until `count` such calls are logged, and check that the method has no others."""
        deadline = time.monotonic() + 10.0
        while self.calls().count(call) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        method = call.split()[0]
        seen = [c for c in self.calls() if c.split()[0] == method]
        assert seen == [call] * count, f"expected {count} times {call}, saw {seen}"

    def error_output(self) -> str:
        """Return the server's standard error without access lines."""
        return "".join(line for line in self._log.read_text().splitlines(keepends=True) if not line.startswith("{"))

    def kill(self) -> None:
        """End the server and its children as kill -9 does: no code of theirs runs any more."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.killed = True
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def stop(self) -> int:
        """End the server as Ctrl-C does; return its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()


class User:
    """A user with the SDK and a configuration file, and nothing else."""

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        *,
        org: str | None = None,
        project: str | None = "proj",
        login: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Write the configuration; `login`: how the user logs in over TLS, as keys of `admin`."""
        self._more_env = dict(env or {})
        self.folder = folder / "work"
        self._home = folder / "home"
        self.folder.mkdir()
        self._home.mkdir()
        task = {"org": org, "project": project, "domain": "dev" if project else None}
        admin = {"insecure": True} if login is None else login
        lines = ["admin:", f"  endpoint: dns:///{endpoint}"]
        lines += [f"  {key}: {json.dumps(value)}" for key, value in admin.items()]
        lines += ["image:", "  builder: remote"]
        lines += ["task:", *(f"  {key}: {value}" for key, value in task.items() if value)] if any(task.values()) else []
        (self.folder / "config.yaml").write_text("\n".join(lines) + "\n")

    def bring(self, flow: str) -> None:
        """Copy a file of flows/ into the working directory."""
        shutil.copy(FLOWS / f"{flow}.py", self.folder)

    def python(self, flow: str, *arguments: str) -> str:
        """Run a flow, which must succeed, and return its output."""
        self.bring(flow)
        return self._run([*RUN, f"{flow}.py", *arguments], 0)

    def start(self, flow: str) -> subprocess.Popen[str]:
        """Start a flow, whose output can be read while it runs."""
        self.bring(flow)
        return subprocess.Popen(
            [RUN[0], "-u", RUN[1], f"{flow}.py"],
            cwd=self.folder,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def flyte(self, *arguments: str, code: int = 0) -> str:
        """Run the CLI, which must exit with the code, and return its output without line breaks and frames."""
        output = self._run([*RUN, "-c", CLI, *arguments], code)
        return " ".join(re.sub(r"[│╭╮╰╯─┌┐└┘┃┏┓┗┛]", " ", output).split())

    def flyte_until(self, line: str, *arguments: str) -> str:
        """Run the CLI in a terminal until it shows the line, then end it; return the terminal's contents."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*RUN, "-c", CLI, *arguments],
            cwd=self.folder,
            env=self._env() | {"TERM": "xterm", "LINES": "100"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + FLOW_SECONDS
        try:
            while line.encode() not in shown:
                chunk = _read(ours, deadline)
                assert chunk, f"{arguments} never showed {line!r}:\n{shown.decode()}"
                shown += chunk
        finally:
            process.kill()  # the effect of Ctrl-C depends on the SDK's state at that moment
            process.wait()
            os.close(ours)
        return shown.decode()

    def _env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "COLUMNS": "400",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "PYTHONWARNINGS": "default",
            "DO_NOT_TRACK": "1",  # no telemetry from tests
            **self._more_env,
        }

    @contextmanager
    def follow(self, *command: str) -> Generator[IO[str]]:
        """Run a command in the folder, and yield its output; it is killed in the end, or after some time."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        timer = threading.Timer(FLOW_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        try:
            with process.stdout:
                yield process.stdout
        finally:
            timer.cancel()
            process.kill()
            process.wait()

    def run(self, *command: str) -> str:
        """Run a command in the folder, which must succeed, and return its output."""
        return self._run(list(command), 0)

    def _run(self, command: list[str], code: int) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self._env(), capture_output=True, text=True, timeout=FLOW_SECONDS, check=False
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{command} exited with {done.returncode}:\n{output}"
        return output


def _read(source: int, deadline: float) -> bytes:
    """Return the next output; nothing at the end or after the deadline."""
    ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
    try:
        return os.read(source, 65536) if ready else b""
    except OSError:  # the end of a terminal
        return b""
