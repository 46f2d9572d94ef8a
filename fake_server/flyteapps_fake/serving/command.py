"""`flyteapps serve`: options, checks of the ports, choice of the server. Imports nothing heavy before they are done.

Each option is a variable FLYTEAPPS_... too. click rather than typer, which imports pydantic: 60 ms of every start.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import Literal

import click

from flyteapps_fake.serving.banner import banner
from flyteapps_fake.serving.config import DEFAULT_CONSOLE_PORT, DEFAULT_PORT, ServeConfig

Server = Literal["auto", "pyvoy", "portable"]

_option = partial(click.option, show_default=True)
_port = partial(_option, type=click.IntRange(0, 65_535), metavar="PORT")


def _complain(message: str) -> None:
    print(f"flyteapps: {message}", file=sys.stderr, flush=True)


def _fail(message: str) -> click.exceptions.Exit:
    _complain(message)
    return click.exceptions.Exit(1)


def _free(host: str, port: int) -> bool:
    """Whether a server of ours could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(1)
        except OSError:
            return False
    return True


def _choose(kind: Server) -> str:
    installed = importlib.util.find_spec("pyvoy") is not None and sys.platform != "win32"
    if kind == "pyvoy" and not installed:
        raise _fail("pyvoy is not installed; `pip install 'flyteapps[fast]'`, or use --server portable")
    if kind == "portable" or not installed:
        if importlib.util.find_spec("hypercorn") is None:
            raise _fail("no server is installed; `pip install 'flyteapps[serve]'`")
        return "portable"
    return "pyvoy"


@click.command()
@_option("--host", default="127.0.0.1", help="Address to listen on.")
@_port("--port", default=DEFAULT_PORT, help="Port of the API; 0 takes a free one.")
@_port("--console-port", show_default=f"{DEFAULT_CONSOLE_PORT}, if free", help="Port of the console.")
@_option("--org", show_default="the first that a request names", help="The plane's own org.")
@_option("--base-domain", default="apps.localhost", help="Domain of the apps' public URLs.")
@_option("--ingress-scheme", default="http", help="Scheme of the apps' public URLs.")
@_port("--ingress-port", show_default="the console's", help="Port of the apps' public URLs.")
@_option("--seed", type=int, default=0, help="Seed of every random draw.")
@_option(
    "--clock",
    type=click.Choice(["realtime", "auto"]),
    default="realtime",
    help="How time passes: by itself, or as soon as somebody waits for an app.",
)
@_option("--speed", type=float, default=1.0, help="Seconds of the plane a real second (realtime).")
@_option("--server", type=click.Choice(["auto", "pyvoy", "portable"]), default="auto", help="What serves.")
@_option("--log-format", type=click.Choice(["text", "json"]), default="text", help="Form of the access lines.")
@_option("--quiet", "-q", is_flag=True, help="No access lines.")
def serve(
    host: str,
    port: int,
    console_port: int | None,
    org: str | None,
    base_domain: str,
    ingress_scheme: str,
    ingress_port: int | None,
    seed: int,
    clock: Literal["realtime", "auto"],
    speed: float,
    server: Server,
    log_format: Literal["text", "json"],
    quiet: bool,
) -> None:
    """Serve a stand-in of the Flyte apps control plane.

    Each option is also a variable: --log-format is FLYTEAPPS_LOG_FORMAT.
    """
    chosen = _choose(server)
    if port and not _free(host, port):
        raise _fail(f"port {port} of {host} is taken; choose another by --port, such as --port {port + 1}")
    console: int | None = DEFAULT_CONSOLE_PORT if console_port is None else console_port
    if console and (console == port or not _free(host, console)):
        if console_port is not None:
            raise _fail(f"the console's port {console} of {host} is taken; choose another by --console-port")
        _complain(f"port {console} is taken: no console there (--console-port chooses another), see /v2/ on the API's")
        console = None
    settings = {
        "org": org or None,
        "base_domain": base_domain,
        "ingress_scheme": ingress_scheme,
        "ingress_port": ingress_port,
        "seed": seed,
        "clock": clock,
        "speed": speed,
    }
    from flyteapps_fake.settings import Settings

    try:
        Settings(**settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise _fail(str(error)) from None
    config = ServeConfig(
        host=host,
        port=port,
        console_port=console,
        log_format=log_format,
        quiet=quiet,
        settings=settings,
    )

    def listening(port: int, console_port: int | None) -> None:
        print(banner(host, port, console_port, chosen, clock), flush=True)

    if chosen == "pyvoy":
        from flyteapps_fake.serving.pyvoy_server import run_pyvoy as run
    else:
        from flyteapps_fake.serving.portable_server import run_portable as run
    try:
        status = asyncio.run(run(config, listening))
    except Exception as error:
        raise _fail(f"the server did not start: {error}") from None
    raise click.exceptions.Exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's own); the exit status."""
    try:
        serve(args=argv, prog_name="flyteapps serve", auto_envvar_prefix="FLYTEAPPS")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
