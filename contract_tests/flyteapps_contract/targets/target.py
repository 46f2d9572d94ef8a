"""The seam between checks and planes: a Target makes Planes with Links, a Link calls and opens streams.

Nothing here knows a protocol. `Link.unary` may be called from several threads at once.
"""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from google.protobuf.message import Message

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.outcomes import NotOffered, Refused, StreamEnded
from flyteapps_contract.targets.wire import Wire

ADMIN, VIEWER, BLIND = "admin", "viewer", "blind"
"""Callers of planes that issue tokens: one with all rights, one that only reads, one that sees no project."""
CALL_SECONDS = 10.0
"""Real seconds that a unary call may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capabilities of a target; each need of a check is one of these names.

    `clock`: the plane's time can be moved. `fresh`: every check gets an empty
    plane of its own, for its use alone. `cluster`: some cluster starts and
    stops apps. `projects`: any project may be named. `failing`: labels that make
    an app fail to deploy, empty where none are known. `http`: raw HTTP requests
    can be sent over `Link.wire`. `raw_grpc`: raw gRPC bytes can be sent over it.
    `shared`: a cluster pool and two clusters that serve it, empty where none are
    known. `lease_seconds`: how long a lease runs, 0 where that isn't known.
    `conflicting`: labels that make an app's next write meet one of the cluster's,
    empty where none are known. `measured`: timed checks make sense here. `org`: the
    plane's org where it is known beforehand, else "". `dialect`: the one that it is
    judged by, a key of DIALECTS. `authenticated`: callers need credentials. `issues_tokens`:
    tokens can be had at will, with any claims, and revoked. `restarts`: the plane keeps its state,
    can be killed, and is started again then. `lenient`: no cluster behind the plane refuses names, sizes
    and specs that its own code takes.
    """

    clock: bool = False
    fresh: bool = False
    cluster: bool = True
    projects: bool = True
    failing: dict[str, str] = field(default_factory=dict[str, str])
    http: bool = False
    raw_grpc: bool = False
    shared: tuple[str, ...] = ()
    lease_seconds: float = 0.0
    conflicting: dict[str, str] = field(default_factory=dict[str, str])
    measured: bool = False
    org: str = ""
    dialect: str = STANDARD
    authenticated: bool = False
    issues_tokens: bool = False
    restarts: bool = False
    lenient: bool = False

    REASONS: ClassVar[dict[str, str]] = {
        "clock": "the target's clock can't be moved",
        "fresh": "needs an empty plane of its own",
        "cluster": "no cluster starts apps here",
        "projects": "needs projects of its own; a fixed one was given",
        "failing": "no way is known to make an app fail here",
        "http": "needs raw HTTP requests to an endpoint",
        "raw_grpc": "needs raw gRPC bytes to an endpoint",
        "shared": "no pool is known that two clusters serve",
        "pools": "a cluster of the plane's own serves every pool, so that no check can play one; configure some (the "
        "stand-in: flyteapps serve --pool default=simulated)",
        "conflicting": "no way is known to have a write meet one of the cluster's",
        "authenticated": "callers need no credentials here",
        "issues_tokens": "no tokens can be had at will here",
        "lenient": "the cluster behind the plane refuses what its own code takes",
        "restarts": "the plane can't be killed and started again here",
        "open_streams": "the target can't count the plane's open streams",
        "measured": "timed; run by the benchmarks alone",
    }

    def missing(self, need: str) -> str:
        """Return why a check with that need can't run here; "" where it can."""
        return "" if getattr(self, need) else self.REASONS[need]


