"""Messages as Python code: the constructors that make them, and their imports."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

WIDTH = 110
"""Characters of a line; a longer expression is broken."""


class Imports:
    """The classes that a piece of code needs; two of one name are told apart by a number."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}

    def name(self, descriptor: Descriptor) -> str:
        """Return the expression for the class of a message."""
        names = [descriptor.name]
        while descriptor.containing_type is not None:
            descriptor = descriptor.containing_type
            names.insert(0, descriptor.name)
        module = descriptor.file.name.removesuffix(".proto").replace("/", ".").replace("-", "_") + "_pb2"
        key = module, names[0]
        if key not in self._names:
            taken = set(self._names.values())
            number = next(each for each in range(1, len(taken) + 2) if _numbered(names[0], each) not in taken)
            self._names[key] = _numbered(names[0], number)
        return ".".join((self._names[key], *names[1:]))

    def lines(self) -> list[str]:
        """Return the imports, in order."""
        modules: dict[str, list[str]] = {}
        for (module, name), alias in sorted(self._names.items()):
            modules.setdefault(module, []).append(name if alias == name else f"{name} as {alias}")
        return [f"from {module} import {', '.join(names)}" for module, names in modules.items()]


def text_code(text: str) -> str:
    """Return a text as code, in double quotes where it needs no others."""
    code = repr(text)
    return f'"{code[1:-1]}"' if code.startswith("'") and '"' not in code else code


class _Group(NamedTuple):
    """An expression in brackets, with its parts."""

    opening: str
    parts: list[tuple[str, _Group | str]]
    """Each with what stands before it, such as `name=`."""
    closing: str

    def flat(self) -> str:
        """Return it in one line."""
        parts = [before + (part if isinstance(part, str) else part.flat()) for before, part in self.parts]
        return f"{self.opening}{', '.join(parts)}{self.closing}"


def code_of(message: Message, imports: Imports, indent: int = 0) -> str:
    """Return an expression that makes the message, broken into lines that begin with `indent` spaces, if it is long.

    Fields that its type doesn't know are left out.
    """
    return _laid_out(_constructor(message, imports), indent, indent)


def _laid_out(node: _Group | str, indent: int, column: int) -> str:
    """Return a node whose first line begins at a column, and whose others are indented."""
    if isinstance(node, str):
        return node
    flat = node.flat()
    if column + len(flat) <= WIDTH or not node.parts:
        return flat
    inner = " " * (indent + 4)
    parts = [
        f"{inner}{before}{_laid_out(part, indent + 4, indent + 4 + len(before))},\n" for before, part in node.parts
    ]
    return f"{node.opening}\n{''.join(parts)}{' ' * indent}{node.closing}"


def _constructor(message: Message, imports: Imports) -> _Group:
    descriptor = cast("Descriptor", message.DESCRIPTOR)
    plain: list[tuple[str, _Group | str]] = []
    odd: list[tuple[str, _Group | str]] = []
    for field, value in message.ListFields():
        if keyword.iskeyword(field.name):
            odd.append((f"{text_code(field.name)}: ", _value(field, value, imports)))
        else:
            plain.append((f"{field.name}=", _value(field, value, imports)))
    if odd:
        plain.append(("**", _Group("{", odd, "}")))
    return _Group(f"{imports.name(descriptor)}(", plain, ")")


def _value(field: FieldDescriptor, value: Any, imports: Imports) -> _Group | str:
    if not field.is_repeated:
        return _single(field, value, imports)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_value = field.message_type.fields_by_name["value"]
        items = [(f"{literal(key)}: ", _single(of_value, value[key], imports)) for key in sorted(value)]
        return _Group("{", items, "}")
    return _Group("[", [("", _single(field, each, imports)) for each in value], "]")


def _single(field: FieldDescriptor, value: Any, imports: Imports) -> _Group | str:
    if field.message_type is not None:
        return _constructor(value, imports)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return literal(known.name if known is not None else value)
    return literal(value)


def data_code(value: Any) -> str:
    """Return plain data as code, broken into lines if it is long."""
    return _laid_out(_data(value), 0, 0)


def _data(value: Any) -> _Group | str:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return _Group("{", [(f"{literal(key)}: ", _data(each)) for key, each in items], "}")
    if isinstance(value, list | tuple):
        return _Group("[", [("", _data(each)) for each in cast("list[Any]", value)], "]")
    return literal(value)


def literal(value: Any) -> str:
    """Return plain data as code: texts, numbers, lists and dictionaries."""
    if isinstance(value, str):
        return text_code(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value)
        return "{" + ", ".join(f"{literal(key)}: {literal(items[key])}" for key in sorted(items)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, cast("list[Any]", value))) + "]"
    return repr(value)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{number}"
