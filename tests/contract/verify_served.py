"""`flyteapps verify` on `flyteapps serve` of other processes: each server and protocol, with TLS and without.

`--all` judges every combination; without it both servers, and the protocols that no other test speaks all through.
Exits 1 unless everything that can be judged there holds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec

SERVERS = ("pyvoy", "portable") if find_spec("pyvoy") else ("portable",)
PROTOCOLS = ("connect", "connect-http2", "grpc", "grpc-web")
AT_ONCE = 4
SHORT = [(SERVERS[0], True, "connect-http2"), (SERVERS[-1], False, "grpc-web")]
"""What is judged without `--all`; tests/contract/test_contract.py has Connect and gRPC."""
PACE = ("--speed", "20", "--lease-seconds", "3600")
SERVE = [sys.executable, "-P", "-m", "flyteapps.cli", "serve", "--quiet", "--port", "0", "--console-port", "0"]
VERIFY = [sys.executable, "-P", "-m", "flyteapps.cli", "verify"]
FAILING = ["--failing-label", "flyteapps.dev/scenario=image-pull-error"]


class Served:
    """One running server."""

    def __init__(self, kind: str, tls: bool, stack: ExitStack) -> None:
        options = ["--server", kind, *PACE, *(("--tls", "self-signed") if tls else ())]
        self.process = stack.enter_context(subprocess.Popen([*SERVE, *options], stdout=subprocess.PIPE, text=True))
        stack.callback(self.process.terminate)
        self.name = f"{kind}{', TLS' if tls else ''}"
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        self.endpoint = re.findall(r"API at (\S+)", said)[0]
        trusted = re.findall(r"caCertFilePath: (.+)", said)
        self.trust = ["--ca-cert", trusted[0]] if trusted else []

    def verify(self, protocol: str) -> subprocess.Popen[str]:
        """A run of `flyteapps verify` on it."""
        command = [*VERIFY, *FAILING, *self.trust, "--protocol", protocol, self.endpoint]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


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
        servers: dict[tuple[str, bool], Served] = {}
        left = chosen("--all" in sys.argv)
        while left:
            batch, left = left[:AT_ONCE], left[AT_ONCE:]
            runs: list[tuple[str, subprocess.Popen[str]]] = []
            for server, tls, protocol in batch:
                if (server, tls) not in servers:
                    servers[server, tls] = Served(server, tls, stack)
                served = servers[server, tls]
                runs.append((f"{served.name}, {protocol}", served.verify(protocol)))
            for name, run in runs:
                said, _ = run.communicate()
                print(f"{name:32} {'holds' if run.returncode == 0 else 'FAILS'}: {said.splitlines()[-1]}", flush=True)
                if run.returncode:
                    failed.append(name)
                    print(said, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
