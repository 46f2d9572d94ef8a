"""The writes of the checks of Watch, and how they are read back; no check is here.

A history of stopped apps is moved by nothing but a client, so each write is exactly the event that it has to be.
Reading is preparation: a stream that can't be read to the last write leaves a check unjudged. Streams may show apps
of others (an org's, a fixed project's): they are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import identifier_pb2

from flyteapps_contract.outcomes import Refused, StreamEnded, Unjudged
from flyteapps_contract.session import ACTIVE, RUN, STOP, STOPPED, Session, preparing
from flyteapps_contract.streams import QUIET, Watcher, WatchEvent
from flyteapps_contract.symptoms import Ability
from flyteapps_contract.unchanged import open_surely

BURST, WRITERS = 1_500, 4
"""Updates in a row, more than any buffer that a plane may keep for a stream, and the threads that send them."""
BURST_SECONDS = 10
"""Seconds that a burst may take where the run is limited to so many calls a second."""
ROUNDS, STREAMS = 25, 12
"""Rounds of four writes that race up to so many subscriptions."""
BETWEEN = 7
"""Events of a stream, its snapshot included, before the next one is opened."""
FEW = 10
"""Events of others that are looked at for what must not come."""


class Writer:
    """Writes stopped apps and remembers each write as the event that it has to be."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self.written: list[WatchEvent] = []
        self.now: dict[str, model.App] = {}
        self._names: set[str] = set()

    def create(self, name: str | None = None, **where: str) -> model.App:
        """Create a stopped app."""
        app = self._s.given_stopped(name=name, **where)
        self.written.append(WatchEvent("create", app, None))
        self.now[app.metadata.id.name] = app
        self._names.add(app.metadata.id.name)
        return app

    def update(self, app: model.App) -> model.App:
        """Change the app as it is now, whatever state of it is passed."""
        old = self.now[app.metadata.id.name]
        new = self._s.given_update(self._s.changed(old, str(old.metadata.revision)))
        self.written.append(WatchEvent("update", new, old))
        self.now[app.metadata.id.name] = new
        return new

    def update_often(self, app: model.App) -> None:
        """Update the app some times in a row."""
        for _ in range(ROUNDS):
            self.update(app)

    def delete(self, app: model.App) -> model.App:
        """Delete the app: its last state."""
        last = self.now.pop(app.metadata.id.name)
        self._s.given_deleted(last)
        self.written.append(WatchEvent("delete", last, None))
        return last

    def own(self, events: Sequence[WatchEvent]) -> list[WatchEvent]:
        """Return those of the apps written here."""
        return [event for event in events if event.name in self._names]

    def next(self, watcher: Watcher) -> WatchEvent:
        """Return the next event of an app written here."""
        return watcher.until(lambda seen: seen.name in self._names, "an event of an app of this check")[-1]

    def opened(self, **target: object) -> Watcher:
        """Return a watch that is known to have begun: its snapshot showed the newest app."""
        watcher = self._s.watch(**target)
        newest = list(self.now)[-1]
        with preparing("reading a snapshot"):
            if Ability.SNAPSHOT in self._s.faults:
                if target.keys() <= {"project", "org"}:
                    open_surely(self._s, watcher)
                return watcher
            watcher.until(lambda seen: seen.name == newest, f"{newest} in the snapshot")
        return watcher

    def read(self, watcher: Watcher, last: model.App) -> list[WatchEvent]:
        """Return all that the stream showed of the apps written here, up to `last`, which was written once and last."""
        with preparing("reading the stream up to the last write"):
            watcher.until(lambda seen: seen.name == last.metadata.id.name, "the event of the last write")
        return self.own(watcher.seen)


class History:
    """Creations, updates, deletions and a re-creation of some stopped apps, and what a watch of the project saw."""

    def __init__(self, s: Session) -> None:
        writer = Writer(s)
        first = writer.create()
        watcher = writer.opened()
        second = writer.create()
        for app in (first, second, second, first, second):
            writer.update(app)
        writer.delete(first)
        writer.update(second)
        again = writer.create(first.metadata.id.name)
        writer.update(again)
        writer.delete(again)
        writer.delete(second)
        writer.create(first.metadata.id.name)
        self.seen = writer.read(watcher, writer.create())
        self.written = writer.written


