"""The abilities that checks prepare with, each by itself. A run begins with them, so that a fault is named rightly.

A check here uses no ability that stands after its own in symptoms.Ability, and Create, which all need.
"""

from __future__ import annotations

from flyteidl2.common import list_pb2

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.model.listing import by
from flyteapps_contract.outcomes import Broken, Refused, Unjudged
from flyteapps_contract.session import Session, copy
from flyteapps_contract.streams import PATIENCE, QUIET
from flyteapps_contract.symptoms import Ability

FEW = 4
"""Apps of a check, and repetitions of a call that may fail now and then."""


@check("GE-1", ability=Ability.GET)
def a_new_app_is_found(s: Session) -> None:
    """An app that was just created is found by its id, each time."""
    for app in (s.given_stopped(), s.given()):
        for _ in range(FEW):
            s.get(app.metadata.id)


@check("UP-2", "UP-4", ability=Ability.LABEL)
def a_label_is_updated(s: Session) -> None:
    """An Update that changes nothing but a label is not refused, each time."""
    app = s.given_stopped()
    for number in range(FEW):
        changed = copy(app)
        changed.metadata.revision = 0
        changed.metadata.labels["n"] = str(number)
        s.update(changed)


@check("UP-2", ability=Ability.UPDATE)
def an_update_answers_with_the_app_as_it_left_it(s: Session) -> None:
    """The answer of an Update is the app as changed, at the next revision."""
    app = s.given_stopped()
    for number in range(2, FEW):
        changed = copy(app)
        changed.metadata.revision = 0
        changed.spec.container.args[:] = ["serve", str(number)]
        answer = s.update(changed)
        expect_equal(answer.metadata.revision, number, "the revision in the answer of an Update")
        expect_equal(list(answer.spec.container.args), ["serve", str(number)], "the args in the answer of an Update")


@check("DE-2", ability=Ability.DELETE)
def stopped_apps_are_deleted(s: Session) -> None:
    """Each of several stopped apps is deleted at the first attempt."""
    for app in [s.given_stopped() for _ in range(FEW)]:
        s.delete(app.metadata.id)


@check("LI-1", needs=("projects",), ability=Ability.LIST)
def new_apps_are_listed(s: Session) -> None:
    """Apps that were just created are in the list of their project."""
    apps = [s.given_stopped(), s.given_stopped()]
    names = [app.metadata.id.name for app in apps]
    expect_equal(sorted(s.names()), sorted(names), "the names in the list of a project with two new apps")


@check("LI-4", needs=("projects",), ability=Ability.PAGES)
def pages_show_each_app_once(s: Session) -> None:
    """On the pages of a list each app comes once, and the pages end."""
    apps = [s.given_stopped() for _ in range(FEW)]
    query, shown = by("created_at", list_pb2.Sort.ASCENDING, limit=2), list[str]()
    for _ in apps:
        page = s.list(query)
        shown += [app.metadata.id.name for app in page.apps]
        query.token = page.token
        if not page.token:
            break
    if Ability.LIST in s.faults:
        raise Unjudged(f"List is at fault: {s.faults[Ability.LIST]}")
    expect_equal(shown, [app.metadata.id.name for app in apps], f"the names on the pages of {FEW} apps")
    expect(not query.token, f"the pages of {FEW} apps should end, but page {FEW} of 2 apps each has a token")


@check("WA-1", ability=Ability.SNAPSHOT)
def a_watch_shows_first_what_is_there(s: Session) -> None:
    """An app that is there when a watch opens is shown before an app that is created later."""
    app = s.given_stopped()
    watcher = s.watch()
    later: list[str] = []
    for _ in range(int(PATIENCE / QUIET)):
        later.append(s.given_stopped().metadata.id.name)
        while (event := watcher.poll(QUIET)) is not None:
            if event.name == app.metadata.id.name:
                return
            if event.name in later:
                raise Broken(f"a watch showed {event.name}, but not {app.metadata.id.name}, which was there before")
    raise Broken(f"a watch showed no app within {PATIENCE:g} s")


@check("WA-5", ability=Ability.EVENTS)
def a_watch_shows_what_is_created(s: Session) -> None:
    """A watch that is open shows apps that are created."""
    watcher = s.watch()
    made: list[str] = []
    for _ in range(int(PATIENCE / QUIET)):
        made.append(s.given_stopped().metadata.id.name)
        try:
            while (event := watcher.poll(QUIET)) is not None:
                if event.name in made:
                    return
        except Refused as error:
            raise Broken(f"a watch of a project ended with {error}") from error
    raise Broken(f"a watch showed none of {len(made)} apps that were created while it was open")
