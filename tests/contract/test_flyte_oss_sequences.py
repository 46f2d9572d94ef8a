"""Sequences of flyte-oss: the stand-in is clean, in process and served; planted bugs are found, shrunk and replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flyteidl2.app.app_definition_pb2 import Identifier, Spec

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS
from flyteapps_contract.explorations import search as search_module
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.explorations.sequences import Found, replay, search
from flyteapps_contract.model.flyte_oss.services import CREATED, UPDATED, Service
from flyteapps_contract.model.flyte_oss.shown import SCALED_TO_ZERO, STOPPED, Urls, is_stopped
from flyteapps_contract.model.flyte_oss.watching import Change, Track
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.sequences.flyte_oss import commands
from flyteapps_contract.sequences.flyte_oss.choices import DesiredState, Extra, Payload, SlotName
from flyteapps_contract.sequences.flyte_oss.interpreter import Interpreter
from flyteapps_contract.sequences.saved import from_json
from flyteapps_contract.session import Session
from flyteapps_contract.streams import Watcher, WatchEvent
from flyteapps_contract.targets.endpoint import Address, EndpointTarget
from flyteapps_contract.targets.planes import PlanesTarget
from flyteapps_contract.traces.trace import app_of
from flyteapps_contract.verification import fresh_run
from flyteapps_fake import FakeControlPlane
from mutants import flyte_oss_drawn
from mutants.planting import Mutant

from . import standins
from .direct_link import DirectLink

FEW, MANY = 25, 400


def test_the_stand_in_is_clean() -> None:
    """No sequence breaks a guarantee, and the same seed gives the same run."""
    first, again = (_searched(standins.oss_direct(), FEW, 1) for _ in range(2))
    assert first.violation is None, (first.violation, first.sequence)
    assert first.tried == FEW
    assert first.commands == again.commands
    assert first.commands["create"] > FEW


@pytest.mark.slow
def test_many_sequences_are_clean() -> None:
    """So it is through many."""
    found = _searched(standins.oss_direct(), MANY, 2)
    assert found.violation is None, (found.violation, found.sequence)
    assert found.tried == MANY


@pytest.mark.matrix
@pytest.mark.parametrize("target", [standins.lenient_oss_in_process, standins.oss_over_connect, standins.oss_over_grpc])
def test_every_stand_in_is_clean(target: Callable[[], PlanesTarget]) -> None:
    """So it is without a cluster behind it, and over a wire."""
    found = _searched(target(), 10, 1)
    assert found.violation is None, (found.violation, found.sequence)


@pytest.mark.matrix
@pytest.mark.parametrize("protocol", ["connect", "grpc"])
@pytest.mark.parametrize("clock", ["realtime", "auto"])
@pytest.mark.parametrize("kubernetes", ["none", "knative"])
def test_an_endpoint_is_clean(clock: str, protocol: str, kubernetes: str) -> None:
    """So is a plane that runs by itself, whatever checks what is written; what the sequences create is removed."""
    with FakeControlPlane(dialect=FLYTE_OSS, clock=clock, kubernetes=kubernetes) as plane:  # type: ignore[arg-type]  # one of its names
        server = plane.serve()
        endpoint = server.grpc_target if protocol == "grpc" else server.url
        target = EndpointTarget(Address.parse(endpoint), protocol, dialect=FLYTE_OSS)  # type: ignore[arg-type]  # likewise
        run = fresh_run(target)
        found = search(target, run, SearchOptions(count=4, seed=1))
        assert found.violation is None, (found.violation, found.sequence)
        assert plane.count() == 0 and not run.left


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("guarantee", "mutant"),
    [
        ("OSS-21", flyte_oss_drawn.a_project_is_listed_with_all_its_domains),
        ("OSS-17", flyte_oss_drawn.a_stop_takes_the_payload_that_it_is_sent),
        ("OSS-28", flyte_oss_drawn.a_deletion_shows_a_stopped_app_as_running),
    ],
)
def test_a_planted_bug_is_found_and_shrunk(guarantee: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence breaks the guarantee that the bug breaks; saved and read, it does so again."""
    monkeypatch.setattr(search_module, "SHRINK_SECONDS", 3.0)
    target = standins.oss_direct()
    with mutant():
        found = search(target, fresh_run(target), SearchOptions(count=1_500, seed=1, judged=frozenset({guarantee})))
    assert found.violation is not None and guarantee in found.violation.guarantees
    assert found.violation.proof and found.script
    saved = from_json(found.saved, "found.json")
    assert (saved.commands, saved.dialect) == (found.sequence, FLYTE_OSS)
    with mutant():
        outcome = replay(target, fresh_run(target), saved)
    assert outcome.verdict is Verdict.BROKEN and guarantee in outcome.guarantees
    assert replay(target, fresh_run(target), saved).verdict is Verdict.HOLDS


