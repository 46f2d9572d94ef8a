"""Expectations of checks: they raise Broken with a text that a reader of the report can act on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from google.protobuf.message import Message

from flyteapps_contract.outcomes import Broken, Refused
from flyteapps_contract.wording import differing


def expect(holds: object, text: str) -> None:
    """Broken with `text` unless `holds`."""
    if not holds:
        raise Broken(text)


def expect_equal(actual: object, expected: object, what: str) -> None:
    """Broken unless both are equal; messages are compared as messages and shown as a diff."""
    if actual == expected:
        return
    if isinstance(actual, Message) and isinstance(expected, Message):
        raise Broken(f"{what}: not as expected:\n{differing(expected, actual)}")
    raise Broken(f"{what}: expected {expected!r}, got {actual!r}")


class Refusal:
    """The refusal that `expect_refusal` caught."""

    error: Refused

    @property
    def message(self) -> str:
        """The plane's message."""
        return self.error.message


@contextmanager
def expect_refusal(
    code: str, what: str, *, opening: str = "", says: Sequence[str] = (), fields: Sequence[str] | None = None
) -> Generator[Refusal]:
    """Broken unless the body's call is refused with that code.

    The message must begin with `opening` and hold each of `says`; `fields`, where
    given, are exactly the paths of its violations (in any order, each once or more).
    """
    refusal = Refusal()
    try:
        yield refusal
    except Refused as error:
        refusal.error = error
        expect(error.code == code, f"{what}: expected {code}, got {error}")
        expect(error.message.startswith(opening), f"{what}: the message should begin with {opening!r}: {error}")
        for part in says:
            expect(part in error.message, f"{what}: the message should hold {part!r}: {error}")
        if fields is not None:
            expect_equal(sorted(set(error.violations())), sorted(set(fields)), f"{what}: the fields of the violations")
            for path in fields:
                expect(path in error.message, f"{what}: the message should name {path}: {error}")
        return
    raise Broken(f"{what}: expected {code}, but the call succeeded")


def expect_answer(call: Callable[[], Message], what: str) -> Message:
    """Return the call's answer; Broken where it is refused."""
    try:
        return call()
    except Refused as error:
        raise Broken(f"{what}: refused with {error}") from error
