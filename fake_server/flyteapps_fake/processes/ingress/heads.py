"""The heads of requests and responses, as bytes: which headers are passed, and which are added. No IO.

A header is passed as it was received, in its order, case and number. Those that concern one connection alone (RFC 9110,
7.6.1) are not, nor are trailers, which aiohttp's parsers drop.
"""

from __future__ import annotations

from collections.abc import Iterable

CONNECTION_FIELDS = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers of one connection, which are never passed."""
FORWARDED_FIELDS = frozenset(
    {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-proto"}
)
"""Headers that the ingress extends or adds."""
NEEDED_FIELDS = frozenset({b"content-length", b"host"})
"""Headers that a Connection header can't remove."""
_KNOWN = frozenset({*NEEDED_FIELDS, b"accept", b"authorization", b"expect"})
_HELD_BACK = CONNECTION_FIELDS | FORWARDED_FIELDS
_NOTED = _HELD_BACK | _KNOWN
_USUAL_TOKENS = frozenset({b"keep-alive", b"close", b"upgrade", b""})


class Fields:
    """The headers of a message: `lines` of those that are passed, and the values of those that the ingress reads."""

    __slots__ = ("_values", "lines")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]], held_back: frozenset[bytes] = _HELD_BACK) -> None:
        self.lines: list[bytes] = []
        self._values: dict[bytes, list[bytes]] = {}
        lines, values = self.lines, self._values
        for name, value in raw:
            low = name.lower()
            if low in _NOTED:
                values.setdefault(low, []).append(value)
                if low in held_back:
                    continue
            lines.append(name + b": " + value)
        if b"connection" in values:
            self._remove_named()

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header that is noted, by its name in lower case."""
        return self._values.get(name, [])

    def value(self, name: bytes) -> bytes:
        """Return the values of a header as one, b"" where it is missing."""
        found = self._values.get(name)
        return b"" if found is None else found[0] if len(found) == 1 else b", ".join(found)

    def has(self, name: bytes) -> bool:
        """Return whether there is such a header, of those that are noted."""
        return name in self._values

    def tokens(self, name: bytes) -> set[bytes]:
        """Return the parts of a header that is a list, in lower case."""
        return {part.strip().lower() for part in self.value(name).split(b",")}

    def asks_for_websocket(self) -> bool:
        """Return whether a request, or a response with status 101, is about the switch to WebSocket."""
        return (
            b"upgrade" in self._values
            and self.value(b"upgrade").lower() == b"websocket"
            and b"upgrade" in self.tokens(b"connection")
        )

    def _remove_named(self) -> None:
        """Remove what the Connection header names."""
        named = self.tokens(b"connection") - _USUAL_TOKENS - NEEDED_FIELDS
        if named:
            self.lines = [line for line in self.lines if line.partition(b":")[0].lower() not in named]


class Client:
    """The client's side of a connection, as X-Forwarded-* state it."""

    __slots__ = ("address", "port", "scheme")

    def __init__(self, address: str, port: int, scheme: str) -> None:
        self.address = address.encode()
        self.port = b"%d" % port
        self.scheme = scheme.encode()


def forwarded(fields: Fields, client: Client, host: bytes, prefix: bytes) -> list[bytes]:
    """Return the lines of X-Forwarded-*: the client's address is appended, others are kept where a proxy set them."""
    before = fields.value(b"x-forwarded-for")
    lines = [b"X-Forwarded-For: " + (before + b", " + client.address if before else client.address)]
    lines.append(b"X-Forwarded-Proto: " + (fields.value(b"x-forwarded-proto") or client.scheme))
    lines.append(b"X-Forwarded-Host: " + (fields.value(b"x-forwarded-host") or host))
    lines.append(b"X-Forwarded-Port: " + (fields.value(b"x-forwarded-port") or client.port))
    whole = fields.value(b"x-forwarded-prefix") + prefix
    if whole:
        lines.append(b"X-Forwarded-Prefix: " + whole)
    return lines


def response_fields(raw: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return the headers of a response; X-Forwarded-* mean nothing there and are passed."""
    return Fields(raw, CONNECTION_FIELDS)


def head(first: bytes, lines: list[bytes]) -> bytes:
    """Return the head of a message. Raises ValueError for a line break in a header, which would add one."""
    block = b"\r\n".join((first, *lines))
    if block.count(b"\n") != len(lines) or block.count(b"\r") != len(lines):
        raise ValueError("a header contains a line break")
    return block + b"\r\n\r\n"
