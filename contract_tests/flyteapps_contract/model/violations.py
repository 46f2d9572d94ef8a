"""A break of the contract as the oracle states it: which guarantees speak of it, in words, and as lines of a script.

The lines are Python expressions over `answers`, `codes` and `streams` of the script (traces/script.py); each is true
on a plane that keeps the contract. Nothing here calls a plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Broken


class Violation(Broken):
    """Something that the contract rules out: the guarantees that do so, a text, and what a script has to find true."""

    def __init__(self, guarantees: tuple[str, ...], text: str, *proof: str) -> None:
        super().__init__(text)
        self.guarantees = tuple(dict.fromkeys(guarantees))
        self.proof = proof
        self.symptoms: tuple[str, ...] = ()
        """The guarantees that were seen broken on the way."""


def about(violation: Violation, subject: str) -> Violation:
    """Return the violation with a text that begins with its subject: the name of an app, or a call."""
    text = str(violation)
    if subject in text:
        return violation
    return Violation(violation.guarantees, f"{subject}: {text}", *violation.proof)


def code_proof(number: int, codes: tuple[str, ...]) -> str:
    """Return the call of that step ends with one of the codes."""
    return f"codes[{number}] == {codes[0]!r}" if len(codes) == 1 else f"codes[{number}] in {codes!r}"


def differences(expected: Message, actual: Message, path: str = "") -> Iterator[str]:
    """Return the paths of the fields in which they differ, as deep as both have them; lists and maps as a whole."""
    descriptor = cast("Descriptor", expected.DESCRIPTOR)  # two classes with one interface
    for field in descriptor.fields:
        here = f"{path}.{field.name}" if path else field.name
        if not field.is_repeated and field.message_type is not None:
            both = expected.HasField(field.name) and actual.HasField(field.name)
            if both:
                yield from differences(getattr(expected, field.name), getattr(actual, field.name), here)
            elif expected.HasField(field.name) != actual.HasField(field.name):
                yield here
        elif getattr(expected, field.name) != getattr(actual, field.name):
            yield here


def field_proofs(where: str, expected: Message, actual: Message) -> tuple[str, ...]:
    """Return the fields in which they differ, as they have to be; `where` is the script's word for the actual one."""
    return tuple(_equation(where, expected, path) for path in differences(expected, actual))


def value_at(message: Message, path: str) -> object:
    """Return the value of the field at the end of a path of field names."""
    value: object = message
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _equation(where: str, expected: Message, path: str) -> str:
    parent: Message = expected
    *above, leaf = path.split(".")
    for name in above:
        parent = getattr(parent, name)
    descriptor = cast("Descriptor", parent.DESCRIPTOR)
    field: FieldDescriptor = descriptor.fields_by_name[leaf]
    value = getattr(parent, leaf)
    left = f"{where}.{path}"
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return f"dict({left}) == {dict(value)!r}"
    if field.is_repeated:
        kind = "str(each)" if field.message_type is not None else "each"
        return f"[{kind} for each in {left}] == {[str(each) if field.message_type else each for each in value]!r}"
    if field.message_type is not None:
        holder = f"{where}.{'.'.join(above)}" if above else where
        return f"{holder}.HasField({leaf!r}) is {parent.HasField(leaf)}"
    return f"{left} == {value!r}"
