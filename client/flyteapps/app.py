"""App: a handle of one app, with the methods that act on it.

Flows are imported by the methods that use them, so that a process that only reads apps doesn't load waits and logs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import conditions
from flyteapps.apps import Apps
from flyteapps.default import default_client
from flyteapps.drivers.binding import calling, calling_by, calling_self, iterating, iterating_by, making_by
from flyteapps.errors import AppDeleted, AppNotFound, WaitError
from flyteapps.flows.operations import Flow, ItemFlow, mapped
from flyteapps.states import ACTIVE, DEACTIVATED, DeploymentStatus, DesiredState, Substate
from flyteapps.support.durations import patience

if TYPE_CHECKING:
    from flyteapps.client import Client
    from flyteapps.drivers.awaiting import AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver
    from flyteapps.ephemeral import AsyncEphemeral, Ephemeral
    from flyteapps.flows.changes import ChangeKind, Seen
    from flyteapps.flows.logs import LogLine
    from flyteapps.flows.verdicts import Baseline, WaitFor
    from flyteapps.flows.waiting import Waited


def _default_apps(kind: type[App]) -> Apps:
    """The apps of the default client, with handles of that class."""
    client = default_client()
    return client.apps if kind is App else Apps(client, kind)


class App:
    """One app, as the plane last showed it to this handle.

    `pb2` is the `flyteidl2.app.App` itself. A handle follows its own writes and waits: they renew `pb2`. `waited` says
    how the last wait ended, None before the first. Class methods use the default client (`flyteapps.init`), the others
    the client that the handle came from. Every method that calls the plane blocks; its `.aio` is for asyncio. All of
    them raise `flyteapps.Error`.

    A subclass's class methods return handles of that subclass. Its constructor takes the same two arguments.
    """

    get = making_by(Apps.get, _default_apps)
    create = making_by(Apps.create, _default_apps)
    replace = making_by(Apps.replace, _default_apps)
    update = making_by(Apps.update, _default_apps)
    delete = calling_by(Apps.delete, _default_apps)
    listall = iterating_by(Apps.listall, _default_apps)

    _client: Client | None = None  # of a handle that was pickled: a client belongs to its process

    def __init__(self, pb2: definition.App, client: Client | None = None) -> None:
        """`client`: the client that this handle calls by; None is the default client."""
        self.pb2 = pb2
        self.waited: Waited | None = None
        self._client = client
        self._baseline: Baseline | None = None

    @property
    def client(self) -> Client:
        """The client that this handle calls by. Raises ConfigError if there is none."""
        if self._client is None:
            self._client = default_client()
        return self._client

    @property
    def _blocking(self) -> BlockingDriver:
        return self.client._blocking  # pyright: ignore[reportPrivateUsage]  # one package

    @property
    def _awaiting(self) -> AwaitingDriver:
        return self.client._awaiting  # pyright: ignore[reportPrivateUsage]  # one package

    @property
    def name(self) -> str:
        """The name, unique within project and domain."""
        return self.pb2.metadata.id.name

    @property
    def revision(self) -> int:
        """1 when created, one more with each update; 0 on planes that don't count."""
        return self.pb2.metadata.revision

    @property
    def endpoint(self) -> str:
        """The public URL, "" before the plane has given one."""
        return self.pb2.status.ingress.public_url

    @property
    def deployment_status(self) -> DeploymentStatus:
        """The deployment status by the last condition."""
        return conditions.status(self.pb2)

    @property
    def substate(self) -> Substate:
        """The substate, which qualifies the deployment status."""
        return conditions.substate(self.pb2)

    @property
    def message(self) -> str:
        """The plane's message about the deployment status."""
        return conditions.message(self.pb2)

    @property
    def desired_state(self) -> DesiredState:
        """The state that the app should be in."""
        return DesiredState(self.pb2.spec.desired_state)

    @property
    def url(self) -> str:
        """The page of the app in the console."""
        identifier = self.pb2.metadata.id
        return self.client.console.app_url(identifier.project, identifier.domain, identifier.name)

    def is_active(self) -> bool:
        """Return whether the deployment status is ACTIVE or STARTED, also with zero replicas."""
        return self.deployment_status in ACTIVE

    def is_deactivated(self) -> bool:
        """Return whether the deployment status is STOPPED or UNASSIGNED. An UNASSIGNED app can be about to start."""
        return self.deployment_status in DEACTIVATED

    @calling_self
    def watch(self, wait_for: WaitFor = "activated", timeout: float | None = None) -> Flow[App]:
        """Wait until the app is active ("activated") or stopped ("deactivated"), and return this handle, renewed.

        After a write through this handle it waits for that write: an older state never ends it. `timeout` in seconds,
        by default the client's. Raises DeploymentFailed, AppDeleted, WatchStalled, WaitTimeout.
        """
        from flyteapps.flows.verdicts import Baseline

        return (yield from self._wait(wait_for, self._baseline or Baseline.seen(self.pb2), timeout))

    def _wait(self, target: WaitFor, baseline: Baseline, timeout: float | None) -> Flow[App]:
        """Wait, and renew this handle by the last state seen, also if the wait fails."""
        from flyteapps.flows.waiting import Standstill, wait

        client = self.client
        standstill = Standstill(client._hint, client._tell) if client._hint() else None  # pyright: ignore[reportPrivateUsage]  # one package
        try:
            self.pb2, self.waited = yield from wait(client.settings, self.pb2, target, baseline, timeout, standstill)
        except WaitError as error:
            if error.last is not None:
                self.pb2, error.last = error.last, type(self)(error.last, self.client)
            raise
        self._baseline = None  # the write that was waited for is done: what is seen from now on counts as it is
        return self

    @calling_self
    def activate(self, wait: bool = False, timeout: float | None = None) -> Flow[App]:
        """Start the app; `wait` until it is active. A failed one is started again, a running one left alone.

        Return this handle, renewed. `timeout` of the wait in seconds, by default the client's. Raises as `watch`, and
        AppNotFound.
        """
        return (yield from self._switch("activated", wait, timeout))

    @calling_self
    def deactivate(self, wait: bool = False, timeout: float | None = None) -> Flow[App]:
        """Stop the app; `wait` until it is stopped. Return this handle, renewed. Raises as `activate`."""
        return (yield from self._switch("deactivated", wait, timeout))

    def _switch(self, target: WaitFor, waits: bool, timeout: float | None) -> Flow[App]:
        from flyteapps.flows.switching import switch

        settings, timeout = self.client.settings, patience(timeout)  # checked before anything is written
        pending = self._baseline
        self.pb2, baseline = yield from switch(settings, self.pb2.metadata.id, target)
        self._baseline = baseline.after(pending)
        return (yield from self._wait(target, self._baseline, timeout)) if waits else self

    @iterating
    def events(self, timeout: float | None = None) -> ItemFlow[Change]:
        """Iterate over the changes of the app since the state that this handle shows.

        It ends after `timeout` seconds, None for no limit. Each state is returned once, and dropped streams are opened
        again; of the states in between, the last is returned. This handle isn't renewed. Raises WatchStalled.
        """
        from flyteapps.flows.changes import changes

        return mapped(changes(self.client.settings, self.pb2.metadata.id, self.pb2, timeout), self._change)

    def _change(self, seen: Seen) -> Change:
        kind = type(self)
        old = kind(seen.old, self._client) if seen.old is not None else None
        return Change(seen.kind, kind(seen.app, self._client), old)

    @iterating
    def logs(self, replica_name: str | None = None, follow: bool = True) -> ItemFlow[LogLine]:
        """Iterate over the log lines: the backlog, then, with `follow`, new lines until no replica is left.

        Raises AppNotFound if the app has never started, Unimplemented if the plane offers no logs.
        """
        from flyteapps.flows.logs import follow_logs

        return follow_logs(self.client.settings, self.pb2.metadata.id, replica_name, follow)

    @calling
    def show_logs(
        self,
        max_lines: int = 30,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
        replica_name: str | None = None,
    ) -> Flow[None]:
        """Print the log lines as they come, until no replica is left or Ctrl-C.

        On a terminal, and with rich installed, the last `max_lines` are shown in place, unless `raw`. `show_ts`: with
        timestamps. `filter_system`: without the platform's own lines. Characters that the console's encoding lacks are
        escaped. Raises as `logs`.
        """
        from flyteapps.flows.logs import follow_logs
        from flyteapps.flows.viewing import view_logs

        flow = follow_logs(self.client.settings, self.pb2.metadata.id, replica_name, True)
        return (yield from view_logs(flow, max_lines, show_ts, raw, filter_system))

    def ephemeral_ctx(self, timeout: float | None = None) -> AsyncEphemeral[Self]:
        """Start the app, wait until it is active, and stop it at the end: `async with app.ephemeral_ctx() as running:`.

        However the block is left, also where the start failed, the app ends stopped, and the first error is the one
        that is raised. As a decorator of a coroutine function it does so for each call. `timeout` of each wait in
        seconds.
        """
        from flyteapps.ephemeral import AsyncEphemeral

        return AsyncEphemeral(self, patience(timeout))

    def ephemeral_ctx_sync(self, timeout: float | None = None) -> Ephemeral[Self]:
        """The same, blocking: `with app.ephemeral_ctx_sync() as running:`, or a decorator of a function."""
        from flyteapps.ephemeral import Ephemeral

        return Ephemeral(self, patience(timeout))

    def to_dict(self) -> dict[str, Any]:
        """Return the app as a dictionary, by protobuf's JSON mapping (camelCase keys)."""
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(self.pb2)

    def to_json(self) -> str:
        """Return the app as indented JSON."""
        from google.protobuf.json_format import MessageToJson

        return MessageToJson(self.pb2)

    def __getstate__(self) -> Any:
        state: Any = super().__getstate__()
        own, slots = _both(state)
        del own["_client"]
        return (own, slots) if slots else own

    def __copy__(self) -> Self:
        return self._copied(copy.copy)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._copied(lambda state: copy.deepcopy(state, memo))

    def _copied(self, copied: Callable[[Any], Any]) -> Self:
        """A copy, of the same client."""
        made = type(self).__new__(type(self))
        own, slots = _both(self.__getstate__())
        for name, value in {**copied(own), **copied(slots)}.items():
            setattr(made, name, value)
        made._client = self._client
        return made

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield "name", self.name
        yield "revision", self.revision
        yield "endpoint", self.endpoint
        yield "deployment_status", self.deployment_status.name
        if self.substate:
            yield "substate", self.substate.name
        yield "desired_state", self.desired_state.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.__rich_repr__())})"

    def _stop_for_good(self, error: BaseException | None, timeout: float | None) -> Flow[None]:
        """Stop the app at the end of a context; a deleted one needs no stop.

        After an interruption the stop is requested and not waited for, so that the program ends soon.
        """
        waits = error is None or isinstance(error, Exception)
        try:
            yield from self._switch("deactivated", waits, timeout)
        except (AppNotFound, AppDeleted):
            return


def _both(state: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of an object by its state: those of its `__dict__`, and those of the slots of a subclass."""
    pair = cast("tuple[Any, Any]", state if isinstance(state, tuple) else (state, {}))
    return {**pair[0]}, {**pair[1]}


class Change(NamedTuple):
    """One change: `app` as it is now (of a deleted app: as it was last), `old` as it was before, None where unknown."""

    kind: ChangeKind
    app: App
    old: App | None
