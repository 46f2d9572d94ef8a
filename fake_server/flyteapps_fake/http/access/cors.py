"""What a browser wants to hear before a page may read an answer (CORS). Who may is the guard's business.

Starlette's middleware would do the same; it would be a dependency for these headers.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyteapps_fake.http.protocol.wire import HeaderList, Send

CORS_SECONDS = 7_200
"""How long a browser may remember what it was allowed, the longest that Chromium takes."""


def cors_headers(origin: bytes) -> HeaderList:
    """What every answer to a page of an allowed origin carries: the page may read it, trailers' headers included."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]


async def preflight(send: Send, headers: Mapping[bytes, bytes]) -> None:
    """Answers the question before a page's request: all that a page of an allowed origin may do, it may."""
    answer: HeaderList = [
        (b"access-control-allow-methods", b"GET, POST, PUT"),
        (b"access-control-max-age", b"%d" % CORS_SECONDS),
        (b"access-control-allow-private-network", b"true"),
    ]
    wanted = headers.get(b"access-control-request-headers")
    if wanted:
        answer.append((b"access-control-allow-headers", wanted))
    await send({"type": "http.response.start", "status": 204, "headers": answer, "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
