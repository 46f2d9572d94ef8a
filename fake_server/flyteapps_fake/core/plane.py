"""A plane: one dialect and its time behind one lock, which transports and servers call.

It owns no socket and no thread: its clock moves when it is called, or when a client waits on one of its streams.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import time
from collections.abc import Callable, Collection, Generator, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, TypeVar

from flyteapps_control.durations import nanoseconds as duration_ns
from flyteapps_control.durations import text_of
from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake.auth.section_names import KEY_FIELDS
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.control.effects import Postponed, raising
from flyteapps_fake.control.interceptor import Interceptor
from flyteapps_fake.control.state.sections import add_sections
from flyteapps_fake.control.subject import app_named_by
from flyteapps_fake.control.waits import Wait, explain, moment_text
from flyteapps_fake.core.call import Call, Identity, Protocol, Sees
from flyteapps_fake.core.dialect import CLOSED, Closed, Dialect, Notice, StoredApp
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import GET
from flyteapps_fake.core.parts.driven import DrivenPlane
from flyteapps_fake.core.parts.kept import KeptPlane
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.core.secrets import Secrets
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.state.keeping import Keeping
from flyteapps_fake.core.state.saving import Saving
from flyteapps_fake.core.state.sections import Unread
from flyteapps_fake.core.state.stored import Stored, add_stored
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.core.time.clock import END
from flyteapps_fake.core.time.moves import Advance, complete
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import PendingTimer
from flyteapps_fake.core.validation import check_stream_request
from flyteapps_fake.dialects import Maker, maker_of
from flyteapps_fake.simulation.book import ScenarioBook

if TYPE_CHECKING:
    from flyteapps_fake.auth.authentication import Authentication

T = TypeVar("T")

OF_URL = Cause(other="a request to the app's URL")


AUTH_LIBRARIES = ("authlib", "joserfc", "cryptography")


def _authentication_of(settings: Settings, timeline: Timeline, dialect: Dialect) -> Authentication | None:
    """Return the check of callers; its libraries are imported for planes that have one."""
    auth = settings.authentication
    if auth is None:
        return None
    try:
        module = import_module("flyteapps_fake.auth.authentication")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in AUTH_LIBRARIES:
            raise
        message = f"auth needs {missing.name}: pip install 'flyteapps[auth]'"
        raise ModuleNotFoundError(message, name=missing.name) from None
    made: Authentication = module.Authentication(auth, timeline.clock, dialect)
    return made


def _add_sections_of(authentication: Authentication | None, changes: Changes) -> None:
    """Add the sections of authentication: a plane without any keeps those of one that had it."""
    if authentication is None:
        changes.sections.add(*(Unread(name, field) for name, field in KEY_FIELDS.items()))
    else:
        import_module("flyteapps_fake.auth.stored").add_sections(changes, authentication)


class Plane(DrivenPlane, KeptPlane):
    """One control plane in memory. `dialect`: what makes the dialect, if not the one that the settings name."""

    def __init__(
        self, settings: Settings, dialect: Maker | None = None, real: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._timeline = Timeline(settings.clock, settings.speed, real, settings.start)
        self._timeline.seed.value = settings.seed
        self._dialect: Dialect = (dialect or maker_of(settings.dialect))(settings, self._timeline)
        self._timeline.attach(self._dialect)
        self._dialect.act_for(Identity(settings.subject), None)
        self._lock = self._timeline.lock
        self.authentication = _authentication_of(settings, self._timeline, self._dialect)
        """The check of callers; None for a plane that answers everyone."""
        self._interceptor = Interceptor(self._dialect, self._timeline, settings.call_log, self.authentication)
        self.stored = Stored()
        """All that services beside AppService store."""
        add_stored(self._timeline.changes, self.stored, self._dialect.secrets)
        _add_sections_of(self.authentication, self._timeline.changes)
        add_sections(self._timeline.changes, self._interceptor, self._dialect)
        self._keeping = Keeping(self._dialect, self._timeline, self._interceptor, settings.dialect)
        self._saving = Saving(self._timeline, self._keeping)
        self._companions: dict[Callable[[Any], object], Any] = {}

    @property
    def org(self) -> str:
        """The plane's own org; "flyte" as long as nothing has decided it."""
        return self._dialect.org

    @property
    def caller(self) -> Identity:
        """The caller of the RPC that is being answered."""
        return self._dialect.caller

    @property
    def sees(self) -> Sees | None:
        """Whether that caller may see the apps of a project; None where it sees all."""
        return self._dialect.sees

    @property
    def secrets(self) -> Secrets:
        """The plane's secrets."""
        return self._dialect.secrets

    @contextlib.contextmanager
    def scenario_book(self) -> Generator[ScenarioBook]:
        """Yield the scenarios that the plane knows, under its lock."""
        with self._lock:
            yield self._dialect.scenarios

    @property
    def request_limits(self) -> RequestLimits:
        """The request limits of the plane's servers."""
        return self._dialect.request_limits

    @property
    def caches_reads(self) -> bool:
        """Whether the response to a Get may be sent again, if `read_again` allows it."""
        return self._dialect.caches_reads

    @property
    def on_schedule(self) -> list[Callable[[], None]]:
        """The functions that are called when `next_due` may have changed."""
        return self._timeline.on_schedule

    def companion(self, make: Callable[[Self], T]) -> T:
        """Return what `make` makes of this plane: made once, and shared by all objects of the plane."""
        if make not in self._companions:
            self._companions[make] = make(self.shared())
        made: T = self._companions[make]
        return made

    def notify(self, listener: Callable[[Notice], None]) -> None:
        """Call `listener`, under the plane's lock, with every notice for the terminal."""
        self._dialect.on_notice = self._interceptor.on_notice = listener

    def notify_of_calls(self, listener: Callable[[Record], None]) -> None:
        """Call `listener`, under the plane's lock, with every recorded call once it is over."""
        self._interceptor.log.on_finished(listener)

    def call(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary RPC. Raises RpcError, and Postponed for a delay.

        A Get takes few microseconds. Where no rule can be about it, by the name of its app alone, it goes the same way
        as without rules, and the log keeps nothing that can be made when it is read.
        """
        saving = self._saving
        with self._lock:
            self._timeline.run_due()
            interceptor = self._interceptor
            if call.operation is GET and (names := interceptor.ruled_names) is not None:
                is_known = interceptor.is_known_reader
                response = self._dialect.get_stored(call, names) if is_known is None or is_known(call) else None
                if response is not None:
                    if (log := interceptor.log_of_gets) is not None:
                        log.answer(response, call.protocol, call.caller)
                    if saving.on and ((changes := saving.changes).unsaved or changes.flying):
                        return self._shown(call, response)
                    return response
            answer = interceptor.call if interceptor.active else self._dialect.call
            if saving.on:
                entry = self._dialect.entry_of_get(call) if call.operation is GET else None
                reads = call.operation.no_side_effects and not interceptor.active
                return saving.answer(lambda: answer(call), entry, reads=reads)
            return answer(call)

    def _shown(self, call: Call[Any], response: bytes) -> bytes:
        """Return the response of a Get once the app that it shows is saved. Raises Postponed."""
        if self._interceptor.active:
            return self._saving.answer(lambda: response, self._dialect.entry_of_get(call))
        # where changes were undone meanwhile it is answered anew
        first = [response]
        return self._saving.answer(
            lambda: first.pop() if first else self._dialect.call(call), self._dialect.entry_of_get(call), reads=True
        )

    def look_up(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a read of the server's own, which has no faults and isn't recorded."""
        with self._lock:
            self._timeline.run_due()
            return self._dialect.call(call)

    def read(self, call: Call[Any]) -> StoredApp:
        """Return the app that a Get asks for. Raises RpcError, and Postponed for a delay."""
        with self._lock:
            self._timeline.run_due()
            read = self._interceptor.read if self._interceptor.active else self._dialect.read
            if self._saving.on:
                entry = self._dialect.entry_of_get(call)
                return self._saving.answer(lambda: read(call), entry, reads=not self._interceptor.active)
            return read(call)

    def require(self, call: Call[Any]) -> None:
        """Check that a call's caller has the right to it, where callers are authenticated. Raises RpcError."""
        if self.authentication is not None:
            with self._lock:
                self.authentication.admit(call)

    def read_again(self, record: StoredApp, response: bytes, protocol: Protocol, caller: str | None = None) -> bool:
        """Return whether a Get of that app would still find that very record, and count it as a read if so.

        `response`: what it is answered with, by that protocol, to that caller. One that a rule for faults may be about
        isn't.
        """
        with self._lock:
            self._timeline.run_due()
            if self._saving.on and not self._saving.is_safe(None):
                return False
            if self._interceptor.active:
                return self._interceptor.read_again(record, response, protocol, caller)
            return self._dialect.read_again(record)

    def open(self, call: Call[Any]) -> OpenStream:
        """Open the stream of a server-streaming RPC. Raises RpcError, and Postponed for a delay."""
        with self._lock:
            if self._dialect.streams.gone is not None:
                raise self._dialect.streams.gone
            check_stream_request(call.request.ByteSize())
            self._timeline.run_due()
            try:
                if self._interceptor.active:
                    return self._interceptor.open(call, self._open, self._open_as_of)
                return self._open(call)
            except Postponed as postponed:
                raise self._saving.later(postponed) if self._saving.on else postponed from None
            except RpcError as error:
                if self._saving.on:
                    self._saving.answer(raising(error))
                raise

    def _open(self, call: Call[Any]) -> OpenStream:
        return self._opened(call, self._dialect.open(call))

    def _open_as_of(self, call: Call[Any], age: int) -> OpenStream:
        return self._opened(call, self._dialect.open_as_of(call, age))

    def _opened(self, call: Call[Any], stream: OpenStream) -> OpenStream:
        stream.method = call.operation.method
        stream.app = app_named_by(call)
        stream.call = call
        stream.since = self._timeline.clock.now()
        self._timeline.opened(stream)
        return stream

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        with self._lock:
            return self._dialect.projects()

    def count(self) -> int:
        """Return how many apps are stored."""
        with self._lock:
            return self._dialect.count()

    def count_streams(self) -> int:
        """Return how many streams are open here, whether or not their clients are there."""
        with self._lock:
            return len(self._dialect.streams)

    def find_by_host(self, host: str) -> bytes | None:
        """Return the encoded App that answers under a host name (without port), or None."""
        with self._lock:
            return self._dialect.find_by_host(host)

    def ask(self, host: str) -> bytes | None:
        """Handle a request to an app's public URL, by the URL's host: return the encoded App, or None.

        The request keeps the app from going idle, and wakes one that has scaled to zero.
        """
        with self._lock:
            self._timeline.run_due()
            with self._timeline.causes.during(OF_URL):
                try:
                    return self._dialect.ask(host)
                except RpcError:  # no change can be saved
                    return self._dialect.find_by_host(host)

    def run_due(self) -> None:
        """Fire what is due: by the clock in `realtime`, by the waiting clients in `auto`; nothing in `manual`."""
        with self._lock:
            self._timeline.run_due()

    def next_due(self) -> float | None:
        """Return the real seconds until `run_due` has something to do, or None if nothing is scheduled."""
        with self._lock:
            return self._timeline.next_due()

    def advance(self, seconds: float) -> None:
        """Move a `manual` clock by seconds, and fire all that becomes due on the way, in order. Raises ValueError.

        Ctrl-C ends it between two timers: the clock then stands at the last one that fired.
        """
        complete(self.advancing(duration_ns(seconds)))

    def advancing(self, nanoseconds: int) -> Advance:
        """Return a move of a `manual` clock by so much, which isn't negative, to be made in parts.

        Raises ValueError for one that leads beyond the clock's end.
        """
        if nanoseconds and self.now_ns() + nanoseconds > END:
            by, now = text_of(nanoseconds), moment_text(self.now_ns())
            raise ValueError(f"the clock can't be moved by {by} from {now}: it stops at the beginning of the year 2150")
        return Advance(self._timeline, nanoseconds)

    def next_timer_due(self) -> int | None:
        """Return when the next timer is due, in nanoseconds since 1970, or None."""
        with self._lock:
            return self._timeline.timers.next_due()

    def pending_timers(self) -> list[PendingTimer]:
        """Return what is scheduled, the earliest first: when it is due, for which app, and why."""
        with self._lock:
            return self._timeline.pending()

    def waits(self, app: AppSelector, limit: int) -> tuple[list[Wait], int]:
        """Return the waits for the selected apps: streams, delayed calls, moves, at most `limit`; and their number."""
        with self._lock:
            return explain(self._timeline, self._dialect, self._interceptor.delays.all(), AppGlobs(app), limit)

    def now_ns(self) -> int:
        """Return the plane's time in nanoseconds since 1970."""
        with self._lock:
            return self._timeline.clock.now()

    # ---- faults and the log of calls

    @property
    def rpcs(self) -> Collection[str]:
        """The RPCs that are served, SERVICE/METHOD each."""
        return self._interceptor.rpcs

    def intercept(self, call: Call[Any], run: Callable[[Call[Any]], bytes]) -> bytes:
        """Return what `run` returns for a call of another service, with its faults. Raises RpcError, Postponed."""
        if self._saving.on:
            return self._saving.answer(lambda: self._intercepted(call, run))
        return self._intercepted(call, run)

    def _intercepted(self, call: Call[Any], run: Callable[[Call[Any]], bytes]) -> bytes:
        if not self._interceptor.active and call.operation.access == "read":
            return run(call)
        with self._lock:
            return self._interceptor.run(call, run, bytes) if self._interceptor.active else run(call)

    def run(self, function: Callable[[], T]) -> T:
        """Return what `function` returns, under the plane's lock and after what was due."""
        with self._lock:
            self._timeline.run_due()
            return function()

    def use(self, function: Callable[[Dialect], T]) -> T:
        """Return what `function` returns for the plane's dialect, under the plane's lock and after what was due."""
        return self.run(lambda: function(self._dialect))

    def timed(self, function: Callable[[Dialect, Timeline], T]) -> T:
        """Return what `function` returns for the plane's dialect and its time, as `use` does."""
        return self.run(lambda: function(self._dialect, self._timeline))

    def know(self, rpcs: Iterable[str]) -> None:
        """Record that these RPCs are served, too, SERVICE/METHOD each."""
        self._interceptor.rpcs.update(rpcs)

    def open_streams(self) -> int:
        """Return how many streams are open."""
        with self._lock:
            return len(self._dialect.streams)

    def awaited_streams(self) -> list[str]:
        """Return the streams that are open and have a reader, by their method and what they are about."""
        with self._lock:
            return self._dialect.streams.awaited()

    @property
    def standstill(self) -> str:
        """A hint for waiting callers that the clock is manual, and where it stands; "" if time moves by itself."""
        if self.settings.clock != "manual":
            return ""
        at = datetime.datetime.fromtimestamp(self.now_ns() / 1e9, datetime.UTC).isoformat()
        return f"the plane's clock is manual, and stands at {at}: move it by plane.advance(seconds)"

    def serve_at(self, port: int) -> None:
        """Name that port in the public URLs of apps from now on, unless one was configured or named before."""
        with self._lock:
            self._dialect.serve_at(port)
            if self.authentication is not None:
                self.authentication.serve_at(f"http://127.0.0.1:{port}")

    def shared(self) -> Self:
        """Return the same plane as an object of its own, for servers: they must not keep its owner's object alive."""
        return copy.copy(self)

    def end_streams(self, message: str) -> None:
        """End every open stream and delayed call with UNAVAILABLE, and refuse new streams."""
        with self._lock:
            self._dialect.streams.end(RpcError(Code.UNAVAILABLE, message))
        self.end_delayed(message)

    def end_delayed(self, message: str) -> None:
        """End every call that a fault delays, with UNAVAILABLE."""
        with self._lock:
            self._interceptor.delays.end(RpcError(Code.UNAVAILABLE, message))

    def close(self) -> None:
        """End the open streams, and refuse every call from now on, with UNAVAILABLE."""
        with self._lock:
            if not isinstance(self._dialect, Closed):
                self.end_streams(CLOSED)
                self._dialect = Closed(self._dialect)

    def check_open(self) -> None:
        """Raise RuntimeError if the plane was closed."""
        if isinstance(self._dialect, Closed):
            raise RuntimeError(CLOSED)
