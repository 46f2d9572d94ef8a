"""What a server says when it listens: where, and how to point the Flyte SDK at it."""

from __future__ import annotations


def banner(host: str, port: int, console_port: int | None, server: str, clock: str, data_plane: str) -> str:
    """The lines, with everything that a user has to copy."""
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    slow = " (slower than pyvoy, which the extra `fast` brings)" if server == "portable" else ""
    waits = "" if data_plane == "simulated" else "\n  apps     wait for a cluster to lease them: --data-plane none"
    console = f"http://{shown}:{console_port}" if console_port else f"http://{shown}:{port}/v2/"
    return f"""\
flyteapps serves the Flyte apps API at http://{shown}:{port} over Connect, gRPC-Web and gRPC
  server   {server}{slow}, clock {clock}
  console  {console}{waits}

Point the Flyte SDK and CLI at it, by a file config.yaml (or ~/.flyte/config.yaml):
  admin:
    endpoint: dns:///{shown}:{port}
    insecure: true
  image:
    builder: remote
  task:
    project: demo
    domain: development
or in Python: flyte.init(endpoint="dns:///{shown}:{port}", insecure=True, project="demo", domain="development")

Ctrl-C stops it.
"""
