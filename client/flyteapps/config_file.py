"""The reading of a configuration file: YAML in, the settings by key out, each with its place.

Rules of this file: no values are constructed, so that tags of other tools do no harm; an error names file, line and
key, and keeps nothing of the file. PyYAML is imported when a file is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flyteapps.errors import ConfigError
from flyteapps.support.secret import Secret

if TYPE_CHECKING:
    from yaml.nodes import Node

SECTIONS = ("admin", "task", "console")
_TAG = "tag:yaml.org,2002:"
KINDS = {"int": "the number", "float": "the number", "bool": "the boolean", "timestamp": "the date"}


def is_there(path: Path, what: str = "the configuration file", valid: str = "a YAML file") -> bool:
    """Return whether the file exists. Raises ConfigError for a directory, and if it can't be determined."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise ConfigError(f"{what} {str(path)!r} is no path: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise ConfigError(f"{what} {path} can't be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise ConfigError(f"{what} {path} is a directory: it should be {valid}")
    return True


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that is present.

    `where`: the subject of a sentence about it; `kind`: YAML's type, or "str"; `items`: those of a list of scalars.
    """

    where: str
    text: str
    kind: str = "str"
    is_variable: bool = False
    items: tuple[Secret, ...] | None = None

    def refuse(self, why: str) -> NoReturn:
        """Raise ConfigError: `why` continues the sentence "FILE, line N: KEY"."""
        raise ConfigError(f"{self.where} {why}")


def read(path: Path, keys: Sequence[str]) -> dict[str, Given]:
    """Return the settings of a file by key, without empty values. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the configuration file {path} can't be read: {error.strerror}") from error
    try:
        text, broken_at = data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text, broken_at = "", error.start
    if broken_at is not None:
        line = data.count(b"\n", 0, broken_at) + 1
        raise ConfigError(f"{path}, line {line}: is not UTF-8, as a configuration file should be")
    root = _composed(path, text)
    if root is None:
        return {}
    entries: dict[str, Given] = {}
    sections = _pairs(path, root, f"{_line(path, root)}: the file", "", SECTIONS)
    for section in SECTIONS:
        if section not in sections:
            continue
        key, body = sections[section]
        names = [name.removeprefix(f"{section}.") for name in keys if name.startswith(f"{section}.")]
        pairs = _pairs(path, body, f"{_line(path, key)}: {section}", f"{section}.", names)
        for name, (key, value) in pairs.items():
            kind = value.tag.removeprefix(_TAG)
            if name in names and value.value and kind != "null":
                content = value.value if isinstance(value.value, str) else ""
                items = _items(value) if kind == "seq" else None
                entries[f"{section}.{name}"] = Given(
                    f"{_line(path, key)}: {section}.{name}", content, kind, items=items
                )
    return entries


def _items(node: Node) -> tuple[Secret, ...] | None:
    """Return the items of a list of scalars, None for another list."""
    from yaml.nodes import ScalarNode

    items = [each.value for each in node.value if isinstance(each, ScalarNode)]
    return tuple(Secret(each) for each in items) if len(items) == len(node.value) else None


def _composed(path: Path, text: str) -> Node | None:
    """Return the tree of a YAML document; no values are constructed, so tags of other tools do no harm.

    PyYAML's errors quote the file, so they are not kept as causes.
    """
    import yaml
    from yaml.reader import ReaderError

    try:
        return yaml.SafeLoader(text).get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"{path}, line {line}: is not YAML: {error.reason}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        problem = f"{path}{line}: is not YAML: {error.problem or error.context}"
    except RecursionError:
        problem = f"{path}: is nested too deeply"
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as error:  # the latter two for unchecked numbers
        problem = f"{path}: is not YAML: {error}"
    raise ConfigError(problem)


def _pairs(path: Path, root: Node, where: str, prefix: str, ours: Sequence[str]) -> dict[str, tuple[Node, Node]]:
    """Return the keys of a mapping with their values, those merged by `<<` included. Null is an empty mapping.

    `where`: the subject of a sentence about the mapping; `prefix`: of its keys. Raises ConfigError, also for a
    duplicate key, and for a known key in another spelling, such as `insecure_skip_verify`: readers would take it for
    the known one.
    """
    from yaml.nodes import MappingNode, SequenceNode

    spellings = {_spelled(name): name for name in ours}
    pairs: dict[str, tuple[Node, Node]] = {}
    seen: set[int] = set()
    todo = [(where, root)]  # the first takes precedence
    while todo:
        what, node = todo.pop(0)
        if id(node) in seen or node.tag == f"{_TAG}null":
            continue
        seen.add(id(node))
        if not isinstance(node, MappingNode):
            raise ConfigError(f"{what} should be a mapping, with keys such as {', '.join(ours)}")
        lines: dict[str, int] = {}
        merged: list[tuple[str, Node]] = []
        for key, value in node.value:
            if key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
                continue
            at = f"{_line(path, key)}: {prefix}{key.value}"
            if key.value in lines:
                raise ConfigError(f"{at} is in line {lines[key.value]} as well: remove one of them")
            lines[key.value] = key.start_mark.line + 1
            meant = spellings.get(_spelled(key.value), key.value)
            if key.tag == f"{_TAG}merge":
                merged += [(at, each) for each in (value.value if isinstance(value, SequenceNode) else [value])]
            elif meant != key.value:
                raise ConfigError(f"{at} should be spelled {prefix}{meant}")
            else:
                pairs.setdefault(key.value, (key, value))
        todo[:0] = merged
    return pairs


def _spelled(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _line(path: Path, node: Node) -> str:
    return f"{path}, line {node.start_mark.line + 1}"


def described(given: Given) -> str:
    """Return a value for messages: its kind, and its text, cut."""
    if given.kind in ("seq", "map"):
        return "a list" if given.kind == "seq" else "a mapping"
    text = given.text if len(given.text) <= 60 else f"{given.text[:60]}..."
    if given.kind in KINDS:
        return f"{KINDS[given.kind]} {text}"
    return repr(text) if given.kind == "str" else f"{text!r} with the tag {given.kind}"
