"""List, texts of every kind: rows LI-2 and LI-3. A text is no pattern; texts are folded and ordered by code point.

What a filter has to keep, and in which order, is computed by model.listing from the apps as Get returns them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.standard.listing.filtering import expect_filtered
from flyteapps_contract.checks.standard.listing.sorting import DOWN, UP, expect_ordered, touch
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import by, where
from flyteapps_contract.session import STOP, Session

PLAIN = ("gold", "Gold", "GOLD", "old", "go ld", " gold", "gold ")
PATTERNS = ("g_ld", "g%ld", "g*ld", "g.ld", "g?ld", "g\\ld", "[g]old", "^gold$", "'gold'", "%", "_", ".*")
FOREIGN = (
    *("é", "É", "e\u0301", "straße", "STRASSE", "Σας", "σΑΣ"),
    *("\u212a", "k", "İ", "i\u0307", "\u017f", "S", "日本", "😀"),
)
"""Pairs that case folding makes one text, and pairs that it doesn't: accents, sharp s, sigmas, Kelvin, dotted I."""
PARTS = ("EQUAL", "CONTAINS", "CONTAINS_CASE_INSENSITIVE", "ENDS_WITH", "NOT_ENDS_WITH")
MANY = 12
"""Updates after which a revision has more digits than those of other apps."""


@check("LI-2", needs=("projects",))
def no_character_of_a_value_is_a_wildcard(s: Session) -> None:
    """In a filter's value each character stands for itself: _, %, *, ., ? and backslash match themselves."""
    apps = _labelled(s, (*PLAIN, *PATTERNS))
    for function, value in itertools.product(PARTS, PATTERNS):
        expect_filtered(s, apps, where(function, "labels.kind", value))
    for function, value in itertools.product(PARTS, ("_", "%", ".", "-", "_old", "%old", ".*")):
        expect_filtered(s, apps, where(function, "name", value))


@check("LI-2", needs=("projects",))
def spaces_count(s: Session) -> None:
    """Spaces at either end of a value, or of the text that it is compared with, are characters like any other."""
    apps = _labelled(s, PLAIN)
    for function, value in itertools.product((*PARTS, *listing.SETS), (*PLAIN, " ", "gold  ")):
        expect_filtered(s, apps, where(function, "labels.kind", value))


@check("LI-2", needs=("projects",))
def case_is_folded_as_unicode_has_it(s: Session) -> None:
    """CONTAINS_CASE_INSENSITIVE compares after full case folding, of any script; all other functions do without."""
    apps = _labelled(s, (*FOREIGN, *PLAIN[:3]))
    for value in (*FOREIGN, "ss", "SS", "ß", "ẞ", "ς", "i", "I", "K", "go", "GO"):
        for function in ("CONTAINS_CASE_INSENSITIVE", "CONTAINS", "EQUAL", "ENDS_WITH", "VALUE_IN"):
            expect_filtered(s, apps, where(function, "labels.kind", value))


@check("LI-2", needs=("projects",))
def creators_are_filtered_by_texts_of_every_kind(s: Session) -> None:
    """A filter on created_by compares as one on a label does: no wildcards, folded as Unicode has it."""
    apps: list[model.App] = []
    for text in (*PATTERNS[:4], *FOREIGN[:7], "gold"):
        app = s.app(state=STOP)
        app.spec.creator.user.id.subject = text
        apps.append(s.given(app))
    for function, value in itertools.product(PARTS[1:4], (*PATTERNS[:4], *FOREIGN[:7], "_", "%", "SS")):
        expect_filtered(s, apps, where(function, "created_by", value))


@check("LI-2", needs=("projects",))
def a_labels_key_is_no_pattern_either(s: Session) -> None:
    """A label's key is compared as it is: no wildcards, in its own case, accents and all."""
    keys = ("a_b", "axb", "a%b", "a.b", "A_B", "é", "É", "e\u0301", "a b")
    apps = [s.given_stopped(labels={key: "gold"}) for key in keys]
    for key in (*keys, "a", "_", "%"):
        expect_filtered(s, apps, where("EXISTS", f"labels.{key}"))
        expect_filtered(s, apps, where("NOT_EQUAL", f"labels.{key}", "gold"))


@check("LI-2", needs=("fresh",))
def projects_of_every_kind_are_filtered(s: Session) -> None:
    """Projects, too, are compared character by character: no wildcards, folded as Unicode has it."""
    apps = _in_projects(s)
    org = apps[0].metadata.id.org
    for function, value in itertools.product(PARTS, ("_", "%", "a_b", "A_B", "É", "STRASSE", "z")):
        expect_filtered(s, apps, where(function, "project", value), org=org)


@check("LI-3", needs=("fresh",))
def apps_of_one_name_are_ordered_by_code_point(s: Session) -> None:
    """Where apps of several projects tie, their ids are compared by code point, not by letter."""
    apps = _in_projects(s)
    for key, direction in itertools.product(("name", "revision", "status_phase"), (UP, DOWN)):
        expect_ordered(s, apps, by(key, direction), org=apps[0].metadata.id.org)


@check("LI-3", needs=("projects",))
def names_are_ordered_by_code_point(s: Session) -> None:
    """Names of mixed case, with digits and hyphens, and such as begin another, are ordered by code point."""
    head = s.name()
    tails = ("-b", "-B", "-a", "-A", "-a1", "-a-1", "-a10", "-a9", "-Z", "-z", "a", "A", "0", "")
    apps = [s.given_stopped(name=f"{head}{tail}") for tail in tails]
    for query in _sorted_by_name():
        expect_ordered(s, apps, query)


@check("LI-3", needs=("projects",))
def revisions_are_ordered_as_numbers(s: Session) -> None:
    """Sorting by revision compares numbers: 9 comes before 10, ascending."""
    apps = [s.given_stopped() for _ in range(4)]
    for at, count in enumerate((MANY, MANY - 4, 1, 0)):
        for _ in range(count):
            apps[at] = touch(s, apps[at])
    for direction in (UP, DOWN):
        expect_ordered(s, apps, by("revision", direction))
        expect_ordered(s, apps, by("revision", direction, "name", UP))


# ---- what they share


def _labelled(s: Session, values: Sequence[str]) -> list[model.App]:
    """Return an app for each value, and one without the label."""
    return [*(s.given_stopped(labels={"kind": value}) for value in values), s.given_stopped()]


def _in_projects(s: Session) -> list[model.App]:
    """Return apps of one name in projects whose names differ in case, accents and what elsewhere is a wildcard."""
    name = s.name()
    return [s.given_stopped(name=name, project=text) for text in ("a_b", "axb", "A_b", "Z", "z", "é", "É", "straße")]


def _sorted_by_name() -> Iterator[list_pb2.ListRequest]:
    for direction in (UP, DOWN):
        yield by("name", direction)
        yield by("revision", direction, "name", UP)
        yield by("status_phase", UP, "name", direction)
