"""`flyteapps serve`: options, checks of the ports, choice of the server. Imports nothing heavy before they are done.

Each option is a variable FLYTEAPPS_... too. click rather than typer, which imports pydantic: 60 ms of every start.
"""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import ipaddress
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from flyteapps_fake.plane.hostname import is_hostname, is_loopback
from flyteapps_fake.registry import DIALECTS
from flyteapps_fake.serving.banner import Banner
from flyteapps_fake.serving.certificates import Certificate, given, self_signed
from flyteapps_fake.serving.config import DEFAULT_CONSOLE_PORT, DEFAULT_PORT, ServeConfig
from flyteapps_fake.settings import INGRESS_FORMS, IngressForm, Settings
from flyteapps_fake.transports.guard import check_origin
from flyteapps_fake.transports.limits import Limits
from flyteapps_fake.transports.listener import listening_socket

Server = Literal["auto", "pyvoy", "portable"]

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended before it listened."""


class _Option(click.Option):
    """An option whose errors name its variable, too: the value may have come from there."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return f"{super().get_error_hint(ctx)} or FLYTEAPPS_{(self.name or '').upper()}"


if TYPE_CHECKING:
    _PoolType = click.ParamType[tuple[str, tuple[str, ...]]]
    _PairType = click.ParamType[tuple[str, str]]
else:  # click can't be asked for it before 8.4
    _PoolType = _PairType = click.ParamType


class _Pool(_PoolType):
    """A pool's name and the clusters that serve it."""

    name = "pool"

    def convert(
        self, value: str | tuple[str, tuple[str, ...]], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[str, ...]]:
        if not isinstance(value, str):
            return value
        name, equals, clusters = value.partition("=")
        parts = tuple(each.strip() for each in clusters.split(","))
        if not (name.strip() and equals and all(parts)):
            self.fail(f"{value!r} names no pool and its clusters; give one such as default=east,west", param, ctx)
        return name.strip(), parts


class _Pair(_PairType):
    """Two texts with = between them. `what`: what they are, `example`: such a pair, for the message."""

    name = "pair"

    def __init__(self, what: str, example: str) -> None:
        self._what = what
        self._example = example

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if not isinstance(value, str):
            return value
        name, _, given = (part.strip() for part in value.partition("="))
        if not (name and given):
            self.fail(f"{value!r} names no {self._what}; give one such as {self._example}", param, ctx)
        return name, given


_option = partial(click.option, cls=_Option, show_default=True)
_PATH = click.Path(path_type=Path)
_port = partial(_option, type=click.IntRange(0, 65_535), metavar="PORT")


def _complain(message: str) -> None:
    print(f"flyteapps: {message}", file=sys.stderr, flush=True)


def _fail(message: str) -> click.exceptions.Exit:
    _complain(message)
    return click.exceptions.Exit(1)


