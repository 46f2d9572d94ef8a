"""Client: one plane, with the settings of the calls to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeAlias

from connectrpc.errors import ConnectError

from flyteapps.apps import Apps
from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError, Error
from flyteapps.flows.operations import Open, Unary
from flyteapps.retries import Retries, Waits
from flyteapps.settings import Settings
from flyteapps.support.durations import limit
from flyteapps.support.lazy import lazy
from flyteapps.support.secret import checked_headers, hidden
from flyteapps.transports.transport import Transport

if TYPE_CHECKING:
    from flyteapps.config import Config
    from flyteapps.console import Console
    from flyteapps.drivers.awaiting import AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver
    from flyteapps.transports.proxies import Proxy

Protocol: TypeAlias = Literal["connect", "grpc", "grpcio"]

IN_PROCESS = "in process"


class Client:
    """A client of one control plane, for threads and event loops alike.

    `endpoint`: `host:port`, `dns:///host:port`, `http(s)://host:port`. Without a scheme the connection is by TLS unless
    `insecure`. `org`, `project`, `domain`: defaults of all calls. `ca_cert`: a PEM file, or its bytes, to trust instead
    of the system's. `insecure_skip_verify`: trusts the certificate that the plane shows first. `headers`: sent along
    with every call. `timeout`: seconds for a whole call with its repetitions, None for none. `retries`: a Retries, or
    how many attempts at most. `waits`: how waits behave. `protocol`: "connect" or "grpc", both by connectrpc, or
    "grpcio", by grpcio (extra grpc). `http_version`: "1.1" or "2"; gRPC needs 2. `transport`: another way to a plane,
    instead of an endpoint, such as `plane.transport()`. `console_endpoint`: where the
    console is, if not where the endpoint says.

    Raises ConfigError for what can't be meant. Nothing is connected before the first call; connections are closed by
    `close` or `aclose`, or by the `with` of either kind.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        insecure: bool | None = None,
        insecure_skip_verify: bool = False,
        ca_cert: str | os.PathLike[str] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 30.0,
        retries: int | Retries | None = None,
        waits: Waits | None = None,
        protocol: Protocol = "connect",
        http_version: str | None = None,
        transport: Transport | None = None,
        console_endpoint: str | None = None,
    ) -> None:
        headers = hidden(headers)  # first of all: no traceback from here shows a value
        if (endpoint is None) == (transport is None):
            raise ConfigError('give either an endpoint, such as "localhost:8090", or a transport')
        if waits is not None and not isinstance(waits, Waits):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"waits={waits!r} should be a flyteapps.Waits, such as Waits(timeout=60)")
        where = Endpoint.parse(endpoint, insecure) if endpoint is not None else None
        self.settings = Settings(
            endpoint=where.url if where else IN_PROCESS,
            org=_text(org, "org"),
            project=_text(project, "project"),
            domain=_text(domain, "domain"),
            timeout=limit(timeout, "timeout"),
            headers=checked_headers(headers),
            retries=Retries.of(retries),
            waits=waits or Waits(),
        )
        if transport is not None:
            self.transport = transport
        else:
            assert where is not None
            self.transport = _transport(where, protocol, http_version, ca_cert, insecure_skip_verify)
        self._console = endpoint or "localhost:8090", where is None or not where.secure, console_endpoint
        self._told: set[str] = set()
        self.apps = Apps(self)

    @classmethod
    def from_config(
        cls, config: Config, *, org: str | None = None, project: str | None = None, domain: str | None = None
    ) -> Self:
        """A client as a configuration says; arguments win over it. Raises ConfigError where it names no endpoint."""
        if not config.endpoint:
            where = f"{config.source} has no" if config.source else "no configuration file was found, so there is no"
            raise ConfigError(f"{where} admin.endpoint; set it there, or by the variable FLYTE_ADMIN_ENDPOINT")
        tls = Endpoint.parse(config.endpoint, config.insecure).secure  # without, the SDK ignores certificates, too
        return cls(
            config.endpoint,
            org=org or config.org,
            project=project or config.project,
            domain=domain or config.domain,
            insecure=config.insecure,
            insecure_skip_verify=config.insecure_skip_verify and tls,
            ca_cert=config.ca_cert_file_path if tls else None,
            console_endpoint=config.console_endpoint,
        )

    @lazy
    def _blocking(self) -> BlockingDriver:
        from flyteapps.drivers.blocking import BlockingDriver

        return BlockingDriver(self.transport, self._translated)

    @lazy
    def _awaiting(self) -> AwaitingDriver:
        from flyteapps.drivers.awaiting import AwaitingDriver

        return AwaitingDriver(self.transport, self._translated)

    @lazy
    def console(self) -> Console:
        """Links to the console of this plane."""
        from flyteapps import console as pages

        return pages.Console(*self._console)

    def _translated(self, error: ConnectError, operation: Unary | Open) -> Error:
        from flyteapps.transports.errors import error_of

        return error_of(error, operation, self.settings.endpoint)

    def close(self) -> None:
        """Closes the connections of blocking calls. Streams that are open stay; another call opens a new connection."""
        close: Any = getattr(self.transport, "close", None)
        if close is not None:
            close()

    async def aclose(self) -> None:
        """Closes the connections of all calls, in the event loop that made them. Otherwise as `close`."""
        close: Any = getattr(self.transport, "aclose", None)
        if close is not None:
            await close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _hint(self) -> str:
        """What the transport says about its plane's time, "" where that runs by itself."""
        return getattr(self.transport, "hint", "")

    def _tell(self, what: str) -> None:
        """Logs a warning about this plane, by the logger `flyteapps`; the same one once."""
        if what not in self._told:
            self._told.add(what)
            import logging

            logging.getLogger("flyteapps").warning("%s: %s", self.settings.endpoint, what)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client can be neither pickled nor copied, as it holds the connections of its process: make one in each "
            "process, and pass names, messages, or App handles, which use the default client of the process they get to"
        )

    def __repr__(self) -> str:
        settings: Settings | None = getattr(self, "settings", None)
        if settings is None:
            return "Client(...)"  # in a traceback of its own constructor
        scope = "".join(
            f", {name}={value!r}"
            for name, value in (("org", settings.org), ("project", settings.project), ("domain", settings.domain))
            if value
        )
        return f"Client({settings.endpoint!r}{scope})"


