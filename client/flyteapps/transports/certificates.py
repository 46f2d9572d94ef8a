"""The certificates that a plane presents, for libraries that always verify: these are then trusted."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.endpoint import Endpoint

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
