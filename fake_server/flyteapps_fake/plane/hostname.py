"""What a DNS name is. ASCII alone: a Kelvin sign, say, is no K, whatever lower() makes of it."""

from __future__ import annotations

import re

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")


def is_hostname(name: str) -> bool:
    """Whether `name` is a DNS name, of one label or more."""
    return _NAME.match(name) is not None
