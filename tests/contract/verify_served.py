"""`flyteapps verify` on `flyteapps serve` of other processes: each server and protocol, with TLS and without.

`--all` judges every combination; without it both servers, and the protocols that no other test speaks all through.
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
SHORT = [(SERVERS[0], True, "connect-http2"), (SERVERS[-1], False, "grpc-web")]
"""What is judged without `--all`; tests/contract/test_contract.py has Connect and gRPC."""
PACE = ("--speed", "20", "--lease-seconds", "3600")
VERIFY = [sys.executable, "-P", "-m", "flyteapps.cli", "verify", "--seed", "1"]
FAILING = ["--failing-label", "flyteapps.dev/scenario=image-pull-error"]


def verify(server: ServerProcess, protocol: str) -> subprocess.Popen[str]:
    """A run of `flyteapps verify` on it."""
    trust = ["--ca-cert", server.trusted] if server.trusted else []
    command = [*VERIFY, *FAILING, *trust, "--protocol", protocol, server.address]
    env = os.environ | {"COLUMNS": "200"}  # one line for the summary
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def chosen(everything: bool) -> list[tuple[str, bool, str]]:
    """Server, TLS, protocol of each run."""
    return [
        (server, tls, protocol)
        for server in SERVERS
        for tls in (False, True)
        for protocol in PROTOCOLS
        if everything or (server, tls, protocol) in SHORT
    ]


def main() -> int:
    """Serves, verifies a few at once, ends the servers."""
    failed: list[str] = []
    with ExitStack() as stack:
        os.environ["XDG_STATE_HOME"] = stack.enter_context(tempfile.TemporaryDirectory())
        servers: dict[tuple[str, bool], ServerProcess] = {}
        left = chosen("--all" in sys.argv)
        while left:
            batch, left = left[:AT_ONCE], left[AT_ONCE:]
            runs: list[tuple[str, subprocess.Popen[str]]] = []
            for server, tls, protocol in batch:
                if (server, tls) not in servers:
                    options = ("--quiet", *PACE, *(("--tls", "self-signed") if tls else ()))
                    servers[server, tls] = stack.enter_context(ServerProcess("--server", server, *options))
                name = f"{server}{', TLS' if tls else ''}, {protocol}"
                runs.append((name, verify(servers[server, tls], protocol)))
            for name, run in runs:
                said, _ = run.communicate()
                print(f"{name:32} {'holds' if run.returncode == 0 else 'FAILS'}: {said.splitlines()[-1]}", flush=True)
                if run.returncode:
                    failed.append(name)
                    print(said, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
