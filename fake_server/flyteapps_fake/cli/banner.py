"""The banner of a server: its addresses, and the configuration of the Flyte SDK for it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flyteapps_fake.core.settings import Settings

DEFAULT_ORG = "flyte"
"""The org of a plane as long as nothing has decided it."""
_WAITS = "\n  apps     wait for a cluster to lease them: --data-plane none"
_RUN = "\n  apps     run on this machine: whatever is deployed runs as you, with your rights\n           in {directory}"


class AuthLines(NamedTuple):
    """The lines of a server with authentication: who may log in, how the SDK is configured, an API key."""

    users: str
    admin: str
    api_key: str


def auth_lines(auth: Mapping[str, Any], org: str | None) -> AuthLines:
    """Return the lines for the settings of authentication, as a mapping of their fields."""
    if auth["provider"] is not None:
        return AuthLines(f"tokens of {auth['provider']} for {auth['audience']}", "", "")
    users = ", ".join(f"{each['subject']} ({each['role']})" for each in auth["users"]) or "no users"
    public = any(each["secret"] is None for each in auth["clients"])
    client = next((each for each in auth["clients"] if each["secret"] is not None), None)
    key = ""
    if client is not None:
        where = auth["issuer"].removeprefix("https://")
        text = f"{where}:{client['client_id']}:{client['secret']}:{org or DEFAULT_ORG}"
        key = base64.b64encode(text.encode()).decode()
    return AuthLines(f"credentials are needed; users {users}", "\n    authType: Pkce" if public else "", key)


def dialect_text(settings: Settings) -> str:
    """Return what tells a plane of another dialect than the standard one: its version, and what stands for its cluster.

    Return "" for the standard one.
    """
    if settings.dialect == "standard":
        return ""
    version = f"@{settings.dialect_version}" if settings.dialect_version else ""
    cluster = f", kubernetes {settings.kubernetes}" if settings.kubernetes is not None else ""
    writes = f", a write takes {settings.write_seconds:g} s" if settings.write_seconds is not None else ""
    return f"{settings.dialect}{version}{cluster}{writes}"


class Banner(NamedTuple):
    """The properties of one server.

    `host` is the name that clients use. `state`: where the state is kept. `dialect`: see dialect_text. `ca` is
    the file of the certificate authority that clients have to trust, or None. `directory`: where apps run, None for a
    temporary one.
    """

    host: str
    server: str
    clock: str
    state: str
    data_plane: str
    directory: str | None = None
    dialect: str = ""
    tls: bool = False
    ca: Path | None = None
    auth: AuthLines | None = None

    def text(self, port: int, console_port: int | None, *, has_console: bool = True) -> str:
        """Return the banner's lines."""
        host = self.host
        scheme = "https" if self.tls else "http"
        slow = " (slower than pyvoy, which the extra `fast` installs)" if self.server == "portable" else ""
        waits = ""
        if self.data_plane == "processes":
            waits = _RUN.format(directory=self.directory or "a temporary directory")
        elif self.data_plane == "none":
            waits = _WAITS
        dialect = f", dialect {self.dialect}" if self.dialect else ""
        console = f"{scheme}://{host}:{console_port}" if console_port else f"{scheme}://{host}:{port}/v2/"
        console_line = f"\n  console  {console}" if has_console else ""
        insecure = "false" if self.tls else "true"
        authority = f"\n    caCertFilePath: {self.ca}" if self.ca else ""
        argument = f', ca_cert_file_path="{self.ca}"' if self.ca else "" if self.tls else ", insecure=True"
        uploads = (
            f"\nand, since the SDK's uploads ignore caCertFilePath: export SSL_CERT_FILE={self.ca}" if self.ca else ""
        )
        trust = f"\n  trust    {self.ca} (curl --cacert, SSL_CERT_FILE, or your system's store)" if self.ca else ""
        callers = f"\n  callers  {self.auth.users}" if self.auth else ""
        if self.auth and not self.tls:
            callers += "\n           the Flyte SDK sends credentials over TLS alone: add --tls self-signed"
        login = self.auth.admin if self.auth and self.tls else ""
        key = ""
        if self.auth and self.auth.api_key:
            who = (
                "the client flyteapps, and `flyteapps control`, log in by an API key (the SDK: docs/authentication.md)"
            )
            key = f"\n\nPrograms with {who}:\n  export FLYTE_API_KEY={self.auth.api_key}"
        return f"""\
flyteapps serves the Flyte apps API at {scheme}://{host}:{port} over Connect, gRPC-Web and gRPC
  server   {self.server}{slow}, clock {self.clock}{dialect}{console_line}
  state    {self.state}{waits}{trust}{callers}

Configure the Flyte SDK and CLI for it by a file config.yaml (or ~/.flyte/config.yaml):
  admin:
    endpoint: dns:///{host}:{port}
    insecure: {insecure}{authority}{login}
  image:
    builder: remote
  task:
    project: demo
    domain: development
or in Python: flyte.init(endpoint="dns:///{host}:{port}"{argument}, project="demo", domain="development"){uploads}{key}

Ctrl-C stops it.
"""
