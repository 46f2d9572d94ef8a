"""Start-up of `flyteapps serve`: choice of the server, certificate, sockets, configuration. Nothing listens earlier.

Each function raises `StartupError` with a message that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flyteapps_fake.auth.settings import Auth
from flyteapps_fake.cli.dialect_choice import name_of
from flyteapps_fake.cli.options import ServeOptions, Server
from flyteapps_fake.cli.output import warn
from flyteapps_fake.core.hostnames import is_hostname, is_loopback
from flyteapps_fake.core.settings import APPS, CALLS, DataPlane, Settings, no_leases
from flyteapps_fake.dialects import DIALECTS
from flyteapps_fake.http.access.host_policy import check_origin
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.servers.addresses import bracketed, no_console, resolve, shadow, shown, taken_port
from flyteapps_fake.servers.config import DEFAULT_CONSOLE_PORT, ServeConfig
from flyteapps_fake.servers.listener import AddressTaken, bound_sockets, listening_sockets
from flyteapps_fake.servers.run_folder import state_folder

if TYPE_CHECKING:
    from flyteapps_fake.servers.certificates import Certificate

_EVERYWHERE = ("0.0.0.0", "::")


class StartupError(Exception):
    """A reason why the server can't start, as a message for the user."""

    status = 1
    """The exit status of the command."""


class InvalidFile(StartupError):  # noqa: N818  # reads as what is wrong
    """A file of the user's that the server can't start with."""

    status = 2


class Sockets(NamedTuple):
    """The sockets of the API and of the console; the latter are empty where the console shares the API's port.

    `host` is the name or address that clients of this machine should use.
    """

    host: str
    api: list[socket.socket]
    console: list[socket.socket]


def server_for(kind: Server) -> Literal["pyvoy", "portable"]:
    """Return the server to use. Raises StartupError if it isn't installed."""
    installed = importlib.util.find_spec("pyvoy") is not None and sys.platform != "win32"
    if kind == "pyvoy" and not installed:
        raise StartupError("pyvoy is not installed: pip install 'flyteapps[fast]', or use --server portable")
    if kind == "portable" or not installed:
        if importlib.util.find_spec("hypercorn") is None:
            raise StartupError("no HTTP server is installed: pip install 'flyteapps[serve]'")
        return "portable"
    return "pyvoy"


def addresses_of(host: str) -> tuple[str, ...]:
    """Return the addresses to listen on. Raises StartupError."""
    try:
        return resolve(host)
    except OSError as error:
        message = f"--host {host}: {error.strerror}; use an address of this machine, such as 127.0.0.1"
        raise StartupError(message) from None


def _own_name(host: str, address: str) -> str:
    """Return the name by which clients reach a server on `host`, which resolves to `address`."""
    if is_loopback(address) or address in _EVERYWHERE:
        return "localhost"
    bare = host.strip("[]").lower()
    return bare if is_hostname(bare) else address


