"""All that clients know of the apps of a server that is killed: what it acknowledged, refused, and showed.

Each app has one writer, so that its writes come one after the other; each write has a mark of its own in the app's
labels. At a kill one write of each writer may be in doubt: it was made, or never. Everything else has to be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from flyteidl2.app.app_definition_pb2 import App

MARK = "mark"
"""The label that tells the writes of an app apart."""

Life = int
"""The incarnation of an app: its created_at, in nanoseconds."""


def life_of(app: App) -> Life:
    """Return the incarnation of an app."""
    return app.status.created_at.ToNanoseconds()


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """A state of an app that a client was shown: a later one is greater."""

    life: Life
    revision: int
    condition: int
    updated: int

    @classmethod
    def of(cls, app: App) -> Seen:
        """Return the state of an app."""
        conditions = app.status.conditions
        condition = conditions[-1].revision if conditions else 0
        return cls(life_of(app), app.metadata.revision, condition, app.status.last_updated_at.ToNanoseconds())


@dataclass(frozen=True, slots=True)
class Stored:
    """An app as its last write left it."""

    life: Life
    revision: int
    mark: str


@dataclass(slots=True)
class Write:
    """A write that was sent; `before`: what was stored then."""

    verb: str
    mark: str
    before: Stored | None

    def explains(self, after: Stored | None) -> bool:
        """Return whether an app may be so after the write, whether it was made or not."""
        if after == self.before:
            return True
        if self.verb == "delete":
            return after is None
        if after is None or after.mark != self.mark:
            return False
        if self.verb == "create":
            return self.before is None and after.revision == 1
        return self.before is not None and (after.life, after.revision) == (self.before.life, self.before.revision + 1)


@dataclass(slots=True)
class Ledger:
    """The knowledge of all clients. `wrong`: what contradicts it."""

    stored: dict[str, Stored | None] = field(default_factory=dict[str, Stored | None])
    """The apps as their last acknowledged write left them; None for one that is deleted."""
    open: dict[str, Write] = field(default_factory=dict[str, Write])
    """The writes that were sent and not answered, by app."""
    wrong: list[str] = field(default_factory=list[str])
    acknowledged: int = 0
    shown: int = 0
    _sent: dict[str, str] = field(default_factory=dict[str, str])
    """The app of each mark that was sent."""
    _marks: dict[tuple[str, Life, int], str] = field(default_factory=dict[tuple[str, Life, int], str])
    """The mark of each revision of an incarnation."""
    _latest: dict[str, Seen] = field(default_factory=dict[str, Seen])
    _floor: dict[str, Seen] = field(default_factory=dict[str, Seen])
    """The last state of each app that was shown before the last kill."""
    _gone: dict[str, Life] = field(default_factory=dict[str, Life])
    """The last incarnation of each app that was shown to be gone."""
    _gone_before: dict[str, Life] = field(default_factory=dict[str, Life])
    """The same, before the last kill."""

    # ---- what writers do

    def sends(self, name: str, verb: str, mark: str) -> None:
        """Record a write that is about to be sent."""
        self._sent[mark] = name
        self.open[name] = Write(verb, mark, self.stored.get(name))

    def answered(self, name: str, app: App | None) -> None:
        """Record that the open write of an app was acknowledged; `app`: as the answer shows it."""
        write = self.open.pop(name)
        self.acknowledged += 1
        after = stored_of(app) if app is not None else None
        if after == write.before or not write.explains(after):
            self.wrong.append(f"{name}: {write.verb} of {write.before} was answered with {after}")
        self.stored[name] = after
        if app is not None:
            self.shows(app)
        elif write.before is not None:
            self.gone(name, write.before.life)

    def refused(self, name: str, code: str) -> None:
        """Record that the open write of an app was refused: it changed nothing."""
        write = self.open.pop(name)
        if write.verb != "delete" or code != "FAILED_PRECONDITION":  # of an app that has not stopped
            self.wrong.append(f"{name}: {write.verb} of {write.before} was refused with {code}")

    # ---- what readers see

    def shows(self, app: App) -> None:
        """Record that a client was shown an app."""
        name, seen, mark = app.metadata.id.name, Seen.of(app), app.metadata.labels.get(MARK, "")
        self.shown += 1
        if self._sent.get(mark) != name:
            self.wrong.append(f"{name}: nobody wrote {mark!r}, which {seen} shows")
        known = self._marks.setdefault((name, seen.life, seen.revision), mark)
        if known != mark:
            self.wrong.append(f"{name}: revision {seen.revision} is of {known} and of {mark}")
        floor = self._floor.get(name)
        if floor is not None and seen < floor:
            self.wrong.append(f"{name}: {seen} is shown after the kill, and {floor} was before it")
        if seen.life <= self._gone_before.get(name, 0):
            self.wrong.append(f"{name}: {seen} is shown after the kill, and was gone before it")
        latest = self._latest.get(name)
        if latest is None or seen > latest:
            self._latest[name] = seen

    def gone(self, name: str, life: Life) -> None:
        """Record that a client was shown that an incarnation of an app is gone."""
        self._gone[name] = max(life, self._gone.get(name, 0))

    # ---- kills

    def killed(self) -> None:
        """Record that the server was killed: all that was shown by now has to hold from now on."""
        self._floor, self._gone_before = dict(self._latest), dict(self._gone)

    def judge(self, apps: Iterable[App]) -> None:
        """Compare all apps of the server that was started again, as it lists them, with what clients know."""
        found: dict[str, App] = {}
        for app in apps:
            name = app.metadata.id.name
            if name in found:
                self.wrong.append(f"{name}: is listed twice")
            found[name] = app
            self.shows(app)
        for name in sorted({*found, *self.stored, *self.open}):
            app = found.get(name)
            after, write = stored_of(app) if app is not None else None, self.open.pop(name, None)
            known = self.stored.get(name)
            floor = self._floor.get(name)
            if write is None and after != known:
                self.wrong.append(f"{name}: is {after} after the kill, and was acknowledged as {known}")
            elif write is not None and not write.explains(after):
                self.wrong.append(f"{name}: is {after} after the kill, during {write}")
            elif after is None and floor is not None and floor.life > self._gone.get(name, 0):
                if write is None or write.verb != "delete" or write.before is None:
                    self.wrong.append(f"{name}: is gone after the kill, and {floor} was shown before it")
                self.gone(name, floor.life)
            self.stored[name] = after


def stored_of(app: App) -> Stored:
    """Return an app as its last write left it."""
    return Stored(life_of(app), app.metadata.revision, app.metadata.labels.get(MARK, ""))
