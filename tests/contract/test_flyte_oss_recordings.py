"""The recording of the open-source backend, replayed on the stand-in's dialect of it: over Connect, over gRPC."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Literal, cast

import pytest

from flyteapps_contract import recordings, waiting
from flyteapps_contract.recordings.replayer import Rules, replay
from flyteapps_contract.recordings.steps import groups, header_of, load
from flyteapps_contract.targets.planes import InProcess, PlanesTarget
from flyteapps_contract.targets.target import Capabilities, Link
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.flyte_oss.simulation.recorded import recorded

from .link_at_once import LinkAtOnce

FILE = recordings.FLYTE_OSS
STEPS = load(FILE)
GROUPS = dict(groups(STEPS))
RULES = Rules.of(header_of(FILE))
CAPABILITIES = Capabilities(fresh=True, clock=True, http=True, dialect="flyte-oss")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a message that the plane has sent arrive before more of its time passes, on a busy machine, too."""
    monkeypatch.setattr(waiting, "ARRIVAL", 0.06)


def recorded_plane() -> FakeControlPlane:
    """Return a plane on the manual clock, in the environment of the recording."""
    return FakeControlPlane.of(Settings(dialect="flyte-oss", clock="manual", ingress_port=30_081), recorded)


def target(protocol: Literal["Connect", "gRPC"]) -> PlanesTarget:
    """Return planes in the recording's environment, behind their own servers."""

    def connect(plane: InProcess, stack: ExitStack) -> Link:
        return LinkAtOnce(cast("FakeControlPlane", plane), protocol)

    def move(plane: InProcess, seconds: float) -> None:
        cast("FakeControlPlane", plane).advance(seconds)

    return PlanesTarget(recorded_plane, name=protocol, capabilities=CAPABILITIES, connect=connect, move=move)


@pytest.mark.parametrize("protocol", ["Connect", "gRPC"])
@pytest.mark.parametrize("group", GROUPS)
def test_the_recording_replays_equal(group: str, protocol: Literal["Connect", "gRPC"]) -> None:
    """Every step of the group is answered as the service answered it, but for what the recording calls no evidence."""
    assert [str(each) for each in replay(target(protocol), GROUPS[group], RULES)] == []


def test_the_recording_is_whole() -> None:
    """It has all steps and groups, and its header says of what it is and what is no evidence."""
    header = header_of(FILE)
    assert header is not None
    assert (header.dialect, header.version, header.steps) == ("flyte-oss", "2.0.43", len(STEPS))
    assert header.made and header.no_evidence
    assert len(GROUPS) == len({step.group for step in STEPS})


def test_the_rules_allow_one_thing() -> None:
    """A replay may differ in one thing: runs of equal events count as one."""
    assert Rules(repeats=True) == RULES


@pytest.mark.parametrize(
    ("group", "step", "answer", "path"),
    [
        ("failed", "get failed", {"error": "NOT_FOUND"}, "error"),
        ("create", "get missing", {"message": "gone"}, "message"),
        ("http", "wrong content type", {"status": 400}, "status"),
        ("http", "6 MB request", {"content_type": "text/plain"}, "content_type"),
        ("http", "unknown method", {"body": ""}, "body"),
        ("failed", "wait f1 FAILED", {"reached": False}, "reached"),
        ("logs", "app", {"events": []}, "events.0"),
        ("watch_targets", "close org", {"end": "DEADLINE_EXCEEDED"}, "end"),
    ],
)
def test_a_planted_difference_is_found(group: str, step: str, answer: dict[str, object], path: str) -> None:
    """If the recording has another answer, the replay names that step and the place."""
    planted = [replace(each, fields=each.fields | answer) if each.name == step else each for each in GROUPS[group]]
    found = replay(target("Connect"), planted, RULES)
    assert {each.step for each in found} == {step}
    assert path in {each.path for each in found}
