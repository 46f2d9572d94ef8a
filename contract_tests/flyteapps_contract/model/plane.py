"""The oracle of a whole plane: what may be stored under each id, given every call so far and what it answered.

Where the outcome of a call is unknown, there are several branches: each later response keeps those that explain it,
and one that none explains is a violation. What only the plane can know (times, the host that it generates) is taken
from the first response that shows it. Nothing here calls a plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common.identity_pb2 import EnrichedIdentity

from flyteapps_contract.model import apps, transitions, updates
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation, about, code_proof, differences, field_proofs
from flyteapps_contract.wording import differing

OK = "OK"
STOP = model.Spec.DESIRED_STATE_STOPPED

Codes = Mapping[str, tuple[str, ...]]
"""Codes with which a call may be refused, each with the guarantees that say so."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One possible state of an id: metadata and spec as far as they are known, None for no app.

    `created`: it was created since the app was last read; `updates`: it was updated so often since.
    """

    front: model.App | None
    created: bool = False
    updates: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected outcome of a call on one branch: refused with one of `codes`, or taken, and what it leads to."""

    codes: Codes
    after: Branch
    says: tuple[str, ...]
    opening: str = ""
    field: str = ""


Expect = Callable[[Branch], Expected]
"""The expectation of a call on a branch."""


@dataclass(slots=True)
class Entry:
    """The knowledge of one id."""

    name: str
    branches: list[Branch] = field(default_factory=lambda: [Branch(None)])
    seen: Observation | None = None
    past: list[model.App] = field(default_factory=list[model.App])
    existed: bool = False
    blame: list[str] = field(default_factory=list[str])
    """The guarantees of the calls that were answered since it was seen."""
    lost: list[str] = field(default_factory=list[str])
    """The same of calls whose answers were lost."""
    passed: bool = False
    """Whether something may have happened to it that no call asked for, since it was seen."""

    @property
    def may_exist(self) -> bool:
        """Whether there may be an app."""
        return any(branch.front is not None for branch in self.branches)

    @property
    def known(self) -> bool:
        """Whether it is as it was last seen, or known to be absent."""
        if len(self.branches) > 1 or self.passed:
            return False
        branch = self.branches[0]
        return branch.front is None or (self.seen is not None and not branch.created and not branch.updates)

    @property
    def app(self) -> model.App | None:
        """The app as last seen, where that is how it is."""
        return self.seen.app if self.known and self.branches[0].front is not None and self.seen is not None else None


