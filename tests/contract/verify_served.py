"""`flyteapps verify` on `flyteapps serve` of other processes: each server, protocol, dialect, with TLS and without.

`--all` judges every combination and explores; without it the directed checks alone run, on both servers, by the
protocols that no other test speaks all through.
Exits 1 unless everything that can be judged there holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec

from serving.server_process import ServerProcess

SERVERS = ("pyvoy", "portable") if find_spec("pyvoy") else ("portable",)
PROTOCOLS = ("connect", "connect-http2", "grpc", "grpc-web")
AT_ONCE = 4
SHORT = [
    (SERVERS[0], True, "connect-http2", "standard"),
    (SERVERS[-1], False, "grpc-web", "standard"),
    (SERVERS[0], False, "connect", "flyte-oss"),
]
"""The combinations without `--all`; the tests have Connect and gRPC."""
PACE = {
    "standard": ("--speed", "20", "--lease-seconds", "3600", "--pool", "default=simulated"),
    "flyte-oss": ("--speed", "20", "--write-seconds", "0.005"),  # writes meet as few reports as at speed 1
}
VERIFY = [sys.executable, "-P", "-m", "flyteapps.cli", "verify", "--seed", "1"]
FAILING = ["--failing-label", "flyteapps.dev/scenario=image-pull-error"]


def verify(server: ServerProcess, protocol: str, dialect: str, profile: str) -> subprocess.Popen[str]:
    """Return a run of `flyteapps verify` on it."""
    trust = ["--ca-cert", server.trusted] if server.trusted else []
    command = [*VERIFY, *FAILING, *trust, "--protocol", protocol, "--dialect", dialect]
    command += ["--profile", profile, server.address]
    env = os.environ | {"COLUMNS": "200"}  # one line for the summary
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def chosen(everything: bool) -> list[tuple[str, bool, str, str]]:
    """Return server, TLS, protocol and dialect of each run."""
    every = [
        (server, tls, protocol, dialect)
        for dialect in PACE
        for server in SERVERS
        for tls in (False, True)
        for protocol in PROTOCOLS
    ]
    return every if everything else SHORT


def main() -> int:
    """Serve, verifies a few at once, ends the servers."""
    failed: list[str] = []
    with ExitStack() as stack:
        os.environ["XDG_STATE_HOME"] = stack.enter_context(tempfile.TemporaryDirectory())
        servers: dict[tuple[str, bool, str], ServerProcess] = {}
        everything = "--all" in sys.argv
        left = chosen(everything)
        profile = "quick" if everything else "directed"  # the tests explore over Connect
        while left:
            batch, left = left[:AT_ONCE], left[AT_ONCE:]
            runs: list[tuple[str, subprocess.Popen[str]]] = []
            for server, tls, protocol, dialect in batch:
                key = server, tls, dialect
                if key not in servers:
                    options = (
                        "--quiet",
                        "--dialect",
                        dialect,
                        *PACE[dialect],
                        *(("--tls", "self-signed") if tls else ()),
                    )
                    servers[key] = stack.enter_context(ServerProcess("--server", server, *options))
                name = f"{server}{', TLS' if tls else ''}, {protocol}, {dialect}"
                runs.append((name, verify(servers[key], protocol, dialect, profile)))
            for name, run in runs:
                said, _ = run.communicate()
                print(f"{name:40} {'holds' if run.returncode == 0 else 'FAILS'}: {said.splitlines()[-1]}", flush=True)
                if run.returncode:
                    failed.append(name)
                    print(said, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
