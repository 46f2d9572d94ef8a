"""Host names: which text is one, and which of them lead to this machine or are an address.

ASCII alone: a Kelvin sign, say, is no K, whatever lower() makes of it.
"""

from __future__ import annotations

import ipaddress
import re

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ONE_LABEL = re.compile(rf"{_LABEL}\Z")
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\Z")


def is_hostname(name: str) -> bool:
    """Return whether `name` is a DNS name, of one label or more."""
    return _NAME.match(name) is not None


def is_label(name: str) -> bool:
    """Return whether `name` is one label of a DNS name."""
    return _ONE_LABEL.match(name) is not None


def is_address(name: str) -> bool:
    """Return whether clients read a DNS name as an IPv4 address: 127.0.0.1, 127.1 and 0x7f000001 are no names."""
    return _ENDS_IN_A_NUMBER.match(name) is not None


def is_loopback(host: str) -> bool:
    """Return whether it is this machine: localhost, *.localhost, 127.0.0.0/8, ::1. `host`: without port, brackets."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
