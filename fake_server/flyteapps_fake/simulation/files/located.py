"""Values of a YAML or JSON text, or of a Python mapping, each with its place for error messages.

No library checks the shape: jsonschema costs 60 ms of imports, and knows neither lines nor columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from flyteapps_control.scenarios import MAX_BYTES
from flyteapps_fake.core.validation import quoted

MAX_NESTING = 100
"""Lists and mappings inside of each other."""


class ScenarioError(ValueError):
    """An invalid scenario; the message begins with its place, such as "scenarios.yaml:12:7"."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)


Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Value:
    """One value: a mapping with `fields`, a list with `items`, or else a `scalar`.

    `text`: a scalar as it was written. `place`: where it stands; `key_place`: where its key does, if it has one.
    """

    place: str
    scalar: Scalar = None
    text: str = ""
    items: list[Value] | None = None
    fields: dict[str, Value] | None = None
    key_place: str = ""

    def data(self) -> Any:
        """Return it as plain data, as a Python mapping would have it."""
        if self.fields is not None:
            return {key: each.data() for key, each in self.fields.items()}
        return [each.data() for each in self.items] if self.items is not None else self.scalar

    @property
    def is_scalar(self) -> bool:
        """Whether it is neither a list nor a mapping."""
        return self.items is None and self.fields is None

    def fail(self, problem: str) -> ScenarioError:
        """Return the error of this value."""
        return ScenarioError(self.place, problem)


def from_text(text: str, name: str) -> Value:
    """Return the values of a YAML or JSON text, which `name` names in messages. Raises ScenarioError."""
    import yaml as untyped  # 20 ms, of planes with apps alone

    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ScenarioError(name, f"more than {MAX_BYTES:,} bytes of scenarios: split them into several files")
    yaml: Any = untyped
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):  # composing one that is too deep would crash the process
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_NESTING:
                raise ScenarioError(_place(name, event.start_mark), "lists and mappings are nested too deeply")
        node: Any = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScenarioError(_place(name, mark), f"neither YAML nor JSON: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise ScenarioError(name, f"neither YAML nor JSON: {' '.join(str(error).split())}") from None
    if node is None:
        raise ScenarioError(name, "is empty: it needs `scenarios`, with scenarios by name")
    return _Reader(name).value(node)


def from_data(data: object, place: str = "", depth: int = 0) -> Value:
    """Return the values of a Python mapping. Raises ScenarioError for one that JSON doesn't know.

    `depth`: the number of lists and mappings around it.
    """
    if depth > MAX_NESTING:
        raise ScenarioError(quoted(place), "lists and mappings are nested too deeply, or inside of themselves")
    if isinstance(data, Mapping):
        found: dict[str, Value] = {}
        for key, each in cast("Mapping[object, object]", data).items():
            if not isinstance(key, str):
                raise ScenarioError(place, f"the key {quoted(str(key))} is no text")
            inside = f"{place}.{key}" if place else key
            found[key] = replace(from_data(each, inside, depth + 1), key_place=inside)
        return Value(place, fields=found)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray):
        items = cast("Sequence[object]", data)
        return Value(place, items=[from_data(each, f"{place}[{index}]", depth + 1) for index, each in enumerate(items)])
    if data is None or isinstance(data, bool | int | float | str):
        return Value(place, data, _text_of(place, data))
    raise ScenarioError(place, f"a {type(data).__name__} is neither a mapping, a list, a text nor a number")


def _text_of(place: str, scalar: Scalar) -> str:
    """Return a scalar as a file would have it. Raises ScenarioError for what a file can't hold."""
    try:
        text = str(scalar)  # a number of too many digits has none
        text.encode()
    except ValueError as error:
        raise ScenarioError(place, f"no file can hold it: {error}") from None
    return text


def _place(name: str, mark: Any) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name


class _Reader:
    """The nodes of one text as values. One that stands there once, and has aliases, is one value."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values: dict[int, Value | None] = {}

    def value(self, node: Any) -> Value:
        """Return the value of a node."""
        if id(node) not in self._values:
            self._values[id(node)] = None
            self._values[id(node)] = self._made(node)
        found = self._values[id(node)]
        if found is None:
            raise ScenarioError(_place(self._name, node.start_mark), "an alias stands inside of what it stands for")
        return found

    def _made(self, node: Any) -> Value:
        place = _place(self._name, node.start_mark)
        if isinstance(node.value, str):
            return Value(place, _scalar(node.tag, node.value), node.value)
        if node.id == "sequence":
            return Value(place, items=[self.value(each) for each in node.value])
        found: dict[str, Value] = {}
        for key, each in node.value:
            at = _place(self._name, key.start_mark)
            if not isinstance(key.value, str):
                raise ScenarioError(at, "a list or mapping is no key")
            if key.tag.endswith(":merge"):
                raise ScenarioError(at, "`<<` is not known here: repeat the fields")
            if key.value in found:
                raise ScenarioError(at, f"{quoted(key.value)} is given twice")
            found[key.value] = replace(self.value(each), key_place=at)
        return Value(place, fields=found)


def _scalar(tag: str, text: str) -> Scalar:
    match tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "int" | "float":
            try:
                return int(text)
            except ValueError:
                try:
                    return float(text)
                except ValueError:
                    return text
        case _:
            return text