def test_what_is_known_decides() -> None:
    """Commands are judged by what they meet: an id in another case, a stop, an unchanged spec, a missing payload."""
    target = standins.oss_direct()
    with Session(target.plane(), fresh_run(target)) as session:
        run = Interpreter(session)
        run.run(
            [
                commands.Create(SlotName.A),
                commands.CreateAgain(SlotName.A_OTHER_CASE),
                commands.Update(SlotName.A_OTHER_ORG, Payload.NONE, DesiredState.ACTIVE, Extra.NONE),
                commands.Stop(SlotName.A_OTHER_HYPHEN, bare=True),
                commands.Get(SlotName.A),
            ]
        )
        create, again, refused, stop, get = run.trace.steps[:5]
    assert [each.code for each in (create, again, refused, stop, get)] == ["OK", "OK", "INTERNAL", "OK", "OK"]
    assert app_of(get).metadata.id.name == app_of(create).metadata.id.name != app_of(again).metadata.id.name
    assert is_stopped(app_of(get).status)
    assert {"OSS-8", "OSS-4"} <= set(again.exercised) and "OSS-2" in refused.exercised


def test_an_event_may_come_after_a_snapshot_that_shows_later_changes() -> None:
    """A stream that began late may show a write of before its snapshot once more: as that write left the app."""
    first = Service(Identifier(project="p", domain="d", name="a"), Spec(container={"image": "example.org/app:1"}))
    stopped, again = replace(first, stopped=True), replace(first, spec=Spec(container={"image": "example.org/app:2"}))
    kinds = (CREATED, first), (UPDATED, stopped), (UPDATED, again)
    changes = [Change("a-p-d", kind, service, 0.0) for kind, service in kinds]
    events = [_event(CREATED, again), _event(UPDATED, stopped), _event(UPDATED, again)]
    track = Track(0, None, [], changes, ("p", "d"), present=None, late=True)
    assert track.judge(events, range(3), Urls()) == []


def test_a_watch_of_an_absent_app_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can tell that a stream has begun, a sequence gives it a moment: it has fifty commands."""
    target, asked, poll = standins.oss_direct(), list[float](), Watcher.poll
    monkeypatch.setattr(DirectLink, "opens_at_once", False)

    def recorded(watcher: Watcher, seconds: float = 0.0) -> WatchEvent | None:
        asked.append(seconds)
        return poll(watcher)

    monkeypatch.setattr(Watcher, "poll", recorded)
    with Session(target.plane(), fresh_run(target)) as session:
        Interpreter(session).run([commands.Watch(SlotName.A, nameless=False)])
    assert 0 < sum(asked) <= 0.05


def _event(kind: str, service: Service) -> WatchEvent:
    """Return an event that shows a service, which is pending where it isn't stopped."""
    app = service.shown()
    if service.stopped:
        app.status.conditions.add(deployment_status=STOPPED, message=SCALED_TO_ZERO)
    else:
        app.status.k8s_metadata.namespace = "flyte"
    return WatchEvent(kind, app, None)


def _searched(target: PlanesTarget, count: int, seed: int) -> Found:
    return search(target, fresh_run(target), SearchOptions(count=count, seed=seed))