def _resolve(host: str) -> str:
    """The address that `host` stands for: Envoy listens on addresses alone."""
    try:
        found = socket.getaddrinfo(host.strip("[]") or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _fail(f"--host {host}: {error.strerror}; give an address of this machine, such as 127.0.0.1") from None
    addresses = sorted(found, key=lambda each: each[0] != socket.AF_INET)
    return str(addresses[0][4][0])


def _own_name(host: str, address: str) -> str:
    """The name by which clients reach a server that listens on `host`, which stands for `address`."""
    if is_loopback(address) or address in ("0.0.0.0", "::"):
        return "localhost"
    bare = host.strip("[]").lower()
    return bare if is_hostname(bare) else address


def _free_port(address: str) -> int:
    """A port that nothing listens on."""
    with listening_socket(address, 0) as sock:
        return int(sock.getsockname()[1])


def _taken(address: str, port: int) -> bool:
    """Whether something else listens there; an address that can't be listened on at all ends the command."""
    try:
        with listening_socket(address, port):
            return False
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise _fail(f"can't listen on {address}, port {port}: {error.strerror}") from None


def _choose(kind: Server) -> str:
    installed = importlib.util.find_spec("pyvoy") is not None and sys.platform != "win32"
    if kind == "pyvoy" and not installed:
        raise _fail("pyvoy is not installed; `pip install 'flyteapps[fast]'`, or use --server portable")
    if kind == "portable" or not installed:
        if importlib.util.find_spec("hypercorn") is None:
            raise _fail("no server is installed; `pip install 'flyteapps[serve]'`")
        return "portable"
    return "pyvoy"


def _certificate(tls: str | None, cert: Path | None, key: Path | None, names: Sequence[str]) -> Certificate | None:
    """What TLS is spoken with, None for plaintext."""
    if (cert is None) != (key is None):
        missing, other = ("--tls-cert", "--tls-key") if cert is None else ("--tls-key", "--tls-cert")
        raise _fail(f"{other} needs {missing}: the certificate and its key, or --tls self-signed")
    if tls and cert:
        raise _fail("--tls self-signed makes a certificate: leave --tls-cert and --tls-key out, or leave it out")
    try:
        if cert is not None and key is not None:
            return given(cert, key)
        return self_signed(_covered(names)) if tls else None
    except ValueError as error:
        raise _fail(str(error)) from None
    except OSError as error:
        raise _fail(f"--tls self-signed: {error.filename or 'its folder'} can't be written: {error.strerror}") from None


def _covered(names: Sequence[str]) -> list[str]:
    """What a certificate of ours is for: this machine, and the names that were given, each with what is under it."""
    found = ["localhost", "*.localhost", "127.0.0.1", "::1"]
    for name in names:
        bare = name.strip("[]")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            found += [bare, f"*.{bare}"]
        else:
            found += [] if address.is_unspecified else [bare]
    return list(dict.fromkeys(found))


@click.command()
@_option("--host", default="127.0.0.1", help="Address or name to listen on.")
@_port("--port", default=DEFAULT_PORT, help="Port of the API; 0 takes a free one.")
@_port("--console-port", show_default=f"{DEFAULT_CONSOLE_PORT}, if free", help="Port of the console.")
@_option(
    "--dialect",
    type=click.Choice(tuple(DIALECTS)),
    default="standard",
    help="Whose behaviour it shows: that of the documented API, or of a plane that does otherwise.",
)
@_option("--org", show_default="the first that a request names", help="The only org that the plane serves.")
@_option(
    "--ingress",
    type=click.Choice(INGRESS_FORMS),
    default="path",
    help="Form of the apps' public URLs: a path, which every client resolves, or a host name. Both always answer.",
)
@_option("--ingress-host", show_default="localhost, or --host", help="Host of the public URLs that are paths.")
@_option(
    "--base-domain",
    default="apps.localhost",
    help="Domain of the public URLs that are host names; a dialect may take '' for no URLs at all.",
)
@_option(
    "--ingress-scheme",
    type=click.Choice(["http", "https"]),
    show_default="https with TLS, else http",
    help="Scheme of the apps' public URLs.",
)
@_port("--ingress-port", show_default="the console's", help="Port of the apps' public URLs.")
@_option(
    "--data-plane",
    type=click.Choice(["simulated", "none"]),
    default="simulated",
    help="Who runs apps: a cluster that is simulated, or none but those that come by the Lease RPC.",
)
@_option(
    "--pool",
    "pool",
    multiple=True,
    metavar="NAME=C1,C2",
    type=_Pool(),
    help="The clusters that serve a cluster pool; may be given again. A cluster also serves the pool of its own name.",
)
@_option(
    "--lease-seconds",
    type=float,
    default=60.0,
    help="Seconds of the plane's clock in which a cluster has to acknowledge an app that it leased.",
)
@_option(
    "--report-seconds",
    type=float,
    show_default="as an app's scenario says",
    help="Seconds of the plane's clock between a change of an app and the simulated cluster's first word about it.",
)
@_option(
    "--missing-secret",
    multiple=True,
    metavar="NAME",
    help="A secret that isn't there until it is created: apps that mount it fail; repeatable. All others are there.",
)
@_option(
    "--artifact",
    multiple=True,
    metavar="NAME[@VERSION]=URI",
    type=_Pair("artifact and its URI", "model=s3://bucket/model/"),
    help="An artifact for parameters of apps: a file, or a directory where the URI ends in a slash; repeatable.",
)
@_option(
    "--run-output",
    multiple=True,
    metavar="NAME=VALUE",
    type=_Pair("run or task and its output", "train.fit=s3://bucket/model/"),
    help="An output of the run or the task NAME for parameters of apps: a URI or a text; again for the next output.",
)
@_option(
    "--scenario",
    "app_scenario",
    multiple=True,
    metavar="GLOB=NAME",
    type=_Pair("apps and their scenario", "'worker-*=crash-loop'"),
    help="The scenario of apps whose names fit, such as 'worker-*=crash-loop', unless they name one; may be given "
    "again, the first that fits is taken.",
)
@_option("--seed", type=int, default=0, help="Seed of every random draw.")
@_option(
    "--clock",
    type=click.Choice(["realtime", "auto"]),
    default="realtime",
    help="How time passes: by itself, or as soon as somebody waits for an app.",
)
@_option(
    "--speed", type=float, default=1.0, help="How many seconds of the plane pass in a real one, on the realtime clock."
)
@_option(
    "--server",
    type=click.Choice(["auto", "pyvoy", "portable"]),
    default="auto",
    help="The HTTP server; auto takes pyvoy where it is installed.",
)
@_option("--tls", type=click.Choice(["self-signed"]), help="Serve by TLS, with a certificate made for this machine.")
@_option("--tls-cert", type=_PATH, metavar="PEM", help="Serve by TLS, with this certificate (and those after it).")
@_option("--tls-key", type=_PATH, metavar="PEM", help="The certificate's key, without a passphrase.")
@_option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A host name, with all under it, that is answered though the server is this machine's alone; repeatable.",
)
@_option(
    "--cors-origin",
    multiple=True,
    metavar="ORIGIN",
    help="An origin whose pages may ask, besides this machine's, such as https://console.example.com; repeatable.",
)
@_option("--max-streams", type=click.IntRange(1), default=Limits().streams, help="Open streams, of all clients.")
@_option(
    "--max-streams-per-connection",
    type=click.IntRange(1),
    default=Limits().streams_per_connection,
    help="Open streams of one connection.",
)
@_option(
    "--request-timeout",
    type=float,
    default=Limits().request_seconds,
    help="Seconds in which a request has to arrive, an upload included.",
)
@_option("--log-format", type=click.Choice(["text", "json"]), default="text", help="Form of the access lines.")
@_option("--quiet", "-q", is_flag=True, help="No access lines.")
def serve(
    host: str,
    port: int,
    console_port: int | None,
    dialect: str,
    org: str | None,
    ingress: IngressForm,
    ingress_host: str | None,
    base_domain: str,
    ingress_scheme: str | None,
    ingress_port: int | None,
    data_plane: Literal["simulated", "none"],
    pool: Sequence[tuple[str, tuple[str, ...]]],
    lease_seconds: float,
    report_seconds: float | None,
    missing_secret: Sequence[str],
    artifact: Sequence[tuple[str, str]],
    run_output: Sequence[tuple[str, str]],
    app_scenario: Sequence[tuple[str, str]],
    seed: int,
    clock: Literal["realtime", "auto"],
    speed: float,
    server: Server,
    tls: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    allow_host: Sequence[str],
    cors_origin: Sequence[str],
    max_streams: int,
    max_streams_per_connection: int,
    request_timeout: float,
    log_format: Literal["text", "json"],
    quiet: bool,
) -> None:
    """Serve a stand-in of the Flyte apps control plane.

    Each option is also a variable: --log-format is FLYTEAPPS_LOG_FORMAT. That of --scenario is FLYTEAPPS_APP_SCENARIO,
    since FLYTEAPPS_SCENARIO is a variable of apps.
    """
    chosen = _choose(server)
    names = [name for name, _ in pool]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _fail(f"--pool {twice} is given twice: name its clusters in one, such as --pool {twice}=C1,C2")
    address = _resolve(host)
    secured = bool(tls or tls_cert)
    settings = {
        "dialect": dialect,
        "org": org or None,
        "ingress": ingress,
        "base_domain": base_domain,
        "ingress_host": ingress_host or _own_name(host, address),
        "ingress_scheme": ingress_scheme or ("https" if secured else "http"),
        "ingress_port": ingress_port,
        "own_hosts": (*allow_host, _own_name(host, address)),
        "data_plane": data_plane,
        "pools": dict(pool),
        "lease_seconds": lease_seconds,
        "report_seconds": report_seconds,
        "missing_secrets": missing_secret,
        "artifacts": dict(artifact),
        "run_outputs": {name: [value for other, value in run_output if other == name] for name, _ in run_output},
        "app_scenarios": dict(app_scenario),
        "seed": seed,
        "clock": clock,
        "speed": speed,
    }
    limits = {
        "streams": max_streams,
        "streams_per_connection": max_streams_per_connection,
        "request_seconds": request_timeout,
    }
    try:
        Settings(**settings)  # type: ignore[arg-type]
        Limits(**limits)  # type: ignore[arg-type]
        for origin in cors_origin:
            check_origin(origin)
    except ValueError as error:
        raise _fail(str(error)) from None
    certificate = _certificate(tls, tls_cert, tls_key, [host, *allow_host, *filter(None, [base_domain, ingress_host])])
    if port and port == console_port:
        raise _fail(f"--port and --console-port are both {port}: the API and the console need one each")
    if port and _taken(address, port):
        raise _fail(f"port {port} of {host} is taken; choose another by --port, such as --port {port % 65_535 + 1}")
    console: int | None = DEFAULT_CONSOLE_PORT if console_port is None else console_port
    if console and (console == port or _taken(address, console)):
        if console_port is not None:
            raise _fail(f"the console's port {console} of {host} is taken; choose another by --console-port")
        _complain(
            f"port {console} is taken by another program, so the console's pages are on port {port}: "
            f"in links that the SDK prints, put {port} for {console}"
        )
        console = None
    if console is None and not port:
        port = _free_port(address)  # the public URLs of apps name it
    config = ServeConfig(
        host=address,
        port=port,
        console_port=console,
        log_format=log_format,
        quiet=quiet,
        settings=settings,
        tls_cert=str(certificate.cert) if certificate else None,
        tls_key=str(certificate.key) if certificate else None,
        hosts=tuple(allow_host),
        origins=tuple(cors_origin),
        limits=limits,
    )
    banner = Banner(
        host=address,
        server=chosen,
        clock=clock,
        data_plane=data_plane,
        dialect="" if dialect == "standard" else dialect,
        tls=certificate is not None,
        ca=certificate.ca if certificate else None,
    )

    def listening(port: int, console_port: int | None) -> None:
        if not is_loopback(address):
            _complain(
                f"it listens on {host}: whoever can reach this machine can read and change its apps, there are no "
                "passwords here; --host 127.0.0.1 keeps it to this machine"
            )
        print(banner.text(port, console_port), flush=True)

    if chosen == "pyvoy":
        from flyteapps_fake.serving.pyvoy_server import run_pyvoy as run
    else:
        from flyteapps_fake.serving.portable_server import run_portable as run
    try:
        status = asyncio.run(run(config, listening))
    except KeyboardInterrupt:
        status = INTERRUPTED
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