def _machine_names(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return the name by which other machines reach a server that listens on all addresses, as far as it is known."""
    name = socket.gethostname()
    return (name,) if addresses[0] in _EVERYWHERE and is_hostname(name) else ()


def settings_of(options: ServeOptions, addresses: Sequence[str], state: Path | None = None) -> dict[str, Any]:
    """Return the checked fields of Settings, for a server on these addresses. Raises StartupError.

    `state`: the directory of its state, None for memory alone.
    """
    name = _own_name(options.host, addresses[0])
    _check_leases(options)
    auth = auth_of(options)
    pools = [pool for pool, _ in options.pool]
    if twice := next((pool for pool in pools if pools.count(pool) > 1), None):
        raise StartupError(f"--pool {twice} is given twice: name all its clusters at once, as in --pool {twice}=C1,C2")
    outputs = options.run_output
    settings = {
        "dialect": options.dialect,
        "org": options.org or None,
        "ingress": options.ingress,
        "base_domain": options.base_domain,
        "ingress_host": options.ingress_host or name,
        "ingress_scheme": options.ingress_scheme or ("https" if options.tls or options.tls_cert else "http"),
        "ingress_port": options.ingress_port,
        "own_hosts": (*options.allow_host, name, *_machine_names(addresses)),
        "data_plane": data_plane_of(options),
        "processes": processes_of(options, addresses, state),
        "pools": dict(options.pool),
        "lease_seconds": options.lease_seconds,
        "report_seconds": options.report_seconds,
        "kubernetes": options.kubernetes,
        "write_seconds": options.write_seconds,
        "missing_secrets": options.missing_secret,
        "artifacts": dict(options.artifact),
        "run_outputs": {run: [value for other, value in outputs if other == run] for run, _ in outputs},
        "app_scenarios": dict(options.app_scenario),
        "scenarios": [str(each.absolute()) for each in options.scenarios],
        "seed": options.seed,
        "clock": options.clock,
        "speed": options.speed,
        "start_time": options.start_time,
        "call_log": _calls_kept(options),
        "state": str(state) if state is not None else None,
        "state_sync": options.state_sync,
        "time_between": options.time_between,
        "auth": asdict(auth) if auth is not None else None,
    }
    try:
        Settings(**settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise StartupError(str(error)) from None
    return settings


def _check_leases(options: ServeOptions) -> None:
    """Check that no option needs clusters that lease apps, where the dialect has none. Raises StartupError."""
    dialect = name_of(options.dialect)
    if DIALECTS[dialect].leases:
        return
    given = {
        "--run": options.run,
        f"--data-plane {options.data_plane}": options.data_plane not in (None, "simulated"),
        **{f"--pool {pool}={','.join(clusters)}": True for pool, clusters in options.pool},
    }
    if wrong := next((option for option, is_given in given.items() if is_given), None):
        raise StartupError(no_leases(wrong, dialect))


def data_plane_of(options: ServeOptions) -> DataPlane:
    """Return what runs apps. Raises StartupError for --run beside another data plane."""
    if options.run and options.data_plane not in (None, "processes"):
        raise StartupError(f"--run is --data-plane processes: remove it, or remove --data-plane {options.data_plane}")
    return "processes" if options.run else options.data_plane or "simulated"


def processes_of(options: ServeOptions, addresses: Sequence[str], state: Path | None = None) -> dict[str, Any] | None:
    """Return the fields of Processes, None where no app really runs. Raises StartupError."""
    if data_plane_of(options) != "processes":
        given = (
            ("--python", options.python), ("--secret", options.secret), ("--env-file", options.env_file),
            ("--app-directory", options.app_directory), ("--show-logs", options.show_logs),
        )  # fmt: skip
        if wrong := next((name for name, value in given if value), None):
            raise StartupError(f"{wrong} is for apps that really run: add --run")
        return None
    if options.clock != "realtime":
        raise StartupError(f"--run runs apps in real time: remove --clock {options.clock}")
    for library in ("aiohttp", "psutil", "dotenv"):
        if importlib.util.find_spec(library) is None:
            raise StartupError(f"--run needs {library}: pip install 'flyteapps[run]'")
    guarded = options.auth is not None or options.auth_issuer is not None
    if not (guarded or is_loopback(addresses[0])):
        raise StartupError(
            f"--run with --host {options.host} would let everyone who can reach this machine run programs on it as "
            "you: add --auth, or listen on this machine alone"
        )
    secrets = dict(pair for file in options.env_file for pair in _secrets_in(file))
    return {
        "python": str(options.python.absolute()) if options.python is not None else None,
        "directory": _app_directory(options, state),
        "secrets": {**secrets, **dict(options.secret)},
    }


def _secrets_in(file: Path) -> list[tuple[str, str]]:
    from dotenv import dotenv_values

    try:
        with file.open(encoding="utf-8") as stream:
            values = dotenv_values(stream=stream, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StartupError(f"--env-file {file}: can't be read: {why}") from None
    if wrong := next((key for key, value in values.items() if value is None), None):
        raise StartupError(f"--env-file {file}: {wrong} has no value: write {wrong}=VALUE")
    return [(key, value) for key, value in values.items() if value is not None]


def _app_directory(options: ServeOptions, state: Path | None) -> str | None:
    """Return the directory of apps, None for a temporary one. Raises StartupError."""
    if options.app_directory is not None:
        directory = options.app_directory.absolute()
    elif state is not None:
        return str(state / APPS)
    elif not options.port:
        return None
    else:
        try:
            directory = state_folder() / f"run-{options.port}"
        except ValueError as error:
            raise StartupError(f"{error}, or give --app-directory") from None
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartupError(f"--app-directory {directory}: can't be made: {error.strerror}") from None
    from flyteapps_fake.directory.errors import DirectoryInUse
    from flyteapps_fake.processes.directories import check_unused

    try:
        check_unused(directory)
    except DirectoryInUse as in_use:
        raise StartupError(str(in_use)) from None
    return str(directory)


def auth_of(options: ServeOptions) -> Auth | None:
    """Return the settings of authentication, None without it. Raises StartupError."""
    if options.auth is None and options.auth_issuer is None:
        given = (("--auth-approve", options.auth_approve), ("--auth-audience", options.auth_audience))
        if wrong := next((name for name, value in given if value is not None), None):
            raise StartupError(
                f"{wrong} is for a server that authenticates: add --auth demo, --auth FILE or --auth-issuer"
            )
        return None
    for library in ("authlib", "joserfc"):
        if importlib.util.find_spec(library) is None:
            raise StartupError(f"--auth needs {library}: pip install 'flyteapps[auth]'")
    try:
        auth = Auth() if options.auth is None else _auth_named(options.auth)
        if options.auth_issuer is not None:
            if options.auth_audience is None:
                raise StartupError("--auth-issuer needs --auth-audience: name the audience that its tokens have")
            others = auth.others or ("contributor" if options.auth is None else None)
            auth = replace(auth, provider=options.auth_issuer, audience=options.auth_audience, others=others)
        elif options.auth_audience is not None:
            auth = replace(auth, audience=options.auth_audience)
        if options.auth_approve is not None:
            first = auth.users[0].subject if auth.users else ""
            auth = replace(auth, approve=options.auth_approve or first)
    except ValueError as error:
        raise StartupError(f"--auth: {error}") from None
    return auth


def _auth_named(name: str) -> Auth:
    if name == "demo":
        return Auth.demo()
    from flyteapps_fake.auth.file import read_auth

    return read_auth(Path(name))


def with_issuer(settings: dict[str, Any], url: str) -> dict[str, Any]:
    """Return the settings with the server's URL as the issuer of its tokens, unless one is configured."""
    auth = settings.get("auth")
    if auth is None or auth["issuer"] is not None:
        return settings
    return {**settings, "auth": {**auth, "issuer": url}}


def _calls_kept(options: ServeOptions) -> int:
    """Return how many recorded calls are kept."""
    if options.call_log_size is not None:
        return options.call_log_size
    return CALLS if options.call_log is not None else 0


def call_log_of(options: ServeOptions) -> str | None:
    """Return the path of the file of calls, None without one. Raises StartupError where it can't be written."""
    if options.call_log is None:
        return None
    if not _calls_kept(options):
        raise StartupError("--call-log needs recorded calls: remove --call-log-size 0, or remove --call-log")
    path = options.call_log.absolute()
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        message = f"--call-log {options.call_log}: can't be written: {error.strerror}; choose another file"
        raise StartupError(message) from None
    return str(path)


def check_seed_file(options: ServeOptions, settings: dict[str, Any]) -> None:
    """Check the file that fills the plane, on another plane. Raises InvalidFile.

    The server's plane may be in another process, whose errors are no messages for users.
    """
    if options.seed_file is None:
        return
    from flyteapps_fake.core.plane import Plane
    from flyteapps_fake.seeding.files import fill

    try:
        fill(Plane(Settings(**settings)), options.seed_file)
    except ValueError as error:
        raise InvalidFile(f"--seed-file {error}") from None


def limits_of(options: ServeOptions) -> dict[str, Any]:
    """Return the checked fields of Limits. Raises StartupError."""
    limits = {
        "streams": options.max_streams,
        "streams_per_connection": options.max_streams_per_connection,
        "request_seconds": options.request_timeout,
    }
    try:
        Limits(**limits)  # type: ignore[arg-type]
        for origin in options.cors_origin:
            check_origin(origin)
    except ValueError as error:
        raise StartupError(str(error)) from None
    return limits


def certificate_of(options: ServeOptions) -> Certificate | None:
    """Return the certificate to serve TLS with, or None for plaintext. Raises StartupError."""
    cert, key = options.tls_cert, options.tls_key
    if (cert is None) != (key is None):
        missing, other = ("--tls-cert", "--tls-key") if cert is None else ("--tls-key", "--tls-cert")
        raise StartupError(f"{other} needs {missing}: give the certificate and its key, or use --tls self-signed")
    if options.tls and cert:
        raise StartupError("--tls self-signed makes a certificate: remove --tls-cert and --tls-key, or remove --tls")
    if not options.tls and not cert:
        return None
    from flyteapps_fake.servers.certificates import given, self_signed

    try:
        if cert is not None and key is not None:
            return given(cert, key)
        names = [options.host, *options.allow_host, *filter(None, [options.base_domain, options.ingress_host])]
        return self_signed(_covered(names))
    except ValueError as error:
        raise StartupError(str(error)) from None
    except OSError as error:
        where = error.filename or "its folder"
        message = (
            f"--tls self-signed: {where} can't be written: {error.strerror}; make it writable, or set XDG_STATE_HOME "
            "to a writable folder"
        )
        raise StartupError(message) from None


def _covered(names: Sequence[str]) -> list[str]:
    """Return the names for a self-signed certificate: this machine, the given names, and all names below them."""
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


def open_sockets(options: ServeOptions, addresses: Sequence[str], server: str) -> Sockets:
    """Return the sockets of both ports; warn about other programs on them. Raises StartupError."""
    port, console_port = options.port, options.console_port
    if port and port == console_port:
        raise StartupError(f"--port and --console-port are both {port}: give the console another port")
    if options.no_console and console_port is not None:
        raise StartupError("--console-port is the port of the console, which --no-console leaves out: remove one")
    # Envoy binds its own sockets, and only sockets that don't listen leave it the port
    api = _sockets(addresses, port, "--port", listening=server == "portable")
    port = api[0].getsockname()[1]
    host = shown(addresses)
    if other := shadow(addresses, port):
        host = bracketed("127.0.0.1" if addresses[0] == "0.0.0.0" else addresses[0])
        warn(
            f"another program has port {port} of {other}, which clients may try first for localhost: "
            f"use {host}:{port} for this server, or choose another --port"
        )
    console: list[socket.socket] = []
    if console_port is not None:
        console = _sockets(addresses, console_port, "--console-port", listening=True)
    elif not options.no_console and port != DEFAULT_CONSOLE_PORT:
        try:
            console = listening_sockets(addresses, DEFAULT_CONSOLE_PORT)
        except OSError:
            warn(no_console(port))
    return Sockets(host, api, console)


def _sockets(addresses: Sequence[str], port: int, option: str, *, listening: bool) -> list[socket.socket]:
    try:
        return (listening_sockets if listening else bound_sockets)(addresses, port)
    except AddressTaken as taken:
        raise StartupError(taken_port(taken, option, addresses)) from None
    except OSError as error:
        message = f"can't listen on {addresses[0]}, port {port}: {error.strerror}; choose another --host or {option}"
        raise StartupError(message) from None


def config_of(
    options: ServeOptions,
    settings: dict[str, Any],
    limits: dict[str, Any],
    addresses: tuple[str, ...],
    sockets: Sockets,
    certificate: Certificate | None,
) -> ServeConfig:
    """Return the configuration of the server."""
    port: int = sockets.api[0].getsockname()[1]
    guarded = settings.get("auth") is not None
    return ServeConfig(
        addresses=addresses,
        port=port,
        console_port=sockets.console[0].getsockname()[1] if sockets.console else None,
        console=not options.no_console,
        log_format=options.log_format,
        quiet=options.quiet,
        control_api=guarded or is_loopback(addresses[0]) if options.control is None else options.control,
        call_log=call_log_of(options),
        seed_file=str(options.seed_file.absolute()) if options.seed_file is not None else None,
        interpreter=sys.executable,
        show_logs=options.show_logs,
        settings=with_issuer(settings, f"{'https' if certificate else 'http'}://{sockets.host}:{port}"),
        tls_cert=str(certificate.cert) if certificate else None,
        tls_key=str(certificate.key) if certificate else None,
        hosts=tuple(options.allow_host),
        origins=tuple(options.cors_origin),
        limits=limits,
    )


def check_ingress(options: ServeOptions, console: Sequence[socket.socket]) -> None:
    """Check that apps that really run answer by host name or path where their URLs say so. Raises StartupError."""
    if data_plane_of(options) == "processes" and options.ingress in ("host", "path") and not console:
        why = "--no-console leaves out" if options.no_console else "another program has"
        advice = (
            "remove one of these" if options.no_console else "choose another by --console-port, or remove --ingress"
        )
        raise StartupError(f"--ingress {options.ingress} with --run needs the console's port, which {why}: {advice}")


def warn_if_open(options: ServeOptions, addresses: Sequence[str]) -> None:
    """Warn if other machines can reach the server, and everyone may use it."""
    host = options.host
    if is_loopback(addresses[0]):
        return
    if options.auth is None and options.auth_issuer is None:
        warn(
            f"the server listens on {host}: everyone who can reach this machine can read and change its apps, since "
            "there are no passwords; --host 127.0.0.1 restricts it to this machine, --auth to known callers"
        )
