"""Apps as the plane stores them: immutable encoded pieces beside a small record of their index keys.

A record is never changed: a write makes a draft of it and puts a new one in its place, so a reader may keep one as
long as it likes.
"""

from __future__ import annotations

import hashlib
import sys
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Condition, Identifier, Spec, Status

from flyteapps_control.selection import AppName
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import Cause, refusal, should_run
from flyteapps_fake.core.protobuf import encode, field
from flyteapps_fake.core.time.clock import from_timestamp, set_timestamp
from flyteapps_fake.standard.conditions import History
from flyteapps_fake.standard.operators.pools import wanted_by


class AppKey(NamedTuple):
    """The id of an app, case-sensitive."""

    org: str
    project: str
    domain: str
    name: str

    @classmethod
    def of(cls, app_id: Identifier) -> AppKey:
        """Return the key of that id."""
        return cls(app_id.org, app_id.project, app_id.domain, app_id.name)

    def named(self) -> AppName:
        """Return the name without the org, as selectors have it."""
        return AppName(self.project, self.domain, self.name)

    def interned(self) -> AppKey:
        """Return the same key with its texts shared with those of other apps, for storing."""
        return AppKey(sys.intern(self.org), sys.intern(self.project), sys.intern(self.domain), self.name)

    def __str__(self) -> str:
        return "/".join(self)


class AppRecord:
    """One version of an app: its bytes in three pieces, and its index keys.

    The pieces are its metadata and spec, `front`; its Status without conditions, `status_bytes`; and those, `history`.
    """

    __slots__ = (
        "changed_at",
        "cluster",
        "counter",
        "created_at",
        "deployment",
        "desired_state",
        "front",
        "history",
        "incarnation",
        "key",
        "lease",
        "replicas",
        "revision",
        "status",
        "status_bytes",
        "substate",
        "updated_at",
        "wanted",
    )

    def __init__(self, draft: Draft, incarnation: int) -> None:
        old = draft.old
        self.key: AppKey = draft.key
        self.incarnation = incarnation
        self.history: History = draft.history
        if draft.status_read or old is None:
            status = draft.status
            self.status_bytes = encode(status)
            self.cluster = sys.intern(status.assigned_cluster)
            self.lease = from_timestamp(status.lease_expiration) if status.HasField("lease_expiration") else 0
            """When the unacknowledged lease runs out; 0 for none."""
            self.replicas = status.current_replicas
        else:
            self.status_bytes = old.status_bytes
            self.cluster = old.cluster
            self.lease = old.lease
            self.replicas = old.replicas
        self.status: int = draft.reached
        self.substate: int = draft.substate
        self.counter: int = draft.counter
        self.changed_at: int = draft.changed_at
        self.deployment: str = draft.deployment
        self.desired_state = draft.desired_state
        if draft.sent is None and old is not None:
            self.front = old.front
            self.revision = old.revision
            self.created_at = old.created_at
            self.updated_at = old.updated_at
            self.wanted = old.wanted
        else:
            assert draft.sent is not None
            self.front = encode(draft.sent)
            self.revision = draft.sent.metadata.revision
            self.created_at = from_timestamp(draft.status.created_at)
            self.updated_at = self.created_at if old is None else from_timestamp(draft.status.last_updated_at)
            self.wanted = wanted_by(draft.sent.spec)

    @property
    def encoded(self) -> bytes:
        """The encoded App."""
        return self.front + field(App.STATUS_FIELD_NUMBER, self.status_bytes + self.history.encoded)

    @property
    def size(self) -> int:
        """The size of the encoded App in bytes, or a few less."""
        return len(self.front) + len(self.status_bytes) + len(self.history.encoded)

    def parse(self) -> App:
        """Return the App as a message of the caller's own."""
        return App.FromString(self.encoded)

    def parse_front(self) -> App:
        """Return the app's metadata and spec alone."""
        return App.FromString(self.front)

    def parse_status(self) -> Status:
        """Return the app's status without conditions."""
        return Status.FromString(self.status_bytes)


class Draft:
    """An app on its way into the store: the stored one, changed by one write.

    `sent`: the metadata and spec to be stored instead of the old ones; None leaves those.
    """

    __slots__ = (
        "_last",
        "_status",
        "changed_at",
        "counter",
        "deployment",
        "desired_state",
        "history",
        "key",
        "old",
        "reached",
        "sent",
        "substate",
    )

    def __init__(self, old: AppRecord | None, sent: App | None = None) -> None:
        self.old = old
        self.sent = sent
        self._status: Status | None = None
        self._last: Condition | None = None
        if old is not None:
            self.key = old.key
            self.history: History = old.history
            self.reached, self.substate, self.counter = old.status, old.substate, old.counter
            self.changed_at = old.changed_at
        else:
            assert sent is not None
            self.key = AppKey.of(sent.metadata.id).interned()
            self.history = History()
            self.reached, self.substate, self.counter = 0, 0, 0
            self.changed_at = 0
        if sent is not None:
            self.deployment = deployment_id(sent.spec)
            self.desired_state: int = sent.spec.desired_state
        else:
            assert old is not None
            self.deployment = old.deployment
            self.desired_state = old.desired_state

    @property
    def status(self) -> Status:
        """The status without conditions; changes to it are stored."""
        if self._status is None:
            self._status = self.old.parse_status() if self.old is not None else Status()
        return self._status

    @property
    def status_read(self) -> bool:
        """Whether the status has been read, so that it may have changed."""
        return self._status is not None

    @property
    def last(self) -> Condition:
        """The last condition; `touch` stores changes to it."""
        if self._last is None:
            self._last = self.history.last()
        return self._last

    def append(self, condition: Condition, cause: Cause, now: int) -> None:
        """Append a condition, stamped by the plane. Raises FAILED_PRECONDITION for a move that is not in the table."""
        source = self.reached if len(self.history) else None
        target, substate = condition.deployment_status, condition.substate
        why = refusal(source, target, cause, substate, stopping=not should_run(self.desired_state))
        if why:
            raise RpcError(Code.FAILED_PRECONDITION, f"app {self.key.name}: {why}")
        self.reached, self.substate, self.changed_at = target, substate, now
        self.counter += 1
        condition.revision = self.counter
        set_timestamp(condition.last_transition_time, now)
        condition.deployment_id = self.deployment
        self.history = self.history.append(condition)
        self._last = condition

    def touch(self) -> None:
        """Count a change that adds no condition."""
        self.counter += 1
        self.last.revision = self.counter
        self.history = self.history.replace_last(self.last)


def deployment_id(spec: Spec) -> str:
    """Return 16 hex digits of what a cluster would run; fields that change nothing there are left out."""
    bare = Spec()
    bare.CopyFrom(spec)
    for name in ("creator", "profile", "links", "runtime_metadata", "ingress", "desired_state"):
        bare.ClearField(name)
    return hashlib.sha256(encode(bare)).hexdigest()[:16]
