"""The apps of a scripted plane: what is stored, and the rules of its writes (CR-1 to CR-3, UP-1 to UP-5, DE-1, DE-2).

Two of its habits can be wrong on purpose: `lags`, an update leaves the old conditions standing until a report comes,
and `counts`, off on a plane without revisions, which shows one condition at a time. `page_size` bounds its pages,
whatever a client asks for.
"""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import ACTIVE, ASSIGNED, PENDING, STOP, STOPPED, UNASSIGNED, copy

ORG = "flyte"
CREATOR = "stage"
EPOCH = 1_800_000_000
OPENING = "Either the change has already been applied, or"


class Apps:
    """One project's apps, by name. `received` is called with every event, in order."""

    def __init__(self, received: Callable[[str, rpc.WatchResponse], None]) -> None:
        self.lags = False
        self.counts = True
        self.page_size = 100
        self._apps: dict[str, model.App] = {}
        self._heard = received
        self._ticks = 0

    def find(self, name: str) -> model.App | None:
        """Return a copy of the app as it is stored."""
        stored = self._apps.get(name)
        return copy(stored) if stored is not None else None

    def named(self, name: str) -> list[model.App]:
        """Return the app of that name, as far as there is one; with "" all of them."""
        return [copy(app) for each, app in self._apps.items() if name in ("", each)]

    def page(self, limit: int, token: str) -> tuple[list[model.App], str]:
        """Return a page by creation, and the token of the next, "" after the last. Raises Refused."""
        names = list(self._apps)
        if token and token not in names:
            raise Refused("INVALID_ARGUMENT", f"request.token: no page gave {token!r}")
        first = names.index(token) + 1 if token else 0
        end = first + min(limit or self.page_size, self.page_size)
        shown = names[first:end]
        return [copy(self._apps[name]) for name in shown], shown[-1] if end < len(names) else ""

    def require(self, name: str) -> model.App:
        """Return the same. Raises Refused with NOT_FOUND."""
        if (stored := self.find(name)) is None:
            raise Refused("NOT_FOUND", f"there is no app {name}")
        return stored

    def put(self, app: model.App) -> None:
        """Store an app exactly as it is, without an event."""
        self._apps[app.metadata.id.name] = copy(app)

    def create(self, sent: model.App) -> model.App:
        """Return a new app. Raises Refused."""
        name = sent.metadata.id.name
        if name in self._apps:
            raise Refused("ALREADY_EXISTS", f"app {name} exists")
        app = self.completed(sent)
        stops = app.spec.desired_state == STOP
        for status in (STOPPED,) if stops else (UNASSIGNED, ASSIGNED):
            self.add_condition(app, status, "created")
        self.put(app)
        self._heard(name, rpc.WatchResponse(create_event=rpc.CreateEvent(app=app)))
        return copy(app)

    def completed(self, sent: model.App) -> model.App:
        """Return a new app with what the plane adds to it, and without a condition."""
        app = model.App(metadata=sent.metadata, spec=sent.spec)
        name = app.metadata.id.name
        app.metadata.id.org = app.metadata.id.org or ORG
        app.metadata.revision = 1 if self.counts else 0
        if not app.spec.ingress.ByteSize():
            app.spec.ingress.subdomain = f"{name.lower()}-stage"
        if not app.spec.HasField("creator"):
            app.spec.creator.user.id.subject = CREATOR
        app.status.ingress.public_url = f"https://{app.spec.ingress.subdomain or name}.example.com"
        self._stamp(app.status.created_at)
        app.status.last_updated_at.CopyFrom(app.status.created_at)
        return app

    def update(self, sent: model.App, reason: str) -> model.App:
        """Return the app's next revision. Raises Refused."""
        old = self.require(sent.metadata.id.name)
        revision = old.metadata.revision
        if self.counts and sent.metadata.revision not in (0, revision):
            raise Refused("ABORTED", f"{OPENING} revision {sent.metadata.revision} isn't the stored one, {revision}")
        app = copy(old)
        app.spec.CopyFrom(sent.spec)
        if not sent.spec.ingress.ByteSize():
            app.spec.ClearField("ingress")
            if old.spec.HasField("ingress"):
                app.spec.ingress.CopyFrom(old.spec.ingress)
        app.spec.creator.CopyFrom(old.spec.creator)
        app.metadata.CopyFrom(sent.metadata)
        app.metadata.id.CopyFrom(old.metadata.id)
        app.metadata.revision = revision
        if self.counts and app == old:
            raise Refused("ABORTED", f"{OPENING} nothing would change: revision {revision} is stored")
        app.metadata.revision = revision + 1 if self.counts else 0
        self._stamp(app.status.last_updated_at)
        if not self.lags:
            self._add_updated(app, reason)
        self._store(app, old)
        return copy(app)

    def delete(self, name: str) -> None:
        """Remove the app. Raises Refused."""
        app = self.require(name)
        if app.spec.desired_state != STOP and status_of(app) != UNASSIGNED:
            raise Refused("FAILED_PRECONDITION", f"app {name} runs: set its desired state to STOPPED first")
        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove the app, whatever its state."""
        app = self._apps.pop(name)
        self._heard(name, rpc.WatchResponse(delete_event=rpc.DeleteEvent(app=app)))

    def report(self, name: str, status: int, substate: int = 0, message: str = "") -> model.App:
        """Return the cluster says where the app is: a condition and an event."""
        old = self.require(name)
        app = copy(old)
        self.add_condition(app, status, message or "reported", substate)
        app.status.current_replicas = 1 if status == ACTIVE else 0
        self._store(app, old)
        return copy(app)

    def add_condition(self, app: model.App, status: int, message: str, substate: int = 0) -> None:
        """Append a condition; where revisions aren't counted it replaces what stands there."""
        counter = app.status.conditions[-1].revision + 1 if app.status.conditions else 1
        if not self.counts:
            del app.status.conditions[:]
        added = app.status.conditions.add(message=message)
        added.deployment_status = status  # pyright: ignore[reportAttributeAccessIssue]  # an open enum
        added.substate = substate  # pyright: ignore[reportAttributeAccessIssue]  # an open enum
        added.revision = counter if self.counts else 0
        self._stamp(added.last_transition_time)

    def _add_updated(self, app: model.App, reason: str) -> None:
        last = status_of(app)
        if app.spec.desired_state == STOP:
            self.add_condition(app, STOPPED if last in (STOPPED, UNASSIGNED) else PENDING, reason)
        elif last not in (UNASSIGNED, ASSIGNED):
            self.add_condition(app, PENDING, reason)

    def _store(self, app: model.App, old: model.App) -> None:
        self.put(app)
        event = rpc.UpdateEvent(updated_app=app, old_app=old)
        self._heard(app.metadata.id.name, rpc.WatchResponse(update_event=event))

    def _stamp(self, time: Timestamp) -> None:
        self._ticks += 1
        time.FromNanoseconds(EPOCH * 10**9 + self._ticks * 1_000)


def status_of(app: model.App) -> int:
    """Return the status of its last condition, 0 without one."""
    return app.status.conditions[-1].deployment_status if app.status.conditions else 0
