"""The rules of a watch stream, as pure functions over what a stream showed or should show; no session, no plane.

A rule takes the events in their order and returns the first violation, "" where it holds. Each rule judges
one thing only: where an event can't be judged because it breaks another rule, it is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.streams import WatchEvent
from flyteapps_contract.wording import differing

Key = tuple[str, str, str, str]
Mark = tuple[str, str, int, int]


def key_of(app: model.App) -> Key:
    """Return the app's id as something to sort and look up by."""
    app_id = app.metadata.id
    return (app_id.org, app_id.project, app_id.domain, app_id.name)


def created_at(app: model.App) -> tuple[int, int]:
    """Return when it was created, to compare by."""
    stamp = app.status.created_at
    return (stamp.seconds, stamp.nanos)


def mark_of(kind: str, app: model.App) -> Mark:
    """Return what tells one write of a stopped app from all others, whatever kind of event shows it.

    A creation and an update leave a revision of an incarnation that no other write leaves. A deletion has none of its
    own, and what it carries is another rule's business: it is known by its name alone.
    """
    name = app.metadata.id.name
    if kind == "delete":
        return ("gone", name, 0, 0)
    stamp = app.status.created_at
    return ("write", name, app.metadata.revision, stamp.seconds * 10**9 + stamp.nanos)


def marks(events: Iterable[WatchEvent]) -> list[Mark]:
    """Return the events' marks."""
    return [mark_of(event.kind, event.app) for event in events]


def ids(events: Iterable[WatchEvent]) -> set[Key]:
    """Return the ids that the events showed; an event without an app shows none."""
    return {key_of(event.app) for event in events if event.name}


def in_snapshot_order(apps: Sequence[model.App]) -> list[str]:
    """Return the names as a snapshot shows them: by created_at, then id."""
    return [app.metadata.id.name for app in sorted(apps, key=lambda app: (created_at(app), key_of(app)))]


def fold(events: Iterable[WatchEvent]) -> dict[Key, model.App]:
    """Return the apps that are there after these events."""
    apps: dict[Key, model.App] = {}
    for event in events:
        if event.kind == "delete":
            apps.pop(key_of(event.app), None)
        else:
            apps[key_of(event.app)] = event.app
    return apps


def first_event_rule(events: Sequence[WatchEvent]) -> str:
    """Return a CreateEvent exactly where the stream shows an incarnation for the first time.

    That is for targets that an app does not leave while it exists; an event that comes again is passed over.
    """
    shown: dict[tuple[Key, tuple[int, int]], WatchEvent] = {}
    for at, event in enumerate(events):
        incarnation = (key_of(event.app), created_at(event.app))
        last = shown.get(incarnation)
        if event.kind == "create" and last is not None and last.app != event.app:
            return f"event {at}: a create event of {event.name}, which the stream had shown before"
        if event.kind == "update" and last is None:
            return f"event {at}: an update event of {event.name}, which the stream had not shown before"
        shown[incarnation] = event
    return ""


def previous_rule(events: Sequence[WatchEvent]) -> str:
    """Return an UpdateEvent's old_app is the app of the event before, of the same app.

    An event that comes again is passed over, one that has to be a CreateEvent, after a deletion, and one before which
    others are missing.
    """
    before: dict[Key, WatchEvent] = {}
    for at, event in enumerate(events):
        last = before.get(key_of(event.app))
        judged = event.kind == "update" and last is not None and last.kind != "delete" and last.app != event.app
        if judged and last is not None and event.old != last.app and not _is_missed(last.app, event):
            shown = "  there is none" if event.old is None else differing(last.app, event.old)
            return f"event {at}: old_app of {event.name} is not the app of the event before:\n{shown}"
        before[key_of(event.app)] = event
    return ""


def last_state_rule(events: Sequence[WatchEvent]) -> str:
    """Return a DeleteEvent carries the app as the event before left it."""
    before: dict[Key, model.App] = {}
    for at, event in enumerate(events):
        known = before.get(key_of(event.app))
        if event.kind == "delete" and known is not None and event.app != known and not _is_later(event.app, known):
            return f"event {at}: the delete event of {event.name} lacks its last state:\n{differing(known, event.app)}"
        before[key_of(event.app)] = event.app
    return ""


def unique_rule(events: Sequence[WatchEvent]) -> str:
    """No event shows twice: an app is another after each, whatever kind shows it, and is deleted only once.

    Every commit moves the plane's clock, so no two creations of an id look alike.
    """
    shown: dict[Key, set[bytes]] = {}
    before: dict[Key, WatchEvent] = {}
    for at, event in enumerate(events):
        key, state = key_of(event.app), event.app.SerializeToString(deterministic=True)
        last = before.get(key)
        before[key] = event
        if event.kind == "delete":
            if last is not None and last.kind == "delete" and last.app == event.app:
                return f"event {at}: the delete event of {event.name} came twice"
        elif event.kind == "create" and last is not None and last.kind == "delete":
            shown[key] = {state}
        elif state in shown.setdefault(key, set()):
            return f"event {at}: the {event.kind} event of {event.name} shows a state that was shown before"
        else:
            shown[key].add(state)
    if not all(map(_at_rest, events)):
        return ""  # the cluster moves those apps within a revision, so that a mark is no write of its own
    return _repeated(mark for mark in marks(events) if mark[0] == "write")