class QueueStream:
    """The messages of one stream, filled from another thread."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._items: queue.SimpleQueue[Message | Exception] = queue.SimpleQueue()
        self._cancel = cancel
        self._ended: Exception | None = None
        self.closed = False
        self._reading = threading.Event()
        self._reading.set()

    @property
    def paused(self) -> bool:
        """Whether the reader should leave new messages on the wire."""
        return not self._reading.is_set()

    @property
    def pending(self) -> bool:
        """Whether something has come, or the end, not read yet."""
        return self._ended is not None or not self._items.empty()

    def pause(self) -> None:
        """Let the reader stop after the message that it waits for."""
        self._reading.clear()

    def resume(self) -> None:
        """Let the reader go on."""
        self._reading.set()

    def wait_while_paused(self) -> None:
        """Block the reader; readers call it after each message."""
        self._reading.wait()

    def put(self, message: Message) -> None:
        """Add a message that came."""
        self._items.put(message)

    def end(self, error: Refused | None) -> None:
        """Report that the stream has ended."""
        self._items.put(error if error is not None else StreamEnded("the stream ended without an error"))

    def next(self, seconds: float) -> Message | None:
        """Return the next message, None where none came in time. Raises Refused or StreamEnded once it has ended."""
        if self._ended is not None:
            raise self._ended
        try:
            item = self._items.get(timeout=seconds) if seconds > 0 else self._items.get_nowait()
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            self._ended = item
            raise item
        return item

    def close(self) -> None:
        """End the stream from this side."""
        self.closed = True
        self.resume()
        self._cancel()


class Link(ABC):
    """One way to speak to a plane; `wire` says where, for checks that send bytes of their own.

    `opens_at_once`: a stream has begun at the plane when `stream` returns.
    """

    wire: Wire = Wire("")
    opens_at_once: bool = False

    @abstractmethod
    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call. Raises Refused."""

    @abstractmethod
    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream."""

    def as_caller(self, headers: Mapping[str, str]) -> Link:
        """Return the same link with those headers instead of its own; the original one is closed for both."""
        raise NotOffered("calls with other credentials can't be made over this link")

    def interrupt(self) -> None:  # noqa: B027  # a link whose calls don't wait has nothing to end
        """End the calls and streams under way, from another thread; the link need not work afterwards."""

    @abstractmethod
    def close(self) -> None:
        """End what is open."""


class Plane(ABC):
    """The plane of a check: a link, and the plane's clock where it is offered."""

    capabilities: Capabilities
    link: Link

    def advance(self, seconds: float) -> None:
        """Move the plane's time."""
        raise NotOffered(Capabilities.REASONS["clock"])

    def token(self, caller: str, expires_in: float | None = None, **claims: object) -> str:
        """Return a token for a caller (ADMIN, VIEWER, BLIND), with a lifetime, and with claims of other values."""
        raise NotOffered(Capabilities.REASONS["issues_tokens"])

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        raise NotOffered(Capabilities.REASONS["issues_tokens"])

    def end(self) -> None:
        """Shut the plane down, where it is the target's own (offers.fresh)."""
        raise NotOffered(Capabilities.REASONS["fresh"])

    def kill(self) -> None:
        """Kill the plane, and start it again with the state that it has kept; return once it answers."""
        raise NotOffered(Capabilities.REASONS["restarts"])

    def open_streams(self, project: str) -> int:
        """Return how many streams about a project are open, as the plane counts them."""
        raise NotOffered(Capabilities.REASONS["open_streams"])

    def another(self) -> Plane:
        """Return a second plane with the same settings, where planes are the target's own (offers.fresh)."""
        raise NotOffered(Capabilities.REASONS["fresh"])

    @abstractmethod
    def close(self) -> None:
        """Give the plane back."""


class Target(ABC):
    """Something to judge. `name` is how a report calls it."""

    name: str
    capabilities: Capabilities

    @property
    def dialect(self) -> str:
        """The dialect that it is judged by."""
        return self.capabilities.dialect

    @abstractmethod
    def plane(self) -> Plane:
        """Return what the next check works on; the caller closes it."""


class Throttle:
    """Keeps a link under so many calls a second; 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second if per_second else 0.0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next call may go out."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._free_at)
            self._free_at = turn + self._gap
        time.sleep(turn - now)
