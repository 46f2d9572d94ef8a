"""The seam of a dialect: everything that a plane answers. Time, lock and servers are the same for all dialects.

A dialect is entered under the plane's lock, after what was due has happened.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol, TypeVar

from flyteapps_control.loads import LoadTable
from flyteapps_control.selection import AppName
from flyteapps_fake.control.delays import Delays
from flyteapps_fake.core.call import Call, Identity, Sees
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import FAILED, short_name, substate_name
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.streams import OpenStream, StreamScope
from flyteapps_fake.core.time.auto_clock import Planner
from flyteapps_fake.simulation.book import ScenarioBook

H = TypeVar("H")

CLOSED = "the plane was closed: make another FakeControlPlane, or call it before the end of its `with` block"


class Notice(NamedTuple):
    """A message for the terminal, which no client receives. `app`: the app's name, "" where it is about none."""

    app: str
    message: str


def state_text(status: int, substate: int) -> str:
    """Return a state such as "FAILED/CRASH_LOOP"."""
    state = short_name(status)
    return f"{state}/{substate_name(substate)}" if substate else state


def change_text(before: tuple[int, int] | None, after: tuple[int, int] | None) -> str:
    """Return a change of an app, by its status and substate before and after it (None: absent), in a word."""
    if after is None:
        return "deleted"
    if before is None:
        return "created"
    return state_text(*after) if after != before else "changed"


def status_notice(app: str, status: int, substate: int, message: str) -> Notice:
    """Return the notice of an app's new status, such as "FAILED/CRASH_LOOP: MESSAGE"; other states have no message."""
    state = state_text(status, substate)
    return Notice(app, f"{state}: {message}" if status == FAILED and message else state)


class MovingApp(NamedTuple):
    """An app that is to change by itself. `reason`: why nothing is scheduled for it, where that is so."""

    app: AppName
    status: int
    reason: str = ""


class Scale(NamedTuple):
    """The present replicas of an app, and when it was created; 0 where that isn't known."""

    replicas: int
    created: int


class StoredApp(Protocol):
    """One version of an app."""

    @property
    def encoded(self) -> bytes:
        """The encoded App."""
        ...


