"""`flyteapps serve`: options, checks of the ports, choice of the server. Imports nothing heavy before they are done.

Each option is a variable FLYTEAPPS_... too. click rather than typer, which imports pydantic: 60 ms of every start.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import re
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from flyteapps_fake.cli.banner import Banner
from flyteapps_fake.cli.output import keep_standard_files, write_line
from flyteapps_fake.core.hostnames import is_hostname, is_loopback
from flyteapps_fake.core.settings import INGRESS_FORMS, IngressForm, Settings
from flyteapps_fake.dialects import DIALECTS
from flyteapps_fake.http.access.host_policy import check_origin
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.servers.addresses import (
    LOCALHOST,
    bracketed,
    no_console,
    resolve,
    shadow,
    shown,
    taken_port,
)
from flyteapps_fake.servers.certificates import Certificate, given, self_signed
from flyteapps_fake.servers.config import DEFAULT_CONSOLE_PORT, DEFAULT_PORT, ServeConfig
from flyteapps_fake.servers.listener import AddressTaken, bound_sockets, listening_sockets, raise_file_limit

Server = Literal["auto", "pyvoy", "portable"]

SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")
INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended before it listened."""


class _Option(click.Option):
    """An option whose errors name its variable, too: the value may have come from there."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value, unless it is an address that Kubernetes has set for a Service of such a name."""
        found = super().resolve_envvar_value(ctx)
        if found is None or not SERVICE_ADDRESS.match(found):
            return found
        variable = f"FLYTEAPPS_{(self.name or '').upper()}"
        _complain(
            f"{variable}={found} is what Kubernetes sets for a Service, not an option, and is ignored: "
            f"give {self.opts[0]} if you meant one"
        )
        return None

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


class _PortRange(click.IntRange):
    name = "port number, 0 to 65535"  # what click's messages call it


_port = partial(_option, type=_PortRange(0, 65_535), metavar="PORT")


def _complain(message: str) -> None:
    print(f"flyteapps: {message}", file=sys.stderr, flush=True)


def _fail(message: str) -> click.exceptions.Exit:
    _complain(message)
    return click.exceptions.Exit(1)


def _sockets(addresses: Sequence[str], port: int, option: str, *, listening: bool) -> list[socket.socket]:
    """The sockets of that port, which is ours from now on; none to be had ends the command."""
    try:
        return (listening_sockets if listening else bound_sockets)(addresses, port)
    except AddressTaken as taken:
        raise _fail(taken_port(taken, option, addresses)) from None
    except OSError as error:
        raise _fail(f"can't listen on {addresses[0]}, port {port}: {error.strerror}") from None


def _own_name(host: str, address: str) -> str:
    """The name by which clients reach a server that listens on `host`, which stands for `address`."""
    if is_loopback(address) or address in ("0.0.0.0", "::"):
        return "localhost"
    bare = host.strip("[]").lower()
    return bare if is_hostname(bare) else address


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
@_option("--host", default=LOCALHOST, help="Address or name to listen on; localhost is 127.0.0.1 and ::1.")
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
    try:
        addresses = resolve(host)
    except OSError as error:
        raise _fail(f"--host {host}: {error.strerror}; give an address of this machine, such as 127.0.0.1") from None
    own_name = _own_name(host, addresses[0])
    secured = bool(tls or tls_cert)
    settings = {
        "dialect": dialect,
        "org": org or None,
        "ingress": ingress,
        "base_domain": base_domain,
        "ingress_host": ingress_host or own_name,
        "ingress_scheme": ingress_scheme or ("https" if secured else "http"),
        "ingress_port": ingress_port,
        "own_hosts": (*allow_host, own_name),
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
    # Envoy binds its own, and only sockets that don't listen leave it the port
    socks = _sockets(addresses, port, "--port", listening=chosen == "portable")
    port = socks[0].getsockname()[1]
    name = shown(addresses)
    if other := shadow(addresses, port):
        name = bracketed("127.0.0.1" if addresses[0] == "0.0.0.0" else addresses[0])
        _complain(
            f"another program has port {port} of {other}, where clients may look first for localhost: "
            f"use {name}:{port} for this server, or choose another --port"
        )
    console: list[socket.socket] = []
    if console_port is not None:
        console = _sockets(addresses, console_port, "--console-port", listening=True)
    elif port != DEFAULT_CONSOLE_PORT:
        try:
            console = listening_sockets(addresses, DEFAULT_CONSOLE_PORT)
        except OSError:
            _complain(no_console(port))
    raise_file_limit()
    config = ServeConfig(
        addresses=addresses,
        port=port,
        console_port=console[0].getsockname()[1] if console else None,
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
        host=name,
        server=chosen,
        clock=clock,
        data_plane=data_plane,
        dialect="" if dialect == "standard" else dialect,
        tls=certificate is not None,
        ca=certificate.ca if certificate else None,
    )

    def listening() -> None:
        if not is_loopback(addresses[0]):
            _complain(
                f"it listens on {host}: whoever can reach this machine can read and change its apps, there are no "
                "passwords here; --host 127.0.0.1 keeps it to this machine"
            )
        write_line(banner.text(config.port, config.console_port))

    if chosen == "pyvoy":
        from flyteapps_fake.servers.pyvoy import run_pyvoy as run
    else:
        from flyteapps_fake.servers.portable import run_portable as run
    try:
        status = asyncio.run(run(config, socks, console, listening))
    except KeyboardInterrupt:
        status = INTERRUPTED
    except AddressTaken as taken:
        raise _fail(taken_port(taken, "--port", addresses)) from None
    except Exception as error:
        raise _fail(f"the server did not start: {error}") from None
    raise click.exceptions.Exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's own); the exit status."""
    keep_standard_files()
    try:
        serve(args=argv, prog_name="flyteapps serve", auto_envvar_prefix="FLYTEAPPS")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