class Race:
    """Writes from another thread, and the streams that were opened while they came."""

    def __init__(self, s: Session) -> None:
        writer = Writer(s)
        self.left, self.right = writer.create().metadata.id.name, writer.create().metadata.id.name

        def write() -> None:
            for _ in range(ROUNDS):
                writer.update(writer.now[self.left])
                writer.update(writer.now[self.right])
                writer.delete(writer.create())

        watchers: list[Watcher] = []
        with ThreadPoolExecutor(1) as pool, preparing("opening streams while another thread writes"):
            writing = pool.submit(write)
            while not writing.done() and len(watchers) < STREAMS:
                watchers.append(s.watch())
                watchers[-1].next("a snapshot")
                # some events on, so that streams begin all over the rounds, at each of their writes
                while len(watchers[-1].seen) < BETWEEN and watchers[-1].poll(QUIET) is not None:
                    pass
            writing.result()
        last = writer.create()
        self.written = writer.written
        self.streams = [writer.read(watcher, last) for watcher in watchers]

    def first_of(self, stream: Sequence[WatchEvent], name: str) -> WatchEvent:
        """Return how the stream showed the app first."""
        for event in stream:
            if event.name == name:
                return event
        raise Unjudged(f"the stream never showed {name}")


def life(s: Session) -> list[WatchEvent]:
    """Return what a watch of the project saw of an app that was deployed, changed, stopped, started and deleted."""
    anchor = s.given_stopped()
    watcher = s.watch()
    with preparing("reading a snapshot"):
        watcher.until(lambda seen: seen.app == anchor, "the snapshot")
    app = s.given_active()
    for image, state, status in (("img:2", RUN, ACTIVE), ("img:2", STOP, STOPPED), ("img:2", RUN, ACTIVE)):
        app.spec.container.image, app.spec.desired_state = image, state
        app = s.given_update(app)
        app = s.given_rest(app.metadata.id, status)
    s.given_deleted(app)
    last = s.given_stopped()
    with preparing("reading the stream up to the last write"):
        watcher.until(lambda seen: seen.name == last.metadata.id.name, "the event of the last write")
    return [event for event in watcher.seen if event.name == app.metadata.id.name]


def burst(s: Session, app: model.App) -> list[model.App]:
    """Return the app after each of many updates, from several threads where the run has no limit of calls."""
    rate = s.run.limits.calls_per_second
    threads, count = (1, min(BURST, int(rate * BURST_SECONDS))) if rate else (WRITERS, BURST)

    def write(part: int) -> list[model.App]:
        answers: list[model.App] = []
        for number in range(part, count, threads):
            new = s.changed(app, f"burst-{number}")
            new.metadata.revision = 0
            answers.append(s.given_update(new))
        return answers

    with ThreadPoolExecutor(threads) as pool:
        return [answer for answers in pool.map(write, range(threads)) for answer in answers]


def silent(watcher: Watcher) -> bool:
    """Return whether the stream shows nothing; a refusal shows nothing either."""
    try:
        return watcher.poll(QUIET) is None
    except (Refused, StreamEnded):
        return True


def namesakes(s: Session, app: model.App) -> list[model.App]:
    """Return stopped apps of that name in another project and in another domain, not yet created."""
    name = app.metadata.id.name
    return [s.app(name, state=STOP, project=s.project + "x"), s.app(name, state=STOP, domain=s.domain + "x")]


def cluster_of(app: model.App) -> identifier_pb2.ClusterIdentifier:
    """Return the cluster that the app is assigned to, as Watch takes it."""
    if not app.status.assigned_cluster:
        raise Unjudged("an active app has no assigned_cluster")
    return identifier_pb2.ClusterIdentifier(organization=app.metadata.id.org, name=app.status.assigned_cluster)


def next_of(watcher: Watcher, name: str) -> WatchEvent:
    """Return the next event of that app."""
    return watcher.until(lambda seen: seen.name == name, f"an event of {name}")[-1]