class Dialect(Planner):
    """The behaviour of one plane, and all that it holds."""

    secrets: Secrets
    """The plane's secrets."""
    scenarios: ScenarioBook
    """The scenarios that its simulated cluster knows."""
    loads: LoadTable
    """The declared loads of apps."""
    local_cluster: Any = None
    """The cluster whose apps are processes of this machine, where there is one; it is called under the plane's lock."""
    delays: Delays
    """The plane's calls that go on later, which the interceptor has."""
    on_notice: Callable[[Notice], None] | None = None
    request_limits: ClassVar[RequestLimits] = RequestLimits()
    """The request limits of its servers."""
    caches_reads: ClassVar[bool] = False
    """Whether it has `read` and `read_again`: a response to Get is sent again as long as the record is the same."""

    refused_faults: ClassVar[Mapping[str, str]] = {}
    """The effects that no rule for faults can have here, each with the reason."""
    caller = Identity("anonymous")
    """The caller of the RPC that is being answered."""
    sees: Sees | None = None
    """Whether that caller may see the apps of a project; None where it sees all."""

    unbound: ClassVar[str] = "is not offered by this stand-in yet"
    """The text of the refusal of an operation without a handler."""

    def act_for(self, caller: Identity, sees: Sees | None) -> None:
        """Answer the calls from now on as that caller's."""
        self.caller = caller
        self.sees = self.streams.sees = sees

    @abstractmethod
    def absent(self, app: AppName) -> RpcError:
        """Return the refusal of a request that needs an app that isn't there."""

    def handler_of(self, handlers: Mapping[Operation, H], operation: Operation) -> H:
        """Return the handler of an operation in a table. Raises RpcError, UNIMPLEMENTED, if it has none."""
        handler = handlers.get(operation)
        if handler is None:
            raise RpcError(Code.UNIMPLEMENTED, f"{operation.service}.{operation.method} {self.unbound}")
        return handler

    @property
    @abstractmethod
    def org(self) -> str:
        """The plane's own org."""

    @abstractmethod
    def call(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary RPC. Raises RpcError, and Postponed for a write that takes time."""

    @abstractmethod
    def open(self, call: Call[Any]) -> OpenStream:
        """Open the stream of a server-streaming RPC. Raises RpcError."""

    def call_at_once(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary RPC, without the time that a write may take. Raises RpcError."""
        return self.call(call)

    def read(self, call: Call[Any]) -> StoredApp:
        """Return the app that a Get asks for. Raises RpcError."""
        raise NotImplementedError

    def get_stored(self, call: Call[Any], unless: Container[str]) -> bytes | None:
        """Return the encoded response of a Get by the id of a stored app; None for any other, which `call` answers.

        `unless`: names of apps; None for one of them, and the Get doesn't count as a read yet.
        """
        return None

    def read_again(self, record: Any, unless: Container[str] = ()) -> bool:
        """Return whether a Get of that app would still find that very record, and count it as a read if so.

        `unless`: as in `get_stored`.
        """
        raise NotImplementedError

    @abstractmethod
    def keep_history(self, age: int) -> None:
        """Keep the changes of the last so many nanoseconds from now on, for reads of the past; none where it is 0."""

    @abstractmethod
    def call_as_of(self, call: Call[Any], age: int) -> bytes:
        """Return the encoded response of a Get or List as it would have been `age` nanoseconds ago. Raises RpcError.

        The history begins when it is kept: earlier than that the apps were as they were then.
        """

    @abstractmethod
    def open_as_of(self, call: Call[Any], age: int) -> OpenStream:
        """Open a Watch with the snapshot of `age` nanoseconds ago and all events since. Raises RpcError."""

    def read_as_of(self, call: Call[Any], age: int) -> StoredApp:
        """Return the app that a Get asks for as it was `age` nanoseconds ago. Raises RpcError."""
        raise NotImplementedError

    def steal_lease(self, call: Call[Any], cluster: str) -> None:
        """Move the app that an UpdateStatus reports on to another cluster, unless no cluster has it."""
        raise NotImplementedError

    @abstractmethod
    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""

    @abstractmethod
    def count(self) -> int:
        """Return how many apps are stored."""

    @abstractmethod
    def apps(self) -> list[tuple[AppName, int]]:
        """Return each app with its status, in order of project, domain and name."""

    @abstractmethod
    def scale_of(self, app: AppName) -> Scale | None:
        """Return the replicas of an app, and when it was created; None for one that isn't there."""

    @abstractmethod
    def moving(self) -> list[MovingApp]:
        """Return the apps that are to change by themselves, in order of project, domain and name."""

    @abstractmethod
    def remove_app(self, app: AppName) -> None:
        """Remove an app in any state, with an event to its watchers; an absent one is no error."""

    @abstractmethod
    def find_by_host(self, host: str) -> bytes | None:
        """Return the encoded App that answers under a host name (without port), or None."""

    @abstractmethod
    def ask(self, host: str) -> bytes | None:
        """Handle a request to an app's public URL, by the URL's host: return the encoded App, or None."""

    @abstractmethod
    def load_changed(self, app: AppName) -> None:
        """React to another declared load of an app."""

    def choose_ports(self, choose: Callable[[Callable[[int], bool], Any], int]) -> None:
        """Give each app that is created from now on a port of its own; `choose` returns one for an id.

        It is handed a function that tells whether a port is another app's. A dialect without such ports ignores it.
        """

    def entry_of_get(self, call: Call[Any]) -> Entry | None:
        """Return the place of the only piece that a Get may show, None where it isn't known."""
        return None

    def restored(self, entries: Sequence[Entry]) -> None:  # a closed one has nothing to do
        """Go on from another state, in which these pieces differ."""

    def loaded(self) -> None:  # a closed one has nothing to do
        """Go on from a state that another plane may have had, under other settings; `restored` was called."""

    @abstractmethod
    def serve_at(self, port: int) -> None:
        """Name that port in the public URLs of apps from now on, unless one was configured or named before."""


class Closed(Dialect):
    """The dialect of a closed plane: it refuses every call. What the plane holds can still be looked at."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.streams = dialect.streams
        self.secrets = dialect.secrets
        self.loads = dialect.loads
        self.scenarios = dialect.scenarios
        self.request_limits = dialect.request_limits  # type: ignore[misc]  # as that dialect has it
        self.caches_reads = dialect.caches_reads  # type: ignore[misc]

    @property
    def org(self) -> str:
        """The plane's own org."""
        return self._dialect.org

    def scope(self, key: Hashable) -> StreamScope:
        """Return the scope of a watch of that app alone."""
        return self._dialect.scope(key)

    def scopes(self, key: Hashable) -> tuple[StreamScope, ...]:
        """Return the scopes of all watches that see the app."""
        return self._dialect.scopes(key)

    def absent(self, app: AppName) -> RpcError:
        """Return the refusal of a request that needs an app that isn't there."""
        return self._dialect.absent(app)

    def call(self, call: Call[Any]) -> bytes:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def open(self, call: Call[Any]) -> OpenStream:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def read(self, call: Call[Any]) -> StoredApp:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def read_again(self, record: Any, unless: Container[str] = ()) -> bool:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def keep_history(self, age: int) -> None:
        """Keep no history: there are no reads any more."""

    def call_as_of(self, call: Call[Any], age: int) -> bytes:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def open_as_of(self, call: Call[Any], age: int) -> OpenStream:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def read_as_of(self, call: Call[Any], age: int) -> StoredApp:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        return self._dialect.projects()

    def count(self) -> int:
        """Return how many apps are stored."""
        return self._dialect.count()

    def apps(self) -> list[tuple[AppName, int]]:
        """Return each app with its status."""
        return self._dialect.apps()

    def scale_of(self, app: AppName) -> Scale | None:
        """Return the replicas of an app, and when it was created; None for one that isn't there."""
        return self._dialect.scale_of(app)

    def moving(self) -> list[MovingApp]:
        """Return nothing: no app changes any more."""
        return []

    def remove_app(self, app: AppName) -> None:
        """Refuse the call with UNAVAILABLE."""
        self._refuse()

    def find_by_host(self, host: str) -> bytes | None:
        """Return the encoded App that answers under a host name (without port), or None."""
        return self._dialect.find_by_host(host)

    def ask(self, host: str) -> bytes | None:
        """Return the encoded App that answers under a host name (without port), or None."""
        return self._dialect.find_by_host(host)

    def load_changed(self, app: AppName) -> None:
        """Do nothing: no app changes any more."""

    def serve_at(self, port: int) -> None:
        """Name that port in the public URLs of apps from now on, unless one was configured or named before."""
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise RpcError(Code.UNAVAILABLE, CLOSED)
