"""Selection of calls: by RPC, by app, by caller and by headers, with the globs of a shell.

What selects is kept, as rules, loads and uses of scenarios are, up to totals in bytes and in characters of globs.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flyteapps_control.v1.control_pb2 import AppSelector, Fault, Load, ScenarioUse

ALL = "*"
MAX_BYTES = 16 * 1024 * 1024
"""Bytes of all rules for faults; of all loads; and of all uses of scenarios."""
MAX_GLOB_CHARACTERS = 250_000
"""Characters of the globs in all of them, plain names apart: compiled, a glob takes 25 bytes a character."""
GLOB_CHARACTERS = frozenset("*?[")
_SPECIAL = re.compile(r"[?\[]")
"""The characters of a glob besides the star that match others than themselves."""


class AppName(NamedTuple):
    """The app that a request names; empty where it names none."""

    project: str = ""
    domain: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Return PROJECT/DOMAIN/NAME; without an app PROJECT/DOMAIN."""
        return "/".join(self).rstrip("/")


NO_APP = AppName()
_PLACES = (("app", "metadata", "id"), ("app_id",), ("replica_id", "app_id"))
"""The fields of requests that hold the id of an app."""


class Subject(NamedTuple):
    """A call as selectors see it. `rpc`: SERVICE/METHOD. `caller`: "" without authentication."""

    rpc: str
    app: AppName = NO_APP
    caller: str = ""
    metadata: Mapping[str, str] = {}


def is_glob(text: str) -> bool:
    """Return whether a text is a glob with a character of globs, rather than a plain name."""
    return not GLOB_CHARACTERS.isdisjoint(text)


class Glob:
    """A glob; an empty one matches everything.

    A plain text and stars need no regular expression: to compile one of a thousand characters takes milliseconds.
    """

    __slots__ = ("_matches",)

    def __init__(self, text: str) -> None:
        self._matches: Callable[[str], object] | None = None
        if _SPECIAL.search(text):
            self._matches = re.compile(fnmatch.translate(text)).match
        elif text not in ("", ALL):
            self._matches = _by_parts(text.split(ALL))

    def matches(self, text: str) -> bool:
        """Return whether it matches the whole text."""
        return self._matches is None or bool(self._matches(text))


def _by_parts(parts: Sequence[str]) -> Callable[[str], bool]:
    """Return the matcher of a glob of these texts, with a star between each and the next."""
    first, *others = parts
    if not others:
        return lambda text: text == first
    *inner, last = others
    inner = [part for part in inner if part]

    def matches(text: str) -> bool:
        at, end = len(first), len(text) - len(last)
        if end < at or not (text.startswith(first) and text.endswith(last)):
            return False
        for part in inner:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return matches


WILDCARDS = frozenset("*?[")
"""The characters with which a glob selects more than one text."""


class AppGlobs:
    """Globs on the parts of an app's id."""

    __slots__ = ("_parts", "is_all")

    def __init__(self, selector: AppSelector) -> None:
        texts = (selector.project, selector.domain, selector.name)
        self._parts = tuple(map(Glob, texts))
        self.is_all = all(text in ("", ALL) for text in texts)
        """Whether they select every app, and calls that name none."""

    def matches(self, app: AppName) -> bool:
        """Return whether they select the app."""
        return self.is_all or all(glob.matches(part) for glob, part in zip(self._parts, app, strict=True))


def exact_name(selector: AppSelector) -> AppName | None:
    """Return the only app that a selector without wildcards selects; None for any other selector."""
    name = AppName(selector.project, selector.domain, selector.name)
    return name if all(part and not WILDCARDS.intersection(part) for part in name) else None


def rpcs_of(rpc: str, known: Collection[str]) -> frozenset[str]:
    """Return the RPCs, SERVICE/METHOD each, that a text names: "Create", such a path, or "*".

    Raises ValueError with the nearest names where there is none.
    """
    if rpc == ALL:
        return frozenset(known)
    wanted = rpc.strip("/")
    found = frozenset(each for each in known if each == wanted or each.rpartition("/")[2] == wanted)
    if not found:
        methods = sorted({each.rpartition("/")[2] for each in known})
        near = difflib.get_close_matches(wanted.rpartition("/")[2], methods, 3, 0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(methods)}"
        raise ValueError(f"no RPC is called {rpc!r}: {hint}")
    return found


def app_named_by(request: Any) -> AppName:
    """Return the app that a request names, or the project alone for a List or Watch of one."""
    for place in _PLACES:
        if (found := _field(request, place)) is not None:
            return AppName(found.project, found.domain, found.name)
    project = _field(request, ("project",))
    if project is not None and project.DESCRIPTOR.name == "ProjectIdentifier":  # and no project that is created
        return AppName(project.name, project.domain)
    return NO_APP


def _field(message: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None or field.message_type is None or field.is_repeated or not message.HasField(name):
            return None
        message = getattr(message, name)
    return message


class Size(NamedTuple):
    """The size of a message, and the characters of its globs."""

    bytes: int
    glob_characters: int

    @classmethod
    def of(cls, message: Fault | Load | ScenarioUse) -> Size:
        """Return the size of a message that selects apps."""
        globs = [message.app.project, message.app.domain, message.app.name]
        if isinstance(message, Fault):
            globs += [message.caller, *message.headers.values()]
        return cls(message.ByteSize(), sum(len(each) for each in globs if is_glob(each)))


class Totals:
    """The sizes of all messages of one kind. `noun`: their name in messages, such as "rules"."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._bytes = 0
        self._glob_characters = 0

    def add(self, sizes: Iterable[Size]) -> None:
        """Count further messages, all or none. Raises ValueError where the totals are over their bounds."""
        size, characters = self._bytes, self._glob_characters
        for each in sizes:
            size += each.bytes
            characters += each.glob_characters
        if size > MAX_BYTES:
            raise ValueError(f"all {self._noun} together can have at most {MAX_BYTES:,} bytes: remove some")
        if characters > MAX_GLOB_CHARACTERS:
            raise ValueError(
                f"the globs of all {self._noun} together can have at most {MAX_GLOB_CHARACTERS:,} characters (names "
                "without *, ? and [ don't count): remove some"
            )
        self._bytes, self._glob_characters = size, characters

    def put(self, size: Size) -> None:
        """Count a message that was accepted before."""
        self._bytes += size.bytes
        self._glob_characters += size.glob_characters

    def remove(self, size: Size) -> None:
        """Count a message no longer."""
        self._bytes -= size.bytes
        self._glob_characters -= size.glob_characters
