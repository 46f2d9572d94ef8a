"""The judge of servers that are killed: it finds what is lost, invented, undone or used twice, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta
from soak.ledger import MARK, Ledger


def app(mark: str, revision: int = 1, life: int = 1, condition: int = 1, name: str = "a") -> App:
    """Return an app as an answer shows it."""
    made = App(metadata=Meta(id=Identifier(name=name), revision=revision))
    made.metadata.labels[MARK] = mark
    made.status.created_at.seconds = life
    made.status.conditions.add(revision=condition)
    return made


def known() -> Ledger:
    """Return a ledger of an app that was created, and updated once."""
    ledger = Ledger()
    ledger.sends("a", "create", "one")
    ledger.answered("a", app("one"))
    ledger.sends("a", "update", "two")
    ledger.answered("a", app("two", 2))
    return ledger


def test_what_was_acknowledged_is_right() -> None:
    """A server that has all of it is right, as is one that has made the write in doubt, or not."""
    for listed in ([app("two", 2)], [app("three", 3)]):
        ledger = known()
        ledger.sends("a", "update", "three")
        ledger.killed()
        ledger.judge(listed)
        assert ledger.wrong == []
    for listed in ([app("two", 2)], []):
        ledger = known()
        ledger.sends("a", "delete", "four")
        ledger.killed()
        ledger.judge(listed)
        assert ledger.wrong == []


def shown(*apps: App) -> Callable[[Ledger], None]:
    """Return a step at which apps are shown before the kill, as an update in doubt leaves them."""

    def show(ledger: Ledger) -> None:
        ledger.sends("a", "update", "three")
        for each in apps:
            ledger.shows(each)

    return show


def deleted(ledger: Ledger) -> None:
    """Let a client see the end of the app, whose Delete is in doubt."""
    ledger.sends("a", "delete", "three")
    ledger.gone("a", 10**9)


def created(ledger: Ledger) -> None:
    """Let a client see another app, whose Create is in doubt."""
    ledger.sends("b", "create", "new")
    ledger.shows(app("new", name="b"))


BEFORE: dict[str, tuple[Callable[[Ledger], object], list[App]]] = {
    "lost": (lambda _: None, []),
    "older": (lambda _: None, [app("one", 1)]),
    "invented": (lambda _: None, [app("two", 2), app("one", name="b")]),
    "of another write": (lambda _: None, [app("six", 2)]),
    "twice": (lambda _: None, [app("two", 2), app("two", 2)]),
    "a revision used twice": (shown(), [app("three", 2)]),
    "a revision too many": (shown(), [app("three", 4)]),
    "an update that was shown": (shown(app("three", 3)), [app("two", 2)]),
    "a status that was shown": (lambda ledger: ledger.shows(app("two", 2, condition=5)), [app("two", 2, condition=4)]),
    "a delete that was shown": (deleted, [app("two", 2)]),
    "a create that was shown": (created, [app("two", 2)]),
    "another incarnation": (lambda _: None, [app("two", 2, life=2)]),
}


@pytest.mark.parametrize("case", BEFORE)
def test_what_is_wrong_is_found(case: str) -> None:
    """Each thing that a server can do wrong is found after the kill."""
    ledger = known()
    before, listed = BEFORE[case]
    before(ledger)
    assert ledger.wrong == []
    ledger.killed()
    ledger.judge(listed)
    assert ledger.wrong


def test_a_write_that_is_answered_as_another_one_is_found() -> None:
    """An answer shows the write that it answers, and the next revision."""
    ledger = known()
    ledger.sends("a", "update", "three")
    ledger.answered("a", app("three", 4))
    ledger.sends("a", "update", "five")
    ledger.refused("a", "ABORTED")
    assert len(ledger.wrong) == 2
