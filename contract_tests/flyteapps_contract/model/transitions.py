"""The rules of an app's status between two observations of it, given the writes in between: pure functions.

Each yields violations: their guarantees, a text, and the lines of a script (violations.py). `now` and `then` are
the script's words for the later and the earlier observation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_contract.model import lifecycle, updates
from flyteapps_contract.model.reports import KEPT, deployment_id, time_of
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.wording import differing, shown

STOP = model.Spec.DESIRED_STATE_STOPPED
EARLY = (lifecycle.UNASSIGNED, lifecycle.ASSIGNED)
"""An update adds no condition to these, so that the last one may speak of an older spec."""


@dataclass(frozen=True, slots=True)
class Observation:
    """An app as it was read, and the script's word for it."""

    app: model.App
    word: str


def status_of(app: model.App) -> int:
    """Return the status of the last condition, 0 where there is none."""
    return app.status.conditions[-1].deployment_status if app.status.conditions else 0


def first_observation(now: Observation, *, at_once: bool, at_hand: bool) -> Iterator[Violation]:
    """Of an app since its creation. `at_once`: nothing but the creation happened; `at_hand`: a cluster leases it."""
    app = now.app
    stopping = app.spec.desired_state == STOP
    statuses = [each.deployment_status for each in app.status.conditions]
    line = f"[each.deployment_status for each in {now.word}.status.conditions]"
    first = lifecycle.STOPPED if stopping else lifecycle.UNASSIGNED
    if at_once:
        expected = [first] if stopping or not at_hand else [first, lifecycle.ASSIGNED]
        if statuses[:1] != [first]:
            yield Violation(("CR-4",), f"the first condition should be {_name(first)}", f"{line}[:1] == {[first]}")
        if statuses != expected:
            text = f"a new app should be {_names(expected)}, but is {_names(statuses)}"
            yield Violation(("LE-6",) if at_hand else ("CR-4", "LE-1"), text, f"{line} == {expected}")
    elif len(statuses) < KEPT and statuses[:1] not in ([lifecycle.UNASSIGNED], [lifecycle.STOPPED]):
        yield Violation(("CR-4",), "the first condition should be UNASSIGNED or STOPPED", f"{line}[0] in (1, 6)")
    if not app.status.HasField("created_at"):
        yield Violation(("CR-1",), "an app should say when it was created", f"{now.word}.status.HasField('created_at')")


def any_observation(now: Observation) -> Iterator[Violation]:
    """Of an app at any time."""
    app = now.app
    if odd := lifecycle.misfit(app.status.conditions):
        yield Violation(("US-2",), f"no substate of that status: {odd}", _in_words(now, "conditions"))
    if not app.metadata.id.org:
        yield Violation(("ID-1",), "a returned app should carry an org", f"{now.word}.metadata.id.org != ''")
    if not app.spec.creator.WhichOneof("principal"):
        line = f"{now.word}.spec.creator.WhichOneof('principal') is not None"
        yield Violation(("ID-4", "CR-3"), "an app should have a creator", line)
    if status_of(app) == lifecycle.STOPPED and app.status.assigned_cluster:
        yield Violation(("LE-5", "LE-1"), "a STOPPED app has no cluster", f"{now.word}.status.assigned_cluster == ''")
    last = [each for each in app.status.conditions[-1:] if each.deployment_status not in EARLY]
    if last and last[0].deployment_id not in ("", deployment_id(app.spec)):
        expected = deployment_id(app.spec)
        line = f"{now.word}.status.conditions[-1].deployment_id == {expected!r}"
        yield Violation(("US-4",), f"the deployment_id should be {expected}, but is {last[0].deployment_id}", line)
    if len(app.status.conditions) > KEPT:
        line = f"len({now.word}.status.conditions) <= {KEPT}"
        yield Violation(("US-5",), f"{len(app.status.conditions)} conditions are kept", line)


def next_observation(then: Observation, now: Observation, *, updated: int) -> Iterator[Violation]:
    """Of the same incarnation later, after so many updates, and whatever its cluster did."""
    before, after = then.app.status, now.app.status
    if after.created_at != before.created_at:
        line = f"{now.word}.status.created_at == {then.word}.status.created_at"
        yield Violation(("UP-2",), f"created_at should stay: {_moved(before.created_at, after.created_at)}", line)
    stamps = _moved(before.last_updated_at, after.last_updated_at)
    moved = time_of(after.last_updated_at) > time_of(before.last_updated_at)
    if after.last_updated_at != before.last_updated_at and not updated:
        line = f"{now.word}.status.last_updated_at == {then.word}.status.last_updated_at"
        yield Violation(
            ("US-6",),
            f"last_updated_at should move on Create and Update only: {stamps}",
            line,
        )
    if updated and not moved:
        line = f"{now.word}.status.last_updated_at.ToNanoseconds() > {then.word}.status.last_updated_at.ToNanoseconds()"
        yield Violation(
            ("UP-2", "US-6"),
            f"last_updated_at should move with an update: {stamps}",
            line,
        )
    yield from _conditions(then, now, updated=updated)


