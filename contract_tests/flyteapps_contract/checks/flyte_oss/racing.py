"""Writers of one app at once in flyte-oss: rows OSS-18, OSS-39 to OSS-41.

Whether two of them meet is chance, so that a check takes a round in which none did. What it rejects no order of the
writes explains: another refusal than the cluster's, one that has changed something, a round in which nobody won.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.oss import changed, listed, next_of, resource
from flyteapps_contract.checks.support.racing import calling, together
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import NO_ANSWER, STOP, Session, copy, preparing
from flyteapps_contract.streams import Watcher

ROUNDS = 5
ABSENT = "no app"
"""An app that isn't there, beside the images of those that are."""

CONFLICT = (
    'INTERNAL: failed to update KService {0}: Operation cannot be fulfilled on services.serving.knative.dev "{0}"'
)
EXISTS = 'INTERNAL: failed to create KService {0}: services.serving.knative.dev "{0}" already exists'
GONE = 'INTERNAL: failed to update KService {0}: services.serving.knative.dev "{0}" not found'
NOTHING_LEFT = "NOT_FOUND: KService {0} not found"
"""The beginnings of refusals, by the name of the resource. A replaced app is a conflict, too: `invalid object`."""


class Writer(NamedTuple):
    """A call of a race. `image`: what it writes, ABSENT for a deletion, "" for a stop.

    `refusals`: with which it may meet another writer. `unsure`: those of them after which it may have written.
    """

    call: Callable[[], Any]
    image: str
    refusals: Sequence[str] = ()
    unsure: Sequence[str] = ()


def _create(s: Session, app: model.App, image: str, *refusals: str) -> Writer:
    return Writer(calling(s.create, changed(app, image)), image, refusals)


def _update(s: Session, app: model.App, image: str, *refusals: str, unsure: Sequence[str] = ()) -> Writer:
    return Writer(calling(s.update, changed(app, image)), image, (*refusals, *unsure), unsure)


def _stop(s: Session, app: model.App) -> Writer:
    new = copy(app)
    new.ClearField("status")
    new.spec.desired_state = STOP
    return Writer(calling(s.update, new), "")


def _delete(s: Session, app: model.App) -> Writer:
    return Writer(calling(s.delete, app.metadata.id), ABSENT)


@check("OSS-18")
def racing_updates_of_one_version(s: Session) -> None:
    """Of Updates at once some are taken; the others are refused as a conflict, and have changed nothing."""
    app = _given(s)
    for round_ in range(ROUNDS):
        _race(s, app, [_update(s, app, f"img:{round_}.{racer}", CONFLICT) for racer in range(4)])


@check("OSS-39")
def racing_creates_of_one_id(s: Session) -> None:
    """Of Creates of a new id at once some are taken; the others find it there, or meet one that replaced it."""
    for _ in range(ROUNDS):
        app = s.app()
        s.may_have(app.metadata.id)
        _race(s, app, [_create(s, app, f"img:{racer}", EXISTS, CONFLICT) for racer in range(4)])


@check("OSS-40")
def writes_that_race_a_deletion(s: Session) -> None:
    """A Create or Update beside Deletes is taken, or refused as one whose app is gone, or is there by then."""
    known = (CONFLICT, EXISTS, GONE)
    for _ in range(ROUNDS):
        app = _given(s)
        writers = [
            _create(s, app, "img:first", *known),
            _update(s, app, "img:second", *known, unsure=(NOTHING_LEFT,)),
            _create(s, app, "img:third", *known),
        ]
        _race(s, app, [*writers, _delete(s, app), _delete(s, app)])
        s.delete(app.metadata.id)


@check("OSS-41")
def a_stop_beside_updates_is_taken(s: Session) -> None:
    """A stop that races Updates is OK, also beside another stop; the Updates are taken, or refused as a conflict."""
    app = _given(s)
    for round_ in range(ROUNDS):
        updates = [_update(s, app, f"img:{round_}.{racer}", CONFLICT) for racer in range(2)]
        _race(s, app, [*updates, _stop(s, app), _stop(s, app)])


@check("OSS-41")
def a_deletion_beside_updates_is_taken(s: Session) -> None:
    """A Delete of an app that is there and is being written is OK, and the app is gone unless a write came after it."""
    for round_ in range(ROUNDS):
        app = _given(s)
        update = _update(s, app, f"img:{round_}", CONFLICT, EXISTS, GONE, unsure=(NOTHING_LEFT,))
        _race(s, app, [update, _delete(s, app), _delete(s, app)])


def _given(s: Session) -> model.App:
    """Return an app that was created, as it was sent."""
    app = s.app(image="img:given")
    with preparing("creating an app to race for"):
        s.create(app)
    return app


def _race(s: Session, app: model.App, writers: Sequence[Writer]) -> None:
    """Let the writers write at once, and judge their answers, what is left, and what a Watch has shown."""
    name = resource(app.metadata.id)
    before = listed(s, app.metadata.id)
    watcher = s.watch(app_id=app.metadata.id)
    attempts, s.attempts = s.attempts, 1  # a refusal is an answer here
    try:
        if before is not None:
            with preparing("opening a watch"):
                next_of(s, watcher, "the snapshot")
        answers = together([each.call for each in writers])
        race = _judged(name, writers, answers, _image(before))
        after, seen = listed(s, app.metadata.id), _seen(watcher, app)
    finally:
        watcher.close()
        s.attempts = attempts
    said = "; ".join(str(each) if isinstance(each, Refused) else "OK" for each in answers)
    expect(race.is_won or after != before, f"of the writers at once of {name} none was taken, and nothing else: {said}")
    expect(_image(after) in race.left, f"writers at once of {name} left {_image(after)}, not {race.left}: {said}")
    others = sorted(seen - race.left - race.written - {_image(before)})
    expect(not others, f"a Watch beside writers at once of {name} showed {others}, which were refused: {said}")


class _Race(NamedTuple):
    """The result of a race: whether a writer was taken, the images that were written, and those that may be left."""

    is_won: bool
    written: set[str]
    left: set[str]


def _judged(name: str, writers: Sequence[Writer], answers: Sequence[object], before: str) -> _Race:
    """Return the result of a race by its answers. Raises Broken for one that is none of a race, and Refused."""
    taken: set[str] = set()
    unsure: set[str] = set()
    for writer, answer in zip(writers, answers, strict=True):
        if not isinstance(answer, Refused):
            taken.add(writer.image)
            continue
        if answer.code in NO_ANSWER:
            raise answer
        known = [each for each in writer.refusals if str(answer).startswith(each.format(name))]
        expect(known, f"a write of {name} beside others should be taken, or refused as one that met them: {answer}")
        if known[0] in writer.unsure:
            unsure.add(writer.image)
    written = taken - {""}
    return _Race(bool(taken or unsure), written | unsure, written | unsure | (set() if written else {before}))


def _image(app: model.App | None) -> str:
    return app.spec.container.image if app is not None else ABSENT


def _seen(watcher: Watcher, app: model.App) -> set[str]:
    """Return the images of the app in the events of a watch that are there by now."""
    found: set[str] = set()
    while (event := watcher.poll(0)) is not None:
        if event.app.metadata.id.project == app.metadata.id.project:
            found.add(ABSENT if event.kind == "delete" else event.app.spec.container.image)
    return found
