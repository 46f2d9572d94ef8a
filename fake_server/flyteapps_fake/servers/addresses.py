"""The addresses that a server listens on, and other programs on its ports. No socket stays bound here."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from flyteapps_fake.servers.config import DEFAULT_CONSOLE_PORT, DEFAULT_PORT
from flyteapps_fake.servers.listener import LOOPBACKS, AddressTaken, is_taken, loopbacks

LOCALHOST = "localhost"
_EVERYWHERE = ("0.0.0.0", "::")


def resolve(host: str) -> tuple[str, ...]:
    """Return the addresses of `host`, since Envoy listens on addresses alone. Raises OSError."""
    name = host.strip("[]")
    if name.lower() == LOCALHOST:
        return loopbacks()
    found = socket.getaddrinfo(name or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return (str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0]),)


def shown(addresses: Sequence[str]) -> str:
    """Return the host for clients of this machine."""
    first = addresses[0]
    if first in ("127.0.0.1", *_EVERYWHERE):
        return LOCALHOST
    return bracketed(first)


def bracketed(address: str) -> str:
    """Return the address as a URL's host."""
    return f"[{address}]" if ":" in address else address


def shadow(addresses: Sequence[str], port: int) -> str | None:
    """Return a loopback address whose port another program has, so that `localhost` may lead to it; else None."""
    if not any(each in LOOPBACKS or each in _EVERYWHERE for each in addresses):
        return None
    others = (each for each in LOOPBACKS if each not in addresses and "::" not in addresses)
    if addresses[0] == "0.0.0.0":
        others = iter(("::1",))
    return next((each for each in others if is_taken(each, port)), None)


def taken_port(taken: AddressTaken, option: str, addresses: Sequence[str]) -> str:
    """Return the message for a port that is taken."""
    next_one = taken.port % 65_535 + 1
    also = ""
    if len(addresses) > 1 and taken.address != addresses[0]:
        also = ", where localhost leads, too"
    return (
        f"port {taken.port} of {taken.address} is taken by another program{also}; "
        f"choose another by {option}, such as {option} {next_one}"
    )


def no_console(port: int) -> str:
    """Return the message for a console whose usual port is taken."""
    message = f"port {DEFAULT_CONSOLE_PORT} is taken by another program, so the console's pages are on port {port}"
    if port == DEFAULT_PORT:
        return f"{message}: in links that the SDK prints, put {port} for {DEFAULT_CONSOLE_PORT}"
    return f"{message}, where the links lead that the SDK prints"


def loopback_of(address: str) -> str:
    """Return the address by which this machine reaches a server that listens on one, such as 0.0.0.0."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