def _conditions(then: Observation, now: Observation, *, updated: int) -> Iterator[Violation]:
    before, after = list(then.app.status.conditions), list(now.app.status.conditions)
    if not before or not after:
        if before:
            yield Violation(("US-1", "US-5"), "its conditions are gone", f"len({now.word}.status.conditions) > 0")
        return
    if len(before) + 1 < KEPT and len(after) < KEPT:
        kept = len(after) >= len(before) and after[: len(before) - 1] == before[:-1]
        kept = kept and _unstamped(after[len(before) - 1]) == _unstamped(before[-1])
        if not kept:
            count = len(before) - 1
            line = f"list({now.word}.status.conditions)[:{count}] == list({then.word}.status.conditions)[:{count}]"
            more = f"len({now.word}.status.conditions) >= {len(before)}"
            yield Violation(
                ("US-1", "US-5", "CR-4"),
                f"conditions should only be appended:\n{differing(then.app, now.app)}",
                more,
                line,
            )
            return
        new = after[len(before) - 1 :]
        if updated <= 1 and (found := _path_violation(new, then.app, now.app, updated=updated)):
            statuses = {each.deployment_status for each in new[1:]}
            more = (
                ("LE-2",) if lifecycle.UNASSIGNED in statuses else ("LE-1",) if lifecycle.ASSIGNED in statuses else ()
            )
            yield Violation(("US-2", "UP-5", "UP-7", *more), found, _in_words(now, "conditions"))
        if len(new) > 1 and new[-1].revision <= new[0].revision:
            yield _counter(now, then, "with every new condition")
    if after[-1].revision < before[-1].revision:
        yield _counter(now, then, "or stay")


def _path_violation(path: Sequence[model.Condition], then: model.App, now: model.App, *, updated: int) -> str:
    """Return why no order of the cluster's reports and of the update, if there was one, leads along that path."""
    was, stopping = then.spec.desired_state == STOP, now.spec.desired_state == STOP
    found = lifecycle.violation(path, renewed=False, stopping=stopping)
    if not updated or not found:
        return found
    for place in range(1, len(path)):
        before = lifecycle.violation(path[:place], renewed=False, stopping=was)
        if not before and not lifecycle.violation(path[place - 1 :], renewed=True, stopping=stopping):
            return ""
    return found


def after_update(then: Observation, now: Observation, reason: str) -> Iterator[Violation]:
    """Yield the violations in the response of an Update, where only this client moves the app."""
    expected = updates.appended(then.app, now.app.spec.desired_state)
    before, after = then.app.status.conditions, now.app.status.conditions
    count = len(before) + (expected is not None)
    if len(before) >= KEPT - 1:
        return
    line = f"[each.deployment_status for each in {now.word}.status.conditions][{len(before)}:]"
    if len(after) != count or (expected is not None and after[-1].deployment_status != expected):
        said = _names([expected] if expected is not None else [])
        got = _names([each.deployment_status for each in after[len(before) :]])
        text = f"the update should append {said}, but appended {got}"
        yield Violation(("UP-5",), text, f"{line} == {[expected] if expected is not None else []}")
    elif expected is not None and reason not in after[-1].message:
        line = f"{reason!r} in {now.word}.status.conditions[-1].message"
        yield Violation(("UP-6",), f"the reason {reason!r} should be in {after[-1].message!r}", line)


def unmoved(then: Observation, now: Observation, blame: tuple[str, ...]) -> Iterator[Violation]:
    """Yield the violations of an app that was not changed."""
    if now.app != then.app:
        text = f"nothing changed {now.app.metadata.id.name}, but it is not as it was:\n{differing(then.app, now.app)}"
        yield Violation(blame, text, f"{now.word} == {then.word}")


def _counter(now: Observation, then: Observation, when: str) -> Violation:
    line = f"{now.word}.status.conditions[-1].revision >= {then.word}.status.conditions[-1].revision"
    strictly = line.replace(">=", ">") if when != "or stay" else line
    return Violation(("US-1",), f"the counter should grow {when}", strictly)


def _moved(before: Timestamp, after: Timestamp) -> str:
    return f"it was {shown(before)}, and is {shown(after)}"


def _unstamped(condition: model.Condition) -> bytes:
    other = model.Condition()
    other.CopyFrom(condition)
    other.revision = 0
    return other.SerializeToString(deterministic=True)


def _in_words(now: Observation, field: str) -> str:
    return f"{field}_follow({now.word})"


def _name(status: int) -> str:
    return lifecycle.text_of(model.Condition(deployment_status=status))  # type: ignore[arg-type]  # a plain int


def _names(statuses: Sequence[int]) -> str:
    return " ".join(map(_name, statuses)) or "nothing"
