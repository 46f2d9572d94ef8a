"""Label selectors: the text of a query such as `flyte.org/project=p`, parsed as Kubernetes does.

The backend puts values into that text as they are: a comma, a blank or an operator in one is read as part of the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.label_rules import key_errors, value_errors

_TOKEN = re.compile(r"[ \t\r\n]*(?:(?P<symbol>==|!=|[=!(),<>])\0?|(?P<word>[^=!(),<> \t\r\n\0]+)\0?|(?P<end>\Z|\0))")
_WORD, _END = "word", "end"
_SINGLE = {"=": "=", "==": "==", "!=": "!=", ">": "gt", "<": "lt"}
"""The operators with one value, by their symbol."""
_OPERATORS = ("in", "notin", *_SINGLE.values())
_INTEGER = re.compile(r"[+-]?0*[0-9]{1,19}")
_INT64 = 1 << 63


class SelectorError(Exception):
    """A text that is no selector."""


class Requirement(NamedTuple):
    """One requirement of a selector; `exists` and `!` are operators without values."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether an object with those labels meets it."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "notin" | "!=":
                return value not in self.values
            case "gt" | "lt":
                found, bound = _int64(value or ""), _int64(next(iter(self.values)))
                if found is None or bound is None:
                    return False
                return found > bound if self.operator == "gt" else found < bound
            case _:
                return value in self.values


class Selector:
    """The requirements that a text consists of; an object has to meet all. Raises SelectorError."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self.requirements: list[Requirement] = []
        self._parse()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether an object with those labels is selected."""
        return all(each.matches(labels) for each in self.requirements)

    def _parse(self) -> None:
        while True:
            kind, text = self._tokens[self._at]
            if kind == _END:
                return
            if kind not in (_WORD, "!"):
                raise _expected(text, "!, identifier, or 'end of string'")
            try:
                self.requirements.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            kind, text = self._next()
            if kind == _END:
                return
            if kind != ",":
                raise _expected(text, "',' or 'end of string'")
            kind, text = self._tokens[self._at]
            if kind not in (_WORD, "!"):
                raise _expected(text, "identifier after ','")

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _requirement(self) -> Requirement:
        kind, key = self._next()
        negated = kind == "!"
        if negated:
            kind, key = self._next()
        if kind != _WORD:
            raise _expected(key, "identifier")
        errors = key_errors(key)
        if errors:
            raise SelectorError(f"<nil>: Invalid value: {quoted(key)}: {'; '.join(errors)}")
        if negated:
            return Requirement(key, "!")
        if self._tokens[self._at][0] in (_END, ","):
            return Requirement(key, "exists")
        kind, text = self._next()
        if kind in _SINGLE:
            return _checked(key, _SINGLE[kind], [self._value()])
        if text in ("in", "notin"):
            return _checked(key, text, self._list())
        raise _expected(text, ", ".join(_OPERATORS))

    def _value(self) -> str:
        if self._tokens[self._at][0] in (_END, ","):
            return ""
        kind, text = self._next()
        if kind != _WORD:
            raise _expected(text, "identifier")
        return text

    def _list(self) -> list[str]:
        """Return the values between parentheses; a missing one is the empty text."""
        kind, text = self._next()
        if kind != "(":
            raise SelectorError(f"found '{text}' expected: '('")
        found: list[str] = []
        value = ""
        first = True
        while True:
            kind, text = self._next()
            if kind == _WORD and not value:
                value = text
            elif kind in (",", ")"):
                found.append(value)
                value = ""
                if kind == ")":
                    return found
            elif kind == _WORD or value:
                raise _expected(text, "',' or ')'")
            else:
                raise _expected(text, "',', ')' or identifier" if first else "',', or identifier")
            first = False


def _checked(key: str, operator: str, values: Sequence[str]) -> Requirement:
    """Return the requirement, or raise SelectorError where a value can't be one."""
    values = sorted(set(values))
    errors = [
        f"values[{index}]: Invalid value: {quoted(value)}: for 'Gt', 'Lt' operators, the value must be an integer"
        for index, value in enumerate(values)
        if operator in ("gt", "lt") and _int64(value) is None
    ]
    for index, value in enumerate(values):
        found = value_errors(value)
        if found:
            errors.append(f"values[{index}][{key}]: Invalid value: {quoted(value)}: {'; '.join(found)}")
    if errors:
        raise SelectorError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
    return Requirement(key, operator, frozenset(values))


def _int64(text: str) -> int | None:
    """Return the number that a text is, as Go reads an int64, None where it isn't one."""
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text.lstrip("+-0") or "0") * (-1 if text.startswith("-") else 1)
    return value if -_INT64 <= value < _INT64 else None


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        assert match is not None and match.lastgroup is not None
        literal = match[match.lastgroup].rstrip("\0")
        kind = literal if match.lastgroup == "symbol" else match.lastgroup
        found.append((kind, literal))
        if kind == _END:
            return found
        at = match.end()


def _expected(text: str, expected: str) -> SelectorError:
    return SelectorError(f"found '{text}', expected: {expected}")
