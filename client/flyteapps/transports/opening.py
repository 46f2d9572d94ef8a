"""The choice of a transport by a client's options, with the checks of options that depend on one another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.transports.transport import Transport

if TYPE_CHECKING:
    from flyteapps.transports.certificates import ClientCertificate
    from flyteapps.transports.proxies import Proxy


def open_transport(
    endpoint: Endpoint,
    protocol: str,
    http_version: str | None,
    ca_cert: str | os.PathLike[str] | bytes | None,
    skip_verify: bool,
    client_cert: ClientCertificate | None = None,
) -> Transport:
    """Return the transport to the endpoint, not connected yet. Raises ConfigError for options that exclude another."""
    if protocol not in ("connect", "grpc", "grpcio"):
        raise ConfigError(f'protocol={protocol!r}: "connect", "grpc" or "grpcio"')
    if http_version not in (None, "1.1", "2"):
        raise ConfigError(f'http_version={http_version!r}: "1.1" or "2"')
    if protocol != "connect" and http_version == "1.1":
        raise ConfigError(f'protocol={protocol!r} needs http_version="2"')
    if not endpoint.secure and (ca_cert is not None or skip_verify or client_cert is not None):
        raise ConfigError(
            f"{endpoint.url} is without TLS: ca_cert, client_cert and insecure_skip_verify have no meaning there"
        )
    certificates = authorities(ca_cert)
    skip_verify = skip_verify and certificates is None  # an explicit authority takes precedence, as in the SDK
    http2 = protocol != "connect" or http_version == "2"
    proxy = None if endpoint.is_loopback else _proxy(endpoint, protocol, http2, skip_verify)
    if protocol == "grpcio":
        from flyteapps.transports.grpcio import GrpcioTransport

        return GrpcioTransport(endpoint, certificates, skip_verify, proxy, client_cert)
    from flyteapps.transports.connect import ConnectTransport

    return ConnectTransport(endpoint, protocol == "grpc", http_version, certificates, skip_verify, proxy, client_cert)


def authorities(ca_cert: str | os.PathLike[str] | bytes | None) -> bytes | None:
    """Return the certificates to trust, as PEM, None for the system's. Raises ConfigError."""
    certificates = ca_cert if ca_cert is None or isinstance(ca_cert, bytes) else _read(ca_cert)
    if certificates is not None:
        _check(certificates)
    return certificates


def _proxy(endpoint: Endpoint, protocol: str, http2: bool, skip_verify: bool) -> Proxy | None:
    """Return the proxy that the environment names. Raises ConfigError where this protocol can't go through it."""
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
