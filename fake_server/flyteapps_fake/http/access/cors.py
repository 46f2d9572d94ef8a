"""The headers that let a browser's page read an answer (CORS). The host policy decides which pages may.

Starlette's middleware would do the same; it would be a dependency for these headers.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyteapps_fake.http.protocol.wire import NO_SNIFF, HeaderList, Send

CORS_SECONDS = 7_200
"""Time that a browser may cache the answer to a preflight request, the longest that Chromium accepts."""


def cors_headers(origin: bytes) -> HeaderList:
    """Return the headers of every answer to a page of an allowed origin: it may read all headers, trailers included."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]


async def preflight(send: Send, headers: Mapping[bytes, bytes]) -> None:
    """Answer a preflight request: a page of an allowed origin may send every request."""
    answer: HeaderList = [
        (b"access-control-allow-methods", b"GET, POST, PUT"),
        (b"access-control-max-age", b"%d" % CORS_SECONDS),
        (b"access-control-allow-private-network", b"true"),
        NO_SNIFF,
    ]
    wanted = headers.get(b"access-control-request-headers")
    if wanted:
        answer.append((b"access-control-allow-headers", wanted))
    await send({"type": "http.response.start", "status": 204, "headers": answer, "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
