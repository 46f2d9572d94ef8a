"""A reader of JSON, token by token, as strict as Go's protojson: no BOM, NaN, control characters, lone surrogates."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import NamedTuple

UNEXPECTED_END = "unexpected EOF"


_INVALID = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8, read as a surrogate."""


class GoJsonError(ValueError):
    """An error in a JSON document, in the words of protojson."""

    def __init__(self, message: str) -> None:
        super().__init__(_INVALID.sub("\ufffd", message))


class Kind(StrEnum):
    """The kinds of tokens. NAME is the name of a member of an object, with its colon."""

    END = "end"
    NULL = "null"
    BOOL = "bool"
    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    OBJECT = "{"
    OBJECT_END = "}"
    LIST = "["
    LIST_END = "]"
    COMMA = ","


class Token(NamedTuple):
    """A token with its text and where that begins. `value`: the content of a string or a name."""

    kind: Kind
    text: str
    at: int
    value: str = ""


_SCALARS = (Kind.NULL, Kind.BOOL, Kind.NUMBER, Kind.STRING)
_CLOSED = (*_SCALARS, Kind.OBJECT_END, Kind.LIST_END)
"""The kinds of tokens that end a value."""
_OPENING = {Kind.OBJECT_END: Kind.OBJECT, Kind.LIST_END: Kind.LIST}
_MARKS = {each.value: each for each in (Kind.OBJECT, Kind.OBJECT_END, Kind.LIST, Kind.LIST_END, Kind.COMMA)}
_WORDS = {"null": Kind.NULL, "true": Kind.BOOL, "false": Kind.BOOL}
_SPACE = re.compile(r"[ \n\r\t]*+")
_WORD = re.compile(r"[-+._a-zA-Z0-9]++")
_SAID = re.compile(r"[-+._a-zA-Z0-9]{1,32}|.", re.DOTALL)
_NUMBER = re.compile(r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE](?:[-+](?=.)[0-9]*+|(?=.)[0-9]*+))?+", re.DOTALL)
_PLAIN = re.compile(r'[^"\\\x00-\x1f\udc80-\udcff]*+')
"""Characters of a string that stand for themselves; an invalid byte of UTF-8 is read as a surrogate."""
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f\udc80-\udcff]++|\\[^\x00-\x1f\udc80-\udcff])*+"')
_BEGINNING = re.compile(_STRING.pattern[:-1])
"""A string up to its end, or to what can't be in it."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPLAINED_CHARACTERS = 1024 * 1024
"""Characters of a string in which an invalid escape is looked for one by one, to name it."""
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile("[0-9a-fA-F]{4}", re.ASCII)


class Reader:
    """The tokens of a document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._last = Kind.END
        """The kind of the last token, also of a comma; END before the first one."""
        self._open: list[Kind] = []
        self._peeked: Token | None = None

    def peek(self) -> Token:
        """Return the next token without reading it. Raises GoJsonError."""
        if self._peeked is None:
            self._peeked = self._next()
        return self._peeked

    def read(self) -> Token:
        """Return the next token. Raises GoJsonError."""
        token, self._peeked = self.peek(), None
        return token

    def skip_value(self) -> str:
        """Read a whole value, and return its text. Raises GoJsonError."""
        depth, start = 0, self.peek().at
        while True:
            token = self.read()
            depth += (token.kind in (Kind.OBJECT, Kind.LIST)) - (token.kind in (Kind.OBJECT_END, Kind.LIST_END))
            if depth == 0:
                return self._text[start : token.at + len(token.text)]

    def error(self, at: int, what: str) -> GoJsonError:
        """Return an error about the content."""
        return GoJsonError(f"({self._place(at)}): {what}")

    def syntax_error(self, at: int, what: str) -> GoJsonError:
        """Return an error about the form."""
        return GoJsonError(f"syntax error ({self._place(at)}): {what}")

    def unexpected(self, token: Token) -> GoJsonError:
        """Return the error of a token that can't stand where it does."""
        return self.syntax_error(token.at, f"unexpected token {token.text}")

    def _place(self, at: int) -> str:
        line = self._text.count("\n", 0, at) + 1
        return f"line {line}:{at - self._text.rfind(chr(10), 0, at)}"

    def _next(self) -> Token:
        token = self._scan()
        kind = token.kind
        if kind is Kind.END:
            if self._open:
                raise GoJsonError(UNEXPECTED_END)
        elif kind is Kind.STRING and not self._is_value_next():
            token = self._name(token)
        elif kind in _OPENING:
            allowed = self._open[-1:] == [_OPENING[kind]] and self._last not in (Kind.NAME, Kind.COMMA)
            if not allowed:
                raise self.unexpected(token)
            self._open.pop()
        elif kind is Kind.COMMA:
            if not self._open or self._last not in _CLOSED:
                raise self.unexpected(token)
        elif not self._is_value_next():
            raise self.unexpected(token)
        elif kind in (Kind.OBJECT, Kind.LIST):
            self._open.append(kind)
        self._last = token.kind
        return self._next() if kind is Kind.COMMA else token

    def _is_value_next(self) -> bool:
        if not self._open:
            return self._last is Kind.END
        if self._open[-1] is Kind.OBJECT:
            return self._last is Kind.NAME
        return self._last in (Kind.LIST, Kind.COMMA)

    def _name(self, token: Token) -> Token:
        if self._last not in (Kind.OBJECT, Kind.COMMA):
            raise self.unexpected(token)
        self._blank()
        if self._at == len(self._text):
            raise GoJsonError(UNEXPECTED_END)
        if (found := self._text[self._at]) != ":":
            byte = found.encode(errors="surrogateescape")[0]
            raise self.syntax_error(self._at, f'unexpected character {chr(byte)}, missing ":" after field name')
        self._at += 1
        return token._replace(kind=Kind.NAME)

    def _blank(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _scan(self) -> Token:
        """Return the next token by itself."""
        self._blank()
        at = self._at
        first = self._text[at : at + 1]
        if not first:
            return Token(Kind.END, "", at)
        if first == '"':
            value = self._string()
            return Token(Kind.STRING, self._text[at : self._at], at, value)
        if first in _MARKS:
            self._at += 1
            return Token(_MARKS[first], first, at)
        word = _WORD.match(self._text, at)
        end = word.end() if word is not None else at
        kind = _WORDS.get(self._text[at:end])
        if kind is None:
            number = _NUMBER.match(self._text, at)
            if number is None or number.end() != end:
                said = _SAID.match(self._text, at)
                raise self.syntax_error(at, f"invalid value {said.group() if said is not None else ''}")
            kind = Kind.NUMBER
        self._at = end
        return Token(kind, self._text[at:end], at)

    def _string(self) -> str:
        """Return the content of the string that begins here."""
        whole = _STRING.match(self._text, self._at)
        if whole is not None:
            content = _content_of(whole.group())
            if content is not None:
                self._at = whole.end()
                return content
            if whole.end() - self._at > _EXPLAINED_CHARACTERS:
                raise self.syntax_error(self._at, "invalid escape code in string")
        elif (begun := _BEGINNING.match(self._text, self._at)) and begun.end() - self._at > _EXPLAINED_CHARACTERS:
            raise self._stopped(self._at, begun.end())
        return self._string_by_characters()

    def _string_by_characters(self) -> str:
        """Return the same, or find its error."""
        start, at, parts = self._at, self._at + 1, list[str]()
        while True:
            plain = _PLAIN.match(self._text, at)
            assert plain is not None
            parts.append(plain.group())
            at = plain.end()
            stop = self._text[at : at + 1]
            if stop == '"':
                self._at = at + 1
                return "".join(parts)
            if stop == "\\":
                character, at = self._escape(start, at)
                parts.append(character)
            else:
                raise self._stopped(start, at)

    def _stopped(self, start: int, at: int) -> GoJsonError:
        """Return the error of a string that stops at `at`."""
        stop = self._text[at : at + 1]
        if not stop or stop == "\\":
            return GoJsonError(UNEXPECTED_END)
        if stop < " ":
            return self.syntax_error(start, f"invalid character {_quoted(stop)} in string")
        return self.syntax_error(start, "invalid UTF-8 in string")

    def _escape(self, start: int, at: int) -> tuple[str, int]:
        """Return the character that the escape at `at` stands for, and its end."""
        letter = self._text[at + 1 : at + 2]
        if not letter:
            raise GoJsonError(UNEXPECTED_END)
        if letter != "u":
            if letter not in _ESCAPES:
                raise self.syntax_error(start, f'invalid escape code "\\\\{letter}" in string')
            return _ESCAPES[letter], at + 2
        code = self._code(start, at)
        if not 0xD800 <= code < 0xE000:
            return chr(code), at + 6
        if len(self._text) < at + 12:
            raise GoJsonError(UNEXPECTED_END)
        low = self._code(start, at + 6) if self._text.startswith("\\u", at + 6) else 0
        if code >= 0xDC00 or not 0xDC00 <= low < 0xE000:
            raise self._bad_code(start, at + 6)
        return chr(0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00), at + 12

    def _code(self, start: int, at: int) -> int:
        if len(self._text) < at + 6:
            raise GoJsonError(UNEXPECTED_END)
        if not _HEX.fullmatch(self._text, at + 2, at + 6):
            raise self._bad_code(start, at)
        return int(self._text[at + 2 : at + 6], 16)

    def _bad_code(self, start: int, at: int) -> GoJsonError:
        code = self._text[at : at + 6].replace("\\", "\\\\").replace('"', '\\"')
        return self.syntax_error(start, f'invalid escape code "{code}" in string')


def _content_of(quoted: str) -> str | None:
    """Return the content of a string in quotes, None where an escape in it is invalid."""
    if "\\" not in quoted:
        return quoted[1:-1]
    try:
        content: str = json.loads(quoted)
    except ValueError:
        return None
    return content if _SURROGATE.search(content) is None else None


def _quoted(character: str) -> str:
    """Return a control character as Go quotes it."""
    named = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    code = f"\\x{ord(character):02x}"
    return f"'{named.get(character, code)}'"
