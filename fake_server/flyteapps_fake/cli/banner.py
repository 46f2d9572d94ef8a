"""What a server says when it listens: where, and how to point the Flyte SDK at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WAITS = "\n  apps     wait for a cluster to lease them: --data-plane none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The facts of one server.

    `host`: as clients name it. `dialect`: "" for the usual one. `ca`: the authority
    that clients have to be told of, None where they know it.
    """

    host: str
    server: str
    clock: str
    data_plane: str
    dialect: str = ""
    tls: bool = False
    ca: Path | None = None

    def text(self, port: int, console_port: int | None) -> str:
        """The lines, with everything that a user has to copy."""
        shown = self.host
        scheme = "https" if self.tls else "http"
        slow = " (slower than pyvoy, which the extra `fast` brings)" if self.server == "portable" else ""
        waits = "" if self.data_plane == "simulated" else WAITS
        speaks = f", dialect {self.dialect}" if self.dialect else ""
        console = f"{scheme}://{shown}:{console_port}" if console_port else f"{scheme}://{shown}:{port}/v2/"
        insecure = "false" if self.tls else "true"
        authority = f"\n    caCertFilePath: {self.ca}" if self.ca else ""
        argument = f', ca_cert_file_path="{self.ca}"' if self.ca else "" if self.tls else ", insecure=True"
        uploads = (
            f"\nand, since the SDK's uploads know no caCertFilePath: export SSL_CERT_FILE={self.ca}" if self.ca else ""
        )
        trust = f"\n  trust    {self.ca} (curl --cacert, SSL_CERT_FILE, or your system's store)" if self.ca else ""
        return f"""\
flyteapps serves the Flyte apps API at {scheme}://{shown}:{port} over Connect, gRPC-Web and gRPC
  server   {self.server}{slow}, clock {self.clock}{speaks}
  console  {console}{waits}{trust}

Point the Flyte SDK and CLI at it, by a file config.yaml (or ~/.flyte/config.yaml):
  admin:
    endpoint: dns:///{shown}:{port}
    insecure: {insecure}{authority}
  image:
    builder: remote
  task:
    project: demo
    domain: development
or in Python: flyte.init(endpoint="dns:///{shown}:{port}"{argument}, project="demo", domain="development"){uploads}

Ctrl-C stops it.
"""