def _transport(
    endpoint: Endpoint,
    protocol: str,
    http_version: str | None,
    ca_cert: str | os.PathLike[str] | bytes | None,
    skip_verify: bool,
) -> Transport:
    if protocol not in ("connect", "grpc", "grpcio"):
        raise ConfigError(f'protocol={protocol!r}: "connect", "grpc" or "grpcio"')
    if http_version not in (None, "1.1", "2"):
        raise ConfigError(f'http_version={http_version!r}: "1.1" or "2"')
    if protocol != "connect" and http_version == "1.1":
        raise ConfigError(f'protocol={protocol!r} needs http_version="2"')
    if not endpoint.secure and (ca_cert is not None or skip_verify):
        raise ConfigError(f"{endpoint.url} is without TLS: ca_cert and insecure_skip_verify have no meaning there")
    certificates = ca_cert if ca_cert is None or isinstance(ca_cert, bytes) else _read(ca_cert)
    if certificates is not None:
        _check(certificates)
    skip_verify = skip_verify and certificates is None  # an authority that is named is worth more, as in the SDK
    http2 = protocol != "connect" or http_version == "2"
    proxy = None if endpoint.is_loopback else _proxy(endpoint, protocol, http2, skip_verify)
    if protocol == "grpcio":
        from flyteapps.transports.grpcio import GrpcioTransport

        return GrpcioTransport(endpoint, certificates, skip_verify, proxy)
    from flyteapps.transports.connect import ConnectTransport

    return ConnectTransport(endpoint, protocol == "grpc", http_version, certificates, skip_verify, proxy)


def _proxy(endpoint: Endpoint, protocol: str, http2: bool, skip_verify: bool) -> Proxy | None:
    """The proxy that the environment asks for. Raises ConfigError where this way can't go through it."""
    from flyteapps.transports.proxies import proxy_of

    proxy = proxy_of(endpoint, os.environ)
    if proxy is None:
        return None
    where = f"variable {proxy.variable} asks for a proxy of the kind {proxy.scheme}"
    around = f"or set no_proxy={endpoint.host}"
    if protocol == "grpcio" and proxy.scheme != "http":
        raise ConfigError(f'{where}, and grpcio knows http:// alone: use protocol="grpc" or "connect", {around}')
    if protocol != "grpcio" and http2 and not endpoint.secure and not proxy.scheme.startswith("socks"):
        raise ConfigError(
            f'{where}, which HTTP/2 without TLS doesn\'t pass: use https://, or HTTP/1.1 (protocol="connect"), {around}'
        )
    if skip_verify:
        raise ConfigError(
            f"{where}, through which insecure_skip_verify can't see the plane's certificate: give it by ca_cert, "
            f"{around}"
        )
    return proxy


def _text(value: object, what: str) -> str:
    """A string; None is an empty one. Raises ConfigError."""
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{what}={value!r} should be a string, and is a {type(value).__name__}")
    return value or ""


def _read(path: str | os.PathLike[str]) -> bytes:
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(f"ca_cert={path!r} should be the path of a PEM file, or its bytes")
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"ca_cert: {os.fspath(path)} can't be read: {error.strerror}") from error


def _check(certificates: bytes) -> None:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"ca_cert: holds no certificates in PEM ({error})") from error