def step_rule(events: Sequence[WatchEvent]) -> str:
    """No two commits are merged: from one event of an app to the next there is at most one new condition."""
    before: dict[Key, model.App] = {}
    for at, event in enumerate(events):
        known = before.get(key_of(event.app))
        if event.kind == "update" and known is not None:
            more = len(event.app.status.conditions) - len(known.status.conditions)
            if more > 1:
                return f"event {at}: {event.name} has {more} more conditions than one event before"
        before[key_of(event.app)] = event.app
    return ""


def merged_rule(events: Sequence[WatchEvent]) -> str:
    """No two updates are one event: one that follows on what was shown before is the next revision."""
    before: dict[Key, model.App] = {}
    for at, event in enumerate(events):
        known = before.get(key_of(event.app))
        if event.kind == "update" and known is not None and event.old == known:
            first, last = known.metadata.revision, event.app.metadata.revision
            if last > first + 1:
                return f"event {at}: {event.name} goes from revision {first} to {last} in one event"
        before[key_of(event.app)] = event.app
    return ""


def gap_rule(events: Sequence[WatchEvent]) -> str:
    """No event of an app is missing: each follows on what was shown before, on what is older, or on what comes late."""
    before: dict[Key, WatchEvent] = {}
    for at, event in enumerate(events):
        last = before.get(key_of(event.app))
        missed = last is not None and last.kind != "delete" and _is_missed(last.app, event)
        if missed and not any(each.app == event.old for each in events[at + 1 :]):
            return f"event {at}: before the {event.kind} event of {event.name} one is missing"
        before[key_of(event.app)] = event
    return ""


def late_rule(events: Sequence[WatchEvent]) -> str:
    """No event of an app comes after one that shows what became of it later."""
    before: dict[Key, WatchEvent] = {}
    for at, event in enumerate(events):
        last = before.get(key_of(event.app))
        if event.kind == "update" and last is not None and _is_later(last.app, event.app):
            return f"event {at}: the update event of {event.name} comes after that of a later state"
        before[key_of(event.app)] = event
    return ""


def without_duplicates(events: Iterable[WatchEvent]) -> list[WatchEvent]:
    """Return the events less those that came before; a deletion comes again if nothing of its app came between."""
    kept: list[WatchEvent] = []
    seen: set[Mark] = set()
    last: dict[Key, str] = {}
    for event in events:
        mark = mark_of(event.kind, event.app)
        again = last.get(key_of(event.app)) == "delete" if event.kind == "delete" else mark in seen
        if not again:
            kept.append(event)
        seen.add(mark)
        last[key_of(event.app)] = event.kind
    return kept


RULES: tuple[tuple[str, Callable[[Sequence[WatchEvent]], str], str], ...] = (
    ("WA-4", unique_rule, "unique"),
    ("WA-3", late_rule, "in_order"),
    ("WA-3", merged_rule, "one_by_one"),
    ("WA-5", gap_rule, "gapless"),
    ("WA-7", first_event_rule, "first_sight"),
    ("WA-6", previous_rule, "previous"),
    ("WA-7", last_state_rule, "last_state"),
    ("WA-3", step_rule, "step"),
)
"""The rules that need nothing but the events of a stream: the guarantee, the rule, and its name in scripts."""


def order_rule(seen: Sequence[Mark], written: Sequence[Mark]) -> str:
    """Return every write is one event, and the events come in the order of the writes."""
    for at, (shown, wrote) in enumerate(zip(seen, written, strict=False)):
        if shown != wrote:
            return f"event {at}: expected {_say(wrote)}, got {_say(shown)}"
    if len(seen) != len(written):
        return f"{len(written)} writes, but {len(seen)} events"
    return ""


def gapless_rule(seen: Iterable[Mark], written: Iterable[Mark]) -> str:
    """Return the first write that is not among the events, "" where all are; in any order, and however often."""
    missing = Counter(written) - Counter(seen)
    if not missing:
        return ""
    first = next(iter(missing))
    return f"{missing.total()} writes have no event, the first of them {_say(first)}"


def _is_missed(shown: model.App, event: WatchEvent) -> bool:
    """Return whether the event follows on a state of the app that is later than the one that was shown last."""
    if event.kind == "delete":
        return _is_later(event.app, shown)
    return event.old is not None and _is_later(event.old, shown) and _is_later(event.app, event.old)


def _is_later(app: model.App, than: model.App) -> bool:
    """Return whether it is a later state of the same incarnation."""
    return created_at(app) == created_at(than) and _age(app) > _age(than)


def _age(app: model.App) -> tuple[int, int]:
    conditions = app.status.conditions
    return app.metadata.revision, conditions[-1].revision if conditions else 0


def _repeated(found: Iterable[Mark]) -> str:
    twice = [mark for mark, count in Counter(found).items() if count > 1]
    return f"the event of {_say(twice[0])} came more than once" if twice else ""


def _say(mark: Mark) -> str:
    kind, name, revision, _ = mark
    return f"the deletion of {name}" if kind == "gone" else f"revision {revision} of {name}"


def _at_rest(event: WatchEvent) -> bool:
    """Return whether the event leaves an app that nothing but a client moves."""
    conditions = event.app.status.conditions
    stopped = model.Status.DEPLOYMENT_STATUS_STOPPED
    stopping = event.app.spec.desired_state == model.Spec.DESIRED_STATE_STOPPED
    return stopping and bool(conditions) and conditions[-1].deployment_status == stopped
