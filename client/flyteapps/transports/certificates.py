"""Certificates: of authorities, of clients, and those that a plane presents, for libraries that always verify."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any, cast

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError

HANDSHAKE_SECONDS = 10.0
"""The maximum duration of one handshake."""


def shown_by(endpoint: Endpoint) -> bytes:
    """Return the certificates that the endpoint presents, its own and its authorities', as PEM.

    Raises ConnectError if it presents none.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    where = (endpoint.host, endpoint.effective_port)
    try:
        with (
            socket.create_connection(where, HANDSHAKE_SECONDS) as sock,
            context.wrap_socket(sock, server_hostname=endpoint.host) as encrypted,
        ):
            return "".join(ssl.DER_cert_to_PEM_cert(each) for each in _chain(encrypted)).encode()
    except OSError as error:
        raise ConnectError(Code.UNAVAILABLE, str(error)) from error


def _chain(encrypted: Any) -> list[bytes]:
    if hasattr(encrypted, "get_unverified_chain"):  # Python 3.13 and later
        return list(encrypted.get_unverified_chain())
    der = 2  # _ssl.ENCODING_DER: before 3.13 the method is there, and private
    return [each.public_bytes(der) for each in encrypted._sslobj.get_unverified_chain()]


class ClientCertificate:
    """The certificate that a client presents, with its key; `cert` and `key` are their PEM, in one file or two."""

    def __init__(self, paths: object) -> None:
        """Read them. Raises ConfigError."""
        pair = cast("tuple[Any, ...]", paths if isinstance(paths, tuple) else (paths, paths))
        if len(pair) != 2 or not all(isinstance(path, str | os.PathLike) for path in pair):
            raise ConfigError("client_cert should be the path of a PEM file, or a pair of paths: certificate and key")
        self._paths: tuple[str, str] = (os.fsdecode(pair[0]), os.fsdecode(pair[1]))
        self.cert, self.key = (_read(path) for path in self._paths)
        self.add_to(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def add_to(self, context: ssl.SSLContext) -> None:
        """Make a context present it. Raises ConfigError."""
        try:
            context.load_cert_chain(*self._paths, password=b"")  # without a password OpenSSL would prompt for one
        except (ssl.SSLError, OSError, ValueError):
            raise ConfigError(
                f"client_cert: {' and '.join(dict.fromkeys(self._paths))}: should be a certificate and its key in PEM, "
                f"the key without a password"
            ) from None

    def __repr__(self) -> str:
        return f"ClientCertificate{self._paths!r}"


def client_context(
    certificates: bytes | None, skip_verify: bool, client_cert: ClientCertificate | None
) -> ssl.SSLContext:
    """Return the context of HTTP/1.1 connections. `certificates`: authorities instead of the system's."""
    context = ssl.create_default_context(cadata=certificates.decode("latin-1") if certificates else None)
    context.set_alpn_protocols(["http/1.1"])
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert is not None:
        client_cert.add_to(context)
    return context


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"client_cert: {path!r} can't be read: {reason}") from None
