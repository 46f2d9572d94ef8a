"""`flyteapps verify` on a `flyteapps serve` of another process, in real time, over Connect and over gRPC.

Run with `make verify`. Exits 1 unless everything that can be judged there holds.
"""

from __future__ import annotations

import re
import subprocess
import sys

SERVE = [sys.executable, "-m", "flyteapps.cli", "serve", "--quiet", "--port", "0", "--console-port", "0"]
VERIFY = [sys.executable, "-m", "flyteapps.cli", "verify", "--failing-label", "flyteapps.dev/scenario=image-pull-error"]


def main() -> int:
    """Serves, verifies, ends the server."""
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            said = next(line for line in server.stdout if "API at" in line)
            endpoint = re.findall(r"http://(\S+)", said)[0]
            runs = [subprocess.Popen([*VERIFY, endpoint, "--protocol", each]) for each in ("connect", "grpc")]
            return max(run.wait() for run in runs)
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
