"""Host and Origin are parsed in one way, strictly: what browsers and proxies disagree about is refused."""

from __future__ import annotations

import asyncio
import socket

import pytest

from flyteapps_fake.console.pages import pages
from flyteapps_fake.http.access.host_policy import HostPolicy, check_origin, parse_authority, parse_origin

from .asgi_calls import calling
from .messages import get
from .server_process import ServerProcess
from .test_edges import GET, PROTO

ODD_AUTHORITIES = [
    "[localhost]evil.example",
    "[::1]evil.example",
    "[::1",
    "[localhost]",
    "[::1%lo]",
    "evil@localhost",
    "evil\\@localhost",
    "localhost:80:90",
    "localhost:x",
    "localhost/evil",
    "localhost evil",
    "localhost\t",
    "localhost,evil.example",
    "localhost%2eevil.example",
    "x" * 300 + ".localhost",
    "::1",
    "",
]
ODD_ORIGINS = [
    r"http://evil.example\@localhost",
    r"http://evil\@localhost",
    "http://evil@localhost",
    "http://evil:x@localhost",
    "//localhost",
    "localhost",
    "http:localhost",
    "http:/localhost",
    "http:///localhost",
    "http://localhost/",
    "http://localhost/evil",
    "http://localhost?x",
    "http://localhost#x",
    "http://[localhost]evil.example",
    "ftp://localhost",
    "file://localhost",
    "javascript://localhost",
    "http://localhost http://evil.example",
    "http://localhost,http://evil.example",
    "null",
    "",
]


@pytest.mark.parametrize("authority", ODD_AUTHORITIES)
def test_an_odd_host_is_none(authority: str) -> None:
    """An authority other than host[:port] is no host of this machine."""
    assert parse_authority(authority) is None
    assert not HostPolicy("127.0.0.1").allows_host(authority)


@pytest.mark.parametrize("authority", ODD_AUTHORITIES[:-1])
def test_an_odd_host_is_none_of_an_exposed_server(authority: str) -> None:
    """A server for other machines answers for every host name, and refuses what is none; HTTP/1.0 may leave it out."""
    policy = HostPolicy("0.0.0.0")
    assert not policy.allows_host(authority)
    assert (
        policy.allows_host("box_1.example:8090") and policy.allows_host("[2001:db8::1]:80") and policy.allows_host("")
    )


@pytest.mark.parametrize("origin", ODD_ORIGINS)
def test_an_odd_origin_is_none(origin: str) -> None:
    """A text other than scheme://host[:port] of HTTP is no origin of this machine, nor of the server's own pages."""
    policy = HostPolicy("127.0.0.1", (), ("https://console.example",))
    for authority in ("localhost", origin.partition("//")[2], origin):
        assert not policy.allows_origin(origin, authority)


def test_equal_origins_are_equal() -> None:
    """Case, a dot at the end and the scheme's own port make no other origin; scheme and port do."""
    policy = HostPolicy("0.0.0.0", (), ("https://Console.Example/",))
    for origin in ("https://console.example", "HTTPS://CONSOLE.example:443", "https://console.example."):
        assert policy.allows_origin(origin, "x")
    for origin in ("http://console.example", "https://console.example:8443", "https://a.console.example"):
        assert not policy.allows_origin(origin, "x")
    assert policy.allows_origin("http://box:8090", "box:8090")
    assert policy.allows_origin("http://box", "BOX:80")
    assert not policy.allows_origin("http://box:8091", "box:8090")


@pytest.mark.parametrize("origin", ["https://console.example", "http://[::1]:3000", "*"])
def test_origins_that_can_be_allowed(origin: str) -> None:
    """--cors-origin takes origins, and * for all."""
    check_origin(origin)
    assert origin == "*" or parse_origin(origin) is not None


@pytest.mark.parametrize("origin", ["console.example", "https://a/b", r"http://a\@b", "https://a@b", "chrome://x"])
def test_origins_that_can_not(origin: str) -> None:
    """An origin that no browser would send is a mistake of the command line."""
    with pytest.raises(ValueError, match="is no origin"):
        check_origin(origin)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([("origin", "http://evil.example"), ("origin", "http://localhost")], "PERMISSION_DENIED"),
        ([("origin", "http://localhost"), ("origin", "http://evil.example")], "PERMISSION_DENIED"),
        ([("origin", "http://localhost"), ("origin", "http://localhost")], "NOT_FOUND"),
        ([("host", "evil.example"), ("host", "localhost")], "PERMISSION_DENIED"),
        ([("host", "localhost"), ("host", "evil.example")], "PERMISSION_DENIED"),
        ([("host", "localhost"), ("host", "localhost")], "NOT_FOUND"),
        ([("cookie", "a"), ("cookie", "b")], "NOT_FOUND"),
        ([("sec-fetch-site", "cross-site")], "PERMISSION_DENIED"),
        ([("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], "PERMISSION_DENIED"),
        ([("sec-fetch-site", "cross-site"), ("origin", "http://localhost:3000")], "NOT_FOUND"),
        ([("sec-fetch-site", "same-origin")], "NOT_FOUND"),
        ([("sec-fetch-site", "none")], "NOT_FOUND"),
    ],
)
def test_headers_that_decide(headers: list[tuple[str, str]], code: str) -> None:
    """Headers that differ are refused, whichever comes first; so is another site that hides its name."""

    async def run() -> None:
        async with calling() as caller:
            message = get("none").SerializeToString()
            for _ in range(2):  # the second one finds what the first left
                assert await caller.code(GET, message, [("content-type", PROTO), *headers]) == code
                assert await caller.code(GET, message, [("content-type", PROTO)]) == "NOT_FOUND"

    asyncio.run(run())


def test_another_site_may_link_to_a_page() -> None:
    """A link from elsewhere leads to a page; an image, a frame's script or a form doesn't; nor where all may."""

    async def run() -> None:
        async with calling(page=pages) as caller:
            for mode, seen in (("navigate", True), ("no-cors", False), ("cors", False)):
                headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode)]
                events = await caller.send("/v2", b"", headers, method="GET")
                assert ("is running here" in str(events)) is seen, mode
        async with calling(host_policy=HostPolicy("127.0.0.1", (), ("*",))) as caller:
            message = get("none").SerializeToString()
            headers = [("content-type", PROTO), ("sec-fetch-site", "cross-site")]
            assert await caller.code(GET, message, headers) == "NOT_FOUND"

    asyncio.run(run())


@pytest.mark.parametrize(
    "fields",
    [
        ("host: [localhost]evil.example",),
        ("host: localhost", "host: evil.example"),
        ("host: localhost", r"origin: http://evil.example\@localhost"),
        ("host: localhost", "origin: //localhost"),
        ("host: localhost", "origin: http://evil.example", "origin: http://localhost"),
        ("host: localhost", "origin: http://localhost", "origin: http://evil.example"),
        ("host: localhost", "sec-fetch-site: cross-site"),
    ],
)
def test_over_sockets(server: ServerProcess, fields: tuple[str, ...]) -> None:
    """Both servers pass on what is to be refused, or refuse it themselves; no origin is echoed."""
    lines = [
        f"POST {GET} HTTP/1.1",
        *fields,
        f"content-type: {PROTO}",
        "content-length: 0",
        "connection: close",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.settimeout(20)
        raw.sendall("\r\n".join(lines).encode())
        received = b""
        while chunk := raw.recv(65_536):
            received += chunk
    assert received.split(b" ", 2)[1] in (b"403", b"400"), received
    assert b"invalid_argument" not in received, "the call was answered"
    assert b"access-control-allow-origin" not in received.lower()