class PossibleStates:
    """Everything that is known of a plane."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.caller: EnrichedIdentity | None = None
        self.org = ""

    def entry(self, name: str) -> Entry:
        """Return what is known of an id, `name` being any word for it."""
        return self.entries.setdefault(name, Entry(name))

    # ---- writes

    def judge(self, entry: Entry, number: int, code: str, expect: Expect, message: str = "") -> None:
        """Judge the code of step `number`, and keep the branches that explain it."""
        explained: list[Branch] = []
        first: Expected | None = None
        for branch in entry.branches:
            expected = expect(branch)
            first = first or expected
            if code in expected.codes:
                explained.append(branch)
                if not message.startswith(expected.opening):
                    line = f"messages[{number}].startswith({expected.opening!r})"
                    text = f"the message should begin with {expected.opening!r}: {message}"
                    raise Violation(expected.codes[code], text, line)
            elif code == OK and not expected.codes:
                explained.append(expected.after)
        assert first is not None
        if not explained:
            raise self._unexplained(entry, number, code, first, message)
        self.blame(entry, first.codes.get(code, first.says))
        entry.branches = explained

    def lose(self, entry: Entry, expect: Expect) -> None:
        """Record a call with an unknown outcome: it was accepted, or not."""
        found = list(entry.branches)
        for branch in entry.branches:
            expected = expect(branch)
            if not expected.codes:
                found.append(expected.after)
            entry.lost += [each for each in expected.says if each not in entry.lost]
        entry.branches = found

    def blame(self, entry: Entry, guarantees: Iterable[str]) -> None:
        """Remember what the calls since the last observation were about."""
        entry.blame += [each for each in guarantees if each not in entry.blame]

    def _unexplained(self, entry: Entry, number: int, code: str, expected: Expected, message: str) -> Violation:
        wanted = tuple(expected.codes) or (OK,)
        got = code if code == OK else f"{code} ({message})"
        text = f"expected {' or '.join(wanted)}, got {got}"
        if expected.codes:
            says = tuple(each for code_says in expected.codes.values() for each in code_says)
        else:
            says = expected.says
        if "CR-1" in says and entry.existed:
            says = ("CR-5", *says)
        if code == "ABORTED" and "UP-2" in says:
            says = ("UP-4", "UP-3", *says)
        if code in ("ALREADY_EXISTS", "NOT_FOUND") or not entry.known:
            says += self._mixed_up(entry)
        return Violation(says, text, code_proof(number, wanted))

    # ---- reads

    def found(self, entry: Entry, now: Observation, says: tuple[str, ...], *, moving: bool, at_hand: bool) -> None:
        """Judge an app that an answer shows. `moving`: it may move by itself; `at_hand`: some cluster leases it."""
        fitting = [
            branch for branch in entry.branches if branch.front is not None and self._fits(branch.front, now.app)
        ]
        if not fitting:
            raise self._misfit(entry, now, says)
        branch = fitting[0]
        then, blame = entry.seen, tuple(entry.blame)
        if branch.front is not None and not branch.front.spec.HasField("creator"):
            self.caller = self.caller or now.app.spec.creator
        touched = bool(branch.updates or entry.passed or moving or len(entry.branches) > 1)
        blame = (*(blame or says), *entry.lost)
        for violation in self._violations(branch, then, now, blame, touched=touched, at_hand=at_hand):
            raise about(violation, now.app.metadata.id.name)
        self.accept(entry, now)

    def accept(self, entry: Entry, now: Observation) -> None:
        """Take an app as it is now."""
        if entry.seen is not None and entry.seen.app.metadata.revision != now.app.metadata.revision:
            entry.past.append(entry.seen.app)
        entry.branches = [Branch(model.App(metadata=now.app.metadata, spec=now.app.spec))]
        entry.seen, entry.blame, entry.lost, entry.passed, entry.existed = now, [], [], False, True
        self.org = self.org or now.app.metadata.id.org

    def absent(self, entry: Entry, says: tuple[str, ...]) -> None:
        """Judge an answer that there is no such app."""
        branches = [branch for branch in entry.branches if branch.front is None]
        if not branches:
            raise Violation((*says, *entry.blame, *entry.lost), f"{entry.name} should be there, but is NOT_FOUND")
        entry.branches, entry.blame, entry.lost, entry.passed = branches, [], [], False

    def gone_code(self, entry: Entry, number: int) -> Violation:
        """Return an answer that should have been NOT_FOUND."""
        if entry.existed and not entry.blame:
            says: tuple[str, ...] = ("DE-3", "GE-3")
        else:
            says = tuple(entry.blame) or ("GE-1", *self._mixed_up(entry))
        return Violation((*says, *entry.lost), f"{entry.name} should not be there", code_proof(number, ("NOT_FOUND",)))

    def _violations(
        self,
        branch: Branch,
        then: Observation | None,
        now: Observation,
        blame: tuple[str, ...],
        *,
        touched: bool,
        at_hand: bool,
    ) -> Iterator[Violation]:
        yield from transitions.any_observation(now)
        if branch.created or then is None:
            yield from transitions.first_observation(now, at_once=branch.created and not touched, at_hand=at_hand)
        else:
            if not touched:
                yield from transitions.unmoved(then, now, blame)
            yield from transitions.next_observation(then, now, updated=branch.updates)

    def _misfit(self, entry: Entry, now: Observation, says: tuple[str, ...]) -> Violation:
        known = [branch.front for branch in entry.branches if branch.front is not None]
        if not known:
            blame = tuple(entry.blame) or ("DE-3" if entry.existed else "GE-1", *self._mixed_up(entry))
            text = f"{entry.name} should not be there"
            return Violation((*blame, *entry.lost), text, f"not {now.word}.metadata.id.name")
        expected = self._filled(known[-1], now.app)
        actual = model.App(metadata=now.app.metadata, spec=now.app.spec)
        stale = any((each.metadata, each.spec) == (now.app.metadata, now.app.spec) for each in entry.past)
        if stale:
            says = ("GE-3", "GE-1")
        elif set(entry.blame) - set(says):
            says = (*entry.blame, *(("GE-1",) if "GE-1" in says else ()))
        paths = list(differences(expected, actual))
        if paths and all(path.startswith("metadata.id") for path in paths):
            says = ("ID-1", *says)
        elif "CR-1" in says and all(path.startswith("spec") for path in paths):
            says = ("ID-4", "CR-3") if paths == ["spec.creator"] else ("CR-3", "SP-3")
        text = f"{now.app.metadata.id.name} is not as it was written:\n{differing(expected, actual)}"
        return Violation((*says, *entry.lost, *self._mixed_up(entry)), text, *field_proofs(now.word, expected, actual))

    def _mixed_up(self, entry: Entry) -> tuple[str, ...]:
        """ID-1, where another app has an id that is nearly the same."""
        alike = entry.name.lower().split("/")[-1]
        others = (each for each in self.entries.values() if each is not entry and (each.may_exist or each.existed))
        return ("ID-1",) if any(each.name.lower().split("/")[-1] == alike for each in others) else ()

    def _fits(self, front: model.App, app: model.App) -> bool:
        expected = self._filled(front, app)
        return expected.metadata == app.metadata and expected.spec == app.spec

    def _filled(self, front: model.App, app: model.App) -> model.App:
        """Return the front, with what only the plane could know filled in from an answer."""
        expected = apps.settled(front, app)
        if not expected.metadata.id.org:
            expected.metadata.id.org = self.org or app.metadata.id.org
        if not expected.spec.HasField("creator"):
            expected.spec.creator.CopyFrom(self.caller or app.spec.creator)
        return expected

    # ---- what writes come to

    def creating(self, sent: model.App, refused: Codes) -> Expect:
        """Return a Create; `refused`: the codes with which this request is refused whatever is stored."""

        def expect(branch: Branch) -> Expected:
            codes = dict(refused)
            if branch.front is not None:
                codes["ALREADY_EXISTS"] = ("CR-2",)
            front = apps.created(sent, self.org, self.caller or EnrichedIdentity())
            if not sent.spec.HasField("creator") and self.caller is None:
                front.spec.ClearField("creator")
            return Expected(codes, Branch(front, created=True), ("CR-1", "CR-3"))

        return expect

    def updating(self, sent: model.App, refused: Codes) -> Expect:
        """Return an Update."""

        def expect(branch: Branch) -> Expected:
            if branch.front is None:
                return Expected({**refused, "NOT_FOUND": ("UP-1",)}, branch, ("UP-2",))
            codes = dict(refused)
            opening = ""
            if sent.metadata.revision not in (0, branch.front.metadata.revision):
                codes["ABORTED"], opening = ("UP-3",), updates.OPENING
            after = updates.updated(branch.front, sent)
            if not branch.front.spec.HasField("creator"):
                after.spec.ClearField("creator")
            if "ABORTED" not in codes and _same(after, branch.front):
                codes["ABORTED"], opening = ("UP-4",), updates.OPENING
            opening = opening if list(codes) == ["ABORTED"] else ""
            return Expected(codes, replace(branch, front=after, updates=branch.updates + 1), ("UP-2",), opening)

        return expect

    def deleting(self, entry: Entry, refused: Codes) -> Expect:
        """Return a Delete."""

        def expect(branch: Branch) -> Expected:
            if branch.front is None:
                return Expected({**refused, "NOT_FOUND": ("DE-1",)}, branch, ("DE-1",))
            codes = dict(refused)
            if branch.front.spec.desired_state != STOP:
                seen = entry.seen
                same = seen is not None and not branch.created
                last = transitions.status_of(seen.app) if same and seen is not None else 0
                if last != transitions.lifecycle.UNASSIGNED or entry.passed:
                    codes["FAILED_PRECONDITION"] = ("DE-2",)
            return Expected(codes, Branch(None), ("DE-3", "DE-2"))

        return expect


def _same(after: model.App, before: model.App) -> bool:
    """Return whether an update changes nothing of what a client describes."""
    one, other = model.App(), model.App()
    one.CopyFrom(after)
    other.CopyFrom(before)
    one.metadata.revision = other.metadata.revision = 0
    return one.metadata == other.metadata and one.spec == other.spec
