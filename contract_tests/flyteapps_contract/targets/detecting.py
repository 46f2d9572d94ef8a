"""Detection of the dialect of a plane, by a few harmless calls and the response of each dialect; and of leniency.

A plane is lenient where no cluster behind it refuses names, sizes and specs that its own code takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from flyteapps_contract.catalogue.dialects import DIALECTS
from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, STANDARD
from flyteapps_contract.outcomes import CannotJudge, Refused
from flyteapps_contract.run import RunEnded
from flyteapps_contract.session import STOP, Run, Session
from flyteapps_contract.targets.probing import require_plane
from flyteapps_contract.targets.target import Target


@dataclass(frozen=True, slots=True)
class Sign:
    """A question, the response of the plane, and the dialect of that response, "" where there is none."""

    asked: str
    answered: str
    dialect: str


@dataclass(frozen=True, slots=True)
class _Question:
    asked: str
    ask: Callable[[Session], str]
    answers: dict[str, str]
    """By dialect, a pattern of its answer."""


def _list_of_an_org(s: Session) -> str:
    s.list(org=s.run.org)
    return "OK"


def _absent(s: Session) -> str:
    s.get(s.id())
    return "OK"


def _created(s: Session) -> str:
    app = s.app(s.name("-detect"), state=STOP)
    s.create(app)
    return f"OK, revision {s.get(app.metadata.id).metadata.revision}"


def _created_twice(s: Session) -> str:
    app = s.app(s.name("-detect"), state=STOP)
    s.create(app)
    s.create(app)
    return "OK"


_QUESTIONS = (
    _Question(
        "List of an org",
        _list_of_an_org,
        {STANDARD: "OK", FLYTE_OSS: "UNIMPLEMENTED: org and cluster_id filters are not supported by the data plane"},
    ),
    _Question("Get of an absent app", _absent, {FLYTE_OSS: "NOT_FOUND: KService ", STANDARD: "NOT_FOUND: "}),
    _Question("Create and Get of an app", _created, {STANDARD: "OK, revision 1$", FLYTE_OSS: "OK, revision 0$"}),
    _Question("Create of an app that exists", _created_twice, {STANDARD: "ALREADY_EXISTS: ", FLYTE_OSS: "OK$"}),
)


def signs(target: Target, run: Run) -> list[Sign]:
    """Return what the plane answered to each question; what was created is gone again.

    Raises CannotJudge where none answers.

    `run.left` has what could not be removed.
    """
    found: list[Sign] = []
    with Session(target.plane(), run) as session:
        for question in _QUESTIONS:
            try:
                answered = question.ask(session)
            except Refused as error:
                require_plane(target, error)
                answered = str(error)
            fitting = [name for name, pattern in question.answers.items() if re.match(pattern, answered)]
            found.append(Sign(question.asked, answered, fitting[0] if fitting else ""))
    return found


def describe_signs(found: list[Sign]) -> tuple[str, str]:
    """Return the dialect that the signs tell, "" where they tell none, and a sentence that says it."""
    named = [sign.dialect for sign in found if sign.dialect]
    if len(set(named)) == 1 and 2 * len(named) > len(found):
        return named[0], f"it speaks {named[0]}: {DIALECTS[named[0]].title}; judge it by --dialect {named[0]}"
    return "", f"which dialect it speaks can't be told; known are {', '.join(DIALECTS)}"


REFUSED_NAME = "_"
"""A character of names that no cluster takes, and the backend's own code does."""
CLUSTER_REFUSES = "failed to create KService "
"""The beginning of an INTERNAL by which a cluster refuses a Create."""


@dataclass(frozen=True, slots=True)
class Leniency:
    """Whether a plane is lenient, None where that can't be found out, and the answer that shows it."""

    lenient: bool | None
    answered: str

    def __str__(self) -> str:
        said = {
            True: "no cluster behind the plane checks names, sizes and specs",
            False: "a cluster behind the plane checks names, sizes and specs: not run are checks that need a plane "
            "without such a cluster",
            None: "whether a cluster behind the plane checks names, sizes and specs can't be found out: not run are "
            "checks that need a plane without such a cluster",
        }
        return f"Create of a name with {REFUSED_NAME}: {self.answered} [{said[self.lenient]}]"


def find_leniency(target: Target, run: Run) -> Leniency:
    """Find out whether the plane is lenient, by a Create in the run's project; what was created is gone again."""
    try:
        with Session(target.plane(), run) as session:
            session.create(session.app(session.name(f"-a{REFUSED_NAME}b"), state=STOP))
    except Refused as error:
        refused = error.code == "INTERNAL" and error.message.startswith(CLUSTER_REFUSES)
        return Leniency(False if refused else None, str(error))
    except (CannotJudge, RunEnded) as error:
        return Leniency(None, str(error))
    return Leniency(True, "OK")
