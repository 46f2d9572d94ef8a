"""Documents that were edited or damaged: refused, with nothing changed, or taken by a plane that can be used then."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.state.document import WrongState

from . import test_flyte_oss as oss
from .driving import Driven, Step, bare, new_plane

Edit = Callable[[PlaneState], object]

STEPS: tuple[Step, ...] = (
    ("lease", "east"),
    ("create", "p", "a", "looping", "one"),
    ("create", "p", "b", "choosing", ""),
    ("create", "q", "a", "logging", "two"),
    ("create", "q", "b", "idle", ""),
    ("create", "q", "c", "east", ""),
    ("advance", 1.5),
    ("report", "q", "c", "east", "PENDING"),
    ("advance", 5.0),
    ("delete", "p", "b"),
    ("create", "p", "b", "pool", ""),
)
AFTER: tuple[Step, ...] = (
    ("update", "p", "a", "", "x", "img:3"),
    ("delete", "q", "a"),
    ("create", "q", "a", "", "two"),
    ("lease", "east"),
    ("report", "q", "c", "east", "ACTIVE"),
    ("advance", 500.0),
)
OSS: tuple[oss.Operation, ...] = (
    ("create", "demo", "proj", "rounds", "img:1", (1, 2), False),
    ("create", "other", "proj", "drawn", "img:1", (0, 3), False),
    ("create", "Demo", "second", "crash-loop", "img:1", (1, 1), False),
)
VALUES: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), -1, 0, 1, 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), -1, 0, 1, 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: (-1.0, 0.0, 1e300),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 99),
}
TEXTS = ("", "x", "a\0b", "../../x", "é" * 300)
BYTES = (b"", b"\xff", b"\n\2hi", bytes(32))


def driven() -> PlaneState:
    """Return the document of a plane of the standard dialect with apps in all sorts of states."""
    made = Driven(new_plane(3))
    for step in STEPS:
        made.take(step)
    return made.document()


def operated() -> PlaneState:
    """Return the document of a plane of the dialect flyte-oss with services that move, and cached answers."""
    plane = oss.new_plane()
    for operation in OSS:
        oss.run(plane, operation)
        plane.advance(0.5)
        oss.run(plane, ("get", *operation[1:3]))
    return bare(plane.document())


def first(document: PlaneState) -> Any:
    """Return the first app."""
    return document.standard_apps[0]


def service(document: PlaneState) -> Any:
    """Return the first service."""
    return document.flyte_oss_services[0]


def doubled(document: PlaneState) -> None:
    """Let an app be there twice."""
    document.standard_apps.add().CopyFrom(document.standard_apps[1])


def shared(document: PlaneState) -> None:
    """Let two apps have the same host."""
    document.standard_apps[1].hosts.hosts[0] = document.standard_apps[0].hosts.hosts[0]


EDITS: dict[str, tuple[Edit, str]] = {
    "twice": (doubled, r"standard_apps\[5\]: it is the second one of \[.*\"p\",\"dev\",\"b\"\]"),
    "host": (shared, r"flyte/p/dev/b: hosts: one.apps.test is that of flyte/p/dev/a, too"),
    "app": (lambda d: setattr(first(d), "app", b"\xff"), "standard_apps: the app flyte/p/dev/a: its app, status or"),
    "status": (lambda d: setattr(first(d), "status", b"\xff"), "its app, status or conditions aren't readable"),
    "no conditions": (lambda d: first(d).ClearField("conditions"), "conditions: there is none"),
    "count": (
        lambda d: setattr(first(d), "condition_count", -1),
        r"standard_apps\[0\]: condition_count: -1 is out of range",
    ),
    "state": (lambda d: setattr(first(d), "deployment_status", 77), "deployment_status: 77 doesn't agree"),
    "revision": (lambda d: setattr(first(d), "revision", 9), "revision: 9 doesn't agree with its message, which has 1"),
    "counter": (lambda d: setattr(first(d), "counter", -5), "counter: -5 is out of range"),
    "incarnation": (lambda d: setattr(first(d), "incarnation", 0), "incarnation: 0 is out of range"),
    "id": (lambda d: setattr(first(d), "name", "z"), "the app flyte/p/dev/z: id: "),
    "timer": (lambda d: setattr(first(d).timers[0], "sequence", -1), "sequence: -1 is out of range"),
    "due": (lambda d: setattr(first(d).timers[0], "due", -1), "due: -1 is before 1970"),
    "timers": (lambda d: first(d).timers.add().CopyFrom(first(d).timers[0]), "timers: there are two of a kind"),
    "place": (lambda d: setattr(first(d).run.place.frames[0], "index", -1), "a run is at a place that its steps don't"),
    "no time": (lambda d: d.ClearField("time"), "time: it is missing"),
    "now": (lambda d: setattr(d.time, "now", -1), "time.now: -1 is no time of a plane"),
    "scheduled": (lambda d: setattr(d.time, "scheduled", 2**63 - 1), "time.scheduled: 9223372036854775807 is out of"),
}
OSS_EDITS: dict[str, tuple[Edit, str]] = {
    "spec": (lambda d: setattr(service(d), "spec", b"\xff"), "flyte_oss_services: the service .*: Error parsing"),
    "condition": (lambda d: setattr(service(d).conditions[0], "type", "x"), "conditions: the type 'x' is none of"),
    "replicas": (lambda d: setattr(service(d), "replicas", -1), "replicas: -1 is out of range"),
    "bounds": (
        lambda d: setattr(service(d).rollout.bounds, "minimum", 2**62),
        "minimum: 4611686018427387904 is out of",
    ),
    "answer": (
        lambda d: setattr(d.flyte_oss_answers[0], "app", b"\xff"),
        "flyte_oss_answers: the answer .*: Error pars",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_document_that_was_edited(edit: str) -> None:
    """It is refused with the place and the reason, and the plane is what it was."""
    change, message = EDITS[edit]
    document = driven()
    change(document)
    other = Driven(new_plane(9))
    other.take(("create", "p", "z", "", ""))
    before = other.document()
    with pytest.raises(WrongState, match=message):
        other.plane.load_document(document)
    assert other.document() == before


@pytest.mark.parametrize("edit", OSS_EDITS)
def test_a_document_of_flyte_oss_that_was_edited(edit: str) -> None:
    """It is refused with the place and the reason, and the plane is what it was."""
    change, message = OSS_EDITS[edit]
    document = operated()
    change(document)
    plane = oss.new_plane()
    oss.run(plane, OSS[0])
    before = bare(plane.document())
    with pytest.raises(WrongState, match=message):
        plane.load_document(document)
    assert bare(plane.document()) == before


def places(message: Message) -> Iterator[tuple[Message, FieldDescriptor, int | None]]:
    """Yield all fields that are set, with the index of each value of a list."""
    for found, value in message.ListFields():
        if found.message_type is not None and found.message_type.GetOptions().map_entry:
            continue
        is_message = found.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE
        for index, each in enumerate(value) if found.is_repeated else [(None, value)]:
            yield message, found, index
            if is_message:
                yield from places(each)


def edited(document: PlaneState, draws: random.Random) -> str:
    """Change one field of a document; return which."""
    message, found, index = draws.choice(
        [each for each in places(document) if each[1].name not in ("format", "dialect")]
    )
    value: Any = None
    if index is not None and draws.random() < 0.5:
        del getattr(message, found.name)[index]
    elif found.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        message.ClearField(found.name)
    else:
        if found.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            value = draws.choice(BYTES if found.type == FieldDescriptor.TYPE_BYTES else TEXTS)
        else:
            value = draws.choice(VALUES[found.cpp_type])
        if index is None:
            setattr(message, found.name, value)
        else:
            getattr(message, found.name)[index] = value
    return f"{found.full_name}[{index}] = {value!r}"


def use(made: Driven) -> None:
    """Use a plane: read all, let time pass, and write."""
    made.seen()
    new_plane(1).load_document(made.document())
    try:
        made.advance(60.0)
    except RpcError as refused:  # steps in an order that no scenario has
        assert refused.code is Code.FAILED_PRECONDITION
    for step in AFTER:
        made.take(step)
    made.seen()
    made.document()


def use_oss(plane: FakeControlPlane) -> None:
    """Use a plane of flyte-oss: read all, let time pass, and write."""
    for moves in (0.0, 3.0, 200.0):
        plane.advance(moves)
        for name in oss.NAMES:
            for project in oss.PROJECTS:
                oss.run(plane, ("get", name, project))
        plane.statuses(oss.AppSelector())
    oss.new_plane(1).load_document(plane.document())
    for operation in OSS:
        oss.run(plane, operation)
    plane.advance(200.0)
    plane.document()


@pytest.mark.slow
def test_any_document() -> None:
    """One with any field changed is refused, with nothing changed, or the plane that takes it can be used."""
    kept = {"standard": driven().SerializeToString(), "flyte-oss": operated().SerializeToString()}
    for number in range(160):
        draws = random.Random(number)
        dialect = draws.choice([*kept])
        document = PlaneState.FromString(kept[dialect])
        what = f"{number}: {edited(document, draws)}"
        plane = new_plane(9) if dialect == "standard" else oss.new_plane()
        before = bare(plane.document())
        try:
            plane.load_document(document)
        except WrongState:
            assert bare(plane.document()) == before, what
            continue
        try:
            use(Driven(plane)) if dialect == "standard" else use_oss(plane)
        except Exception as error:
            error.add_note(what)
            raise
