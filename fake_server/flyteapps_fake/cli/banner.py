"""The banner of a server: its addresses, and the configuration of the Flyte SDK for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_WAITS = "\n  apps     wait for a cluster to lease them: --data-plane none"


class Banner(NamedTuple):
    """The properties of one server.

    `host` is the name that clients use. `dialect` is "" for the standard one. `ca` is the file of the certificate
    authority that clients have to trust, or None.
    """

    host: str
    server: str
    clock: str
    data_plane: str
    dialect: str = ""
    tls: bool = False
    ca: Path | None = None

    def text(self, port: int, console_port: int | None) -> str:
        """Return the banner's lines."""
        host = self.host
        scheme = "https" if self.tls else "http"
        slow = " (slower than pyvoy, which the extra `fast` installs)" if self.server == "portable" else ""
        waits = "" if self.data_plane == "simulated" else _WAITS
        dialect = f", dialect {self.dialect}" if self.dialect else ""
        console = f"{scheme}://{host}:{console_port}" if console_port else f"{scheme}://{host}:{port}/v2/"
        insecure = "false" if self.tls else "true"
        authority = f"\n    caCertFilePath: {self.ca}" if self.ca else ""
        argument = f', ca_cert_file_path="{self.ca}"' if self.ca else "" if self.tls else ", insecure=True"
        uploads = (
            f"\nand, since the SDK's uploads ignore caCertFilePath: export SSL_CERT_FILE={self.ca}" if self.ca else ""
        )
        trust = f"\n  trust    {self.ca} (curl --cacert, SSL_CERT_FILE, or your system's store)" if self.ca else ""
        return f"""\
flyteapps serves the Flyte apps API at {scheme}://{host}:{port} over Connect, gRPC-Web and gRPC
  server   {self.server}{slow}, clock {self.clock}{dialect}
  console  {console}{waits}{trust}

Configure the Flyte SDK and CLI for it by a file config.yaml (or ~/.flyte/config.yaml):
  admin:
    endpoint: dns:///{host}:{port}
    insecure: {insecure}{authority}
  image:
    builder: remote
  task:
    project: demo
    domain: development
or in Python: flyte.init(endpoint="dns:///{host}:{port}"{argument}, project="demo", domain="development"){uploads}

Ctrl-C stops it.
"""
