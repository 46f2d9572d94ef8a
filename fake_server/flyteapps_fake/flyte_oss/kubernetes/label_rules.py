"""The rules of Kubernetes for names and labels, each with its words; lengths count bytes."""

from __future__ import annotations

import re

MAX_LABEL_BYTES = 63
"""Bytes of a label's value, and of its key without the prefix."""
MAX_SUBDOMAIN_BYTES = 253

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"

TOO_LONG = "must be no more than {} bytes"
NO_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
NO_DNS_1035_LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_DNS_1035}')"
)
NO_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_KEY_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_KEY}')"
)
_WITH_PREFIX = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"

_SUBDOMAIN_PATTERN = re.compile(_SUBDOMAIN)
_DNS_1035_PATTERN = re.compile(_DNS_1035)
_KEY_PATTERN = re.compile(_KEY)
_VALUE_PATTERN = re.compile(_VALUE)


def is_subdomain(text: str) -> bool:
    """Return whether a text consists of DNS labels, which may begin with a digit, with dots between them."""
    return _SUBDOMAIN_PATTERN.fullmatch(text) is not None


def is_dns_1035_label(text: str) -> bool:
    """Return whether a text is one DNS label that begins with a letter."""
    return _DNS_1035_PATTERN.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Return whether a text has the characters of a label's value; its length is another rule."""
    return _VALUE_PATTERN.fullmatch(text) is not None


def is_too_long(text: str) -> bool:
    """Return whether a text has more bytes than a label's value may have."""
    return len(text) > MAX_LABEL_BYTES or len(text.encode()) > MAX_LABEL_BYTES


def is_plain(text: str) -> bool:
    """Return whether a text is a label's value, which a selector's text can contain as it is."""
    return not is_too_long(text) and is_label_value(text)


def value_errors(value: str) -> list[str]:
    """Return what is wrong with a label's value."""
    found = [TOO_LONG.format(MAX_LABEL_BYTES)] if is_too_long(value) else []
    return found if is_label_value(value) else [*found, NO_LABEL_VALUE]


def key_errors(key: str) -> list[str]:
    """Return what is wrong with a label's key, [PREFIX/]NAME."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [f"a valid label key {_KEY_RULE} {_WITH_PREFIX}"]
    found: list[str] = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        if len(prefix.encode()) > MAX_SUBDOMAIN_BYTES:
            found.append(f"prefix part {TOO_LONG.format(MAX_SUBDOMAIN_BYTES)}")
        if not is_subdomain(prefix):
            found.append(f"prefix part {NO_SUBDOMAIN}")
    if not name:
        found.append("name part must be non-empty")
    elif is_too_long(name):
        found.append(f"name part {TOO_LONG.format(MAX_LABEL_BYTES)}")
    return found if _KEY_PATTERN.fullmatch(name) else [*found, f"name part {_KEY_RULE}"]
