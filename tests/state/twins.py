"""A plane that returns to states, against twins that took the same steps and never did."""

from __future__ import annotations

from typing import Any, NamedTuple

from google.protobuf import json_format
from innards import state_of

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane

from .driving import SETTLED, Driven, Step, new_plane

TAIL: tuple[Step, ...] = (
    ("lease", "east"),
    ("create", "p", "a", "first", "one"),
    ("update", "p", "b", "", "three", "img:9"),
    ("create", "q", "a", "choosing", ""),
    ("ask", "q", "b"),
    ("advance", 2.5),
    ("report", "q", "c", "east", "PENDING"),
    ("switch", "p", "a"),
    ("lease", "west"),
    ("advance", 40.0),
    ("delete", "p", "b"),
    ("create", "p", "b", "logging", ""),
    ("create", "p", "c", "east", ""),
    ("list", "updated_at", False),
    ("advance", 100.0),
)
"""The last steps of both: apps that are new or old, leases that run out, hosts that are free or taken."""


class Moment(NamedTuple):
    """A moment of a plane: the seed and the steps that lead there from a new plane, with their outcomes."""

    seed: int
    steps: tuple[Step, ...] = ()
    outcomes: tuple[Any, ...] = ()

    def after(self, step: Step, outcome: Any) -> Moment:
        """Return the moment after a further step."""
        return Moment(self.seed, (*self.steps, step), (*self.outcomes, outcome))

    def twin(self, **options: Any) -> Driven:
        """Return a new plane that has taken the steps, with the same outcomes."""
        driven = Driven(new_plane(self.seed, **options))
        for step, outcome in zip(self.steps, self.outcomes, strict=True):
            assert driven.take(step) == outcome, step
        return driven


class Kept(NamedTuple):
    """A snapshot, or a document: its moment, the document and hosts of then, and all images as they were."""

    moment: Moment
    document: PlaneState
    hosts: dict[str, bytes | None]
    images: list[tuple[Any, Any, Any, bytes]]


class Tried:
    """A plane that takes steps and returns to states; after each return it is compared with what it was."""

    def __init__(self, seed: int = 0, **options: Any) -> None:
        self.options = options
        self.driven = Driven(new_plane(seed, **options))
        self.moment = Moment(seed)
        self.snapshots: dict[str, Kept] = {}
        self.documents: list[tuple[bytes, Kept]] = []
        self._changed = False

    @property
    def plane(self) -> FakeControlPlane:
        """The plane as it is now."""
        return self.driven.plane

    def take(self, *steps: Step) -> Tried:
        """Take steps: those of planes, and those of this class."""
        for step in steps:
            name, *arguments = step
            if hasattr(self, name):
                getattr(self, name)(*arguments)
            else:
                self.moment = self.moment.after(step, self.driven.take(step))
        return self

    # ---- states

    def snapshot(self, name: str) -> None:
        """Take a snapshot."""
        self.plane.take_snapshot(name)
        self.snapshots[name] = self._kept()

    def restore(self, name: str) -> None:
        """Return to a snapshot."""
        if name in self.snapshots:
            self.plane.restore_snapshot(name)
            self._returned(self.snapshots[name])

    def forget(self, name: str) -> None:
        """Drop a snapshot."""
        if self.snapshots.pop(name, None) is not None:
            self.plane.drop_snapshot(name)

    def save(self) -> None:
        """Write a document."""
        kept = self._kept()
        self.documents.append((self.plane.document().SerializeToString(), kept))

    def load(self, index: int, fresh: bool = False, as_json: bool = False) -> None:
        """Load a document into this plane, or into a new one."""
        if not self.documents:
            return
        encoded, kept = self.documents[index % len(self.documents)]
        document = PlaneState.FromString(encoded)
        if as_json:
            document = json_format.Parse(json_format.MessageToJson(document), PlaneState())
        if fresh:
            self.driven = Driven(new_plane(self.moment.seed + 1, **self.options))
            self.snapshots = {}
        self.plane.load_document(document)
        self._returned(kept)

    def reset(self, seed: int) -> None:
        """Make the plane a new one, with a seed."""
        self.plane.reset_state(seed=seed)
        new = Driven(new_plane(seed, **self.options))
        self._returned(Kept(Moment(seed), new.document(), new.hosts(), []))

    def _kept(self) -> Kept:
        sections = state_of(self.plane).changes.sections
        images = [
            (section, key, image, section.encode(key, image).SerializeToString(deterministic=True))
            for section in sections
            for key in section.keys()  # noqa: SIM118  # no mapping
            if (image := section.image(key)) is not None
        ]
        return Kept(self.moment, self.driven.document(), self.driven.hosts(), images)

    def _returned(self, kept: Kept) -> None:
        ended = ("restored",)
        self.driven.restored()
        self.moment = kept.moment.after(ended, (None, []))
        assert self.driven.document() == kept.document
        assert self.driven.hosts() == kept.hosts

    # ---- what has to hold

    def prove(self) -> None:
        """Compare the plane with a twin: what is seen now, the outcomes of further steps, and the end of all timers."""
        twin = self.moment.twin(**self.options)
        compare(self.driven, twin)
        for step in TAIL:
            assert self.driven.take(step) == twin.take(step), step
        compare(self.driven, twin)
        for driven in (self.driven, twin):
            driven.advance(SETTLED)
        compare(self.driven, twin)

    def prove_all(self) -> None:
        """Prove the plane, then each snapshot, twice, and that no image has changed."""
        self.prove()
        for name in (*self.snapshots, *self.snapshots):
            self.restore(name)
            self.prove()
        for kept in (*self.snapshots.values(), *(kept for _, kept in self.documents)):
            for section, key, image, encoded in kept.images:
                assert section.encode(key, image).SerializeToString(deterministic=True) == encoded, key


def compare(one: Driven, other: Driven) -> None:
    """Compare two planes: all that clients see of them, and their documents."""
    seen, expected = one.seen(), other.seen()
    for what, value in expected.items():
        assert seen[what] == value, what
    assert one.document() == other.document()
