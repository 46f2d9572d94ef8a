"""The certificate that a plane shows, for libraries that verify always: what is seen first is what is trusted."""

from __future__ import annotations

import ssl

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.endpoint import Endpoint

SECONDS = 10.0
"""What one handshake may take."""


def shown_by(endpoint: Endpoint) -> bytes:
    """The certificate of the endpoint, as PEM. Raises ConnectError where none can be had."""
    try:
        return ssl.get_server_certificate((endpoint.host, endpoint.effective_port), timeout=SECONDS).encode()
    except OSError as error:
        raise ConnectError(Code.UNAVAILABLE, str(error)) from error
