"""`flyteapps serve`: options, checks of the ports, choice of the server. Imports nothing heavy before they are done."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from flyteapps_fake.serving.banner import banner
from flyteapps_fake.serving.config import DEFAULT_CONSOLE_PORT, DEFAULT_PORT, ServeConfig


class ServerKind(StrEnum):
    auto = "auto"
    pyvoy = "pyvoy"
    portable = "portable"


class Clock(StrEnum):
    realtime = "realtime"
    auto = "auto"


class LogFormat(StrEnum):
    text = "text"
    json = "json"


def _complain(message: str) -> None:
    print(f"flyteapps: {message}", file=sys.stderr, flush=True)


def _fail(message: str) -> typer.Exit:
    _complain(message)
    return typer.Exit(1)


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


def _choose(kind: ServerKind) -> str:
    installed = importlib.util.find_spec("pyvoy") is not None and sys.platform != "win32"
    if kind is ServerKind.pyvoy and not installed:
        raise _fail("pyvoy is not installed; `pip install 'flyteapps[fast]'`, or use --server portable")
    if kind is ServerKind.portable or not installed:
        if importlib.util.find_spec("hypercorn") is None:
            raise _fail("no server is installed; `pip install 'flyteapps[serve]'`")
        return "portable"
    return "pyvoy"


def serve(
    host: Annotated[str, typer.Option(envvar="FLYTEAPPS_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="FLYTEAPPS_PORT", help="Port of the API; 0 takes a free one.")] = (
        DEFAULT_PORT
    ),
    console_port: Annotated[
        int | None,
        typer.Option(envvar="FLYTEAPPS_CONSOLE_PORT", help="Port of the console's pages.  [default: 8080, if free]"),
    ] = None,
    org: Annotated[
        str | None,
        typer.Option(envvar="FLYTEAPPS_ORG", help="The plane's own org.  [default: the first that a request names]"),
    ] = None,
    base_domain: Annotated[
        str, typer.Option(envvar="FLYTEAPPS_BASE_DOMAIN", help="Domain of the apps' public URLs.")
    ] = "apps.localhost",
    ingress_scheme: Annotated[
        str, typer.Option(envvar="FLYTEAPPS_INGRESS_SCHEME", help="Scheme of the apps' public URLs.")
    ] = "http",
    ingress_port: Annotated[
        int | None,
        typer.Option(envvar="FLYTEAPPS_INGRESS_PORT", help="Port of the public URLs.  [default: the console's]"),
    ] = None,
    seed: Annotated[int, typer.Option(envvar="FLYTEAPPS_SEED", help="Seed of every random draw.")] = 0,
    clock: Annotated[Clock, typer.Option(envvar="FLYTEAPPS_CLOCK", help="How time passes.")] = Clock.realtime,
    speed: Annotated[
        float, typer.Option(envvar="FLYTEAPPS_SPEED", help="Seconds of the plane a real second (realtime).")
    ] = 1.0,
    server: Annotated[ServerKind, typer.Option(envvar="FLYTEAPPS_SERVER", help="Server.")] = ServerKind.auto,
    log_format: Annotated[LogFormat, typer.Option(envvar="FLYTEAPPS_LOG_FORMAT", help="Access lines.")] = (
        LogFormat.text
    ),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", envvar="FLYTEAPPS_QUIET", help="No access lines.")] = False,
) -> None:
    """Serve a stand-in of the Flyte apps control plane."""
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
        "clock": clock.value,
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
        log_format=log_format.value,
        quiet=quiet,
        settings=settings,
    )

    def listening(port: int, console_port: int | None) -> None:
        print(banner(host, port, console_port, chosen, clock.value), flush=True)

    if chosen == "pyvoy":
        from flyteapps_fake.serving.pyvoy_server import run_pyvoy as run
    else:
        from flyteapps_fake.serving.portable_server import run_portable as run
    try:
        status = asyncio.run(run(config, listening))
    except Exception as error:
        raise _fail(f"the server did not start: {error}") from None
    raise typer.Exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's own); the exit status."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(serve)
    try:
        app(args=None if argv is None else list(argv), prog_name="flyteapps serve", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
