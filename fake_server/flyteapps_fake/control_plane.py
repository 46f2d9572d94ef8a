"""FakeControlPlane, the stand-in's face: a plane with what connects clients to it in this process."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import time
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from flyteapps_control.arguments import number, text
from flyteapps_control.durations import MAX_SECONDS
from flyteapps_fake.core.dialect import CLOSED
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.dialects import Maker

if TYPE_CHECKING:
    from flyteidl2.app.app_logs_service_connect import AppLogsServiceClient, AppLogsServiceClientSync
    from flyteidl2.app.app_service_connect import AppServiceClient, AppServiceClientSync

    from flyteapps_control.clock import Clock
    from flyteapps_control.face import Calls, Control, Faults
    from flyteapps_control.loads import Loads
    from flyteapps_control.scenarios import Scenarios
    from flyteapps_control.v1.control_pb2 import AppUsage
    from flyteapps_fake.auth.authentication import Authentication
    from flyteapps_fake.inprocess.transport import DirectTransport
    from flyteapps_fake.processes.data_plane import DataPlane
    from flyteapps_fake.processes.settings import Processes
    from flyteapps_fake.saving.saver import Saver
    from flyteapps_fake.servers.embedded import EmbeddedServer

_NOTICE_SECONDS = 1.0
"""Real time until a server in this process notices that a stream's client has left, at most."""
_POLL_SECONDS = 0.005
_MAX_LISTED = 10
"""Leaked streams that an error lists, at most."""
_LOOP_STANDS = "; in a coroutine leave the plane by `async with`: during a plain `with` no cancelled task can end"

P = ParamSpec("P")
_Init = Callable[[Any, Settings], None]


@functools.cache
def _require(subject: str, *modules: str, extra: str = "serve") -> None:
    """Raise ModuleNotFoundError, with what to install, if one of these modules of that extra is missing."""
    __tracebackhide__ = True
    for module in modules:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"{subject} needs {module}: pip install 'flyteapps[{extra}]'", name=module)


def _unknown(function: str, name: str, known: list[str]) -> str:
    """Return the message for an unknown argument: the names that resemble it, else all."""
    import difflib  # for this alone

    near = difflib.get_close_matches(name, known)
    there = f"did you mean {' or '.join(near)}?" if near else f"the options are {', '.join(known)}"
    return f"{function}() got an unexpected keyword argument {name!r}: {there}"


class LeakedStreams(AssertionError):  # noqa: N818  # reads as what is wrong, as a test's failure does
    """A stream of the plane was still open when the plane was closed."""


def _by_fields(make: Callable[P, Settings]) -> Callable[[_Init], Callable[Concatenate[Any, P], None]]:
    """Return a decorator that gives a constructor, which takes what `make` returns, the parameters of `make`."""

    def decorate(init: _Init) -> Callable[Concatenate[Any, P], None]:
        known = inspect.signature(make).parameters

        @functools.wraps(init)
        def by_fields(self: Any, *arguments: P.args, **fields: P.kwargs) -> None:
            __tracebackhide__ = True
            if unknown := [name for name in fields if name not in known]:
                raise TypeError(_unknown(type(self).__name__, unknown[0], list(known)))
            init(self, make(*arguments, **fields))

        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        by_fields.__signature__ = inspect.Signature([own, *known.values()])  # type: ignore[attr-defined]  # inspect's
        return by_fields

    return decorate


class FakeControlPlane(Plane):
    """A control plane for apps, in memory, in this process.

    Takes the fields of `Settings`, or by `of` a Settings. Use it as a context manager, sync or async: it fails at exit
    with `LeakedStreams` if a test left a stream open. Streams that nothing refers to any more are no leaks, nor are
    those whose reader was cancelled.
    """

    @_by_fields(Settings)
    def __init__(self, settings: Settings) -> None:
        self._setup(settings)

    @classmethod
    def of(cls, settings: Settings, dialect: Maker | None = None, real: Callable[[], float] = time.monotonic) -> Self:
        """Return a plane with those settings; `dialect` makes its dialect, and `real` is its real time in seconds."""
        plane = cls.__new__(cls)
        plane._setup(settings, dialect, real)
        return plane

    def _setup(self, *arguments: Any) -> None:
        __tracebackhide__ = True
        _require("FakeControlPlane", "sortedcontainers", "protovalidate")
        Plane.__init__(self, *arguments)
        self._process = os.getpid()
        self._servers: list[EmbeddedServer] = []
        self._data_plane: DataPlane | None = None
        self._saver: Saver | None = None
        if self.settings.state is not None:
            self._saver = self._save_in(os.fspath(self.settings.state))
        if self.settings.runs_apps is not None:
            self._data_plane = self._run_apps(self.settings.runs_apps)
        self._control: Control | None = None

    def _save_in(self, directory: str) -> Saver:
        __tracebackhide__ = True
        from flyteapps_fake.saving.saver import open_saver

        settings = self.settings
        saver = open_saver(
            self.shared(),
            directory,
            settings.dialect,
            settings.state_sync,
            passes=settings.time_between == "passes",
        )
        weakref.finalize(self, saver.close)
        return saver

    def _run_apps(self, processes: Processes) -> DataPlane:
        __tracebackhide__ = True
        _require("data_plane='processes'", "aiohttp", "psutil", extra="run")
        from flyteapps_fake.processes.data_plane import DataPlane

        data_plane = DataPlane(self.shared(), processes)
        weakref.finalize(self, data_plane.close, wait=False).atexit = False
        return data_plane

    @property
    def control(self) -> Control:
        """All that drives the plane: faults, the clock, the recorded calls, scenarios."""
        if self._control is None:
            from flyteapps_control.face import Control
            from flyteapps_fake.control.service import ControlService

            self._control = Control(self.companion(ControlService))
        return self._control

    @property
    def faults(self) -> Faults:
        """The rules for faults: `plane.faults.fail("Create", nth=2, code="UNAVAILABLE")`."""
        return self.control.faults

    @property
    def clock(self) -> Clock:
        """The plane's clock: `plane.clock.advance("2m")`."""
        return self.control.clock

    @property
    def calls(self) -> Calls:
        """The recorded calls: `plane.calls.verify("Update", app="hello", times=1)`."""
        return self.control.calls

    @property
    def scenarios(self) -> Scenarios:
        """The scenarios of the plane's apps: `plane.scenarios.use("crash-loop", app="worker-*", times=1)`."""
        return self.control.scenarios

    @property
    def loads(self) -> Loads:
        """The declared loads of apps, which scale to them: `plane.loads.set("50rps", app="hello")`."""
        return self.control.loads

    def token(self, subject: str, expires_in: float | None = None, **claims: Any) -> str:
        """Return an access token for a user or a client; `expires_in`: seconds of the plane's clock.

        `claims` are further ones, or other values, such as `aud="another"`. Raises ValueError for an unknown subject,
        RuntimeError on a plane without authentication.
        """
        text("subject", subject)
        seconds = None if expires_in is None else number("expires_in", expires_in)
        if seconds is not None and not abs(seconds) <= MAX_SECONDS:
            raise ValueError(f"expires_in must be a number of seconds, of at most a hundred years, not {seconds!r}")
        return self.run(lambda: self._authenticating().token(subject, seconds, **claims))

    def api_key(self, client: str | None = None, *, endpoint: str | None = None) -> str:
        """Return an API key, as in FLYTE_API_KEY, of a client with a secret; without a name of the first one.

        `endpoint`: in the key, by default that of the server which `serve` started.
        """
        for name, value in (("client", client), ("endpoint", endpoint)):
            text(name, "" if value is None else value)
        return self._authenticating().api_key(self.org, client, endpoint)

    def revoke_token(self, token: str) -> None:
        """Revoke an access token: calls with it are refused from now on, and its open streams end.

        Raises ValueError for one that isn't valid.
        """
        text("token", token)
        self.run(lambda: self._authenticating().revoke_token(token))

    def rotate_keys(self, *, keep: bool = True) -> None:
        """Sign tokens with a new key from now on; `keep`: those of the keys before still count."""
        self.run(lambda: self._authenticating().rotate_keys(keep=keep))

    def _authenticating(self) -> Authentication:
        if self.authentication is None:
            raise RuntimeError('this plane answers everyone: make it with FakeControlPlane(auth="demo")')
        return self.authentication

    def usage(self, *, app: str = "", project: str = "", domain: str = "") -> list[AppUsage]:
        """Return what those apps (globs) used over time: replicas, declared loads, requests to their URLs.

        Of the first 100 apps, in order of project, domain and name.
        """
        return self.control.usage(app=app, project=project, domain=domain)

    def open_streams(self, *, app: str = "", project: str = "", domain: str = "") -> int:
        """Return how many streams about those apps (globs) are open, 1,000 at most."""
        return self.control.open_streams(app=app, project=project, domain=domain)

    def drop_streams(self, *, app: str = "", project: str = "", domain: str = "", code: str = "UNAVAILABLE") -> int:
        """End the open streams about those apps (globs) with a code; return how many there were."""
        return self.control.drop_streams(app=app, project=project, domain=domain, code=code)

    def reset(self, *, app: str = "", project: str = "", domain: str = "", seed: int | None = None) -> int:
        """Make the plane, or projects, as if nothing had ever been there; return how many apps there were.

        `project` (a glob) alone: these projects are as if they had never been there, without the rules, loads and uses
        that name exactly them; streams that see them end with UNAVAILABLE. Without a selection the plane is as new, but
        for its snapshots, and every stream ends; `seed`: of its random draws from now on. With `app` or `domain` these
        apps are removed alone, with an event to their watchers. Raises ControlError for a seed beside a selection.
        """
        return self.control.reset(app=app, project=project, domain=domain, seed=seed)

    def snapshot(self, name: str) -> None:
        """Keep the plane's state under a name, for `restore`. Raises ControlError for an invalid one."""
        self.control.snapshot(name)

    def restore(self, name: str) -> int:
        """Make the plane's state what it was at `snapshot`; return how many apps there are.

        Open streams end with UNAVAILABLE. Raises ControlError for an unknown name.
        """
        return self.control.restore(name)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the plane's state to a file of JSON, for `load`. Raises OSError."""
        self.control.export(path)

    def load(self, path: str | os.PathLike[str]) -> int:
        """Load a file: the state that `export` wrote, or apps in YAML; return how many apps it had.

        A state replaces the plane's, and open streams end with UNAVAILABLE; apps are created, all or none. Raises
        ControlError with the place of the first mistake, OSError, ValueError.
        """
        return self.control.load(path)

    def transport(self) -> DirectTransport:
        """Return the plane as a transport for a client in this process: no socket, no bytes on a wire."""
        from flyteapps_fake.inprocess.transport import DirectTransport

        return DirectTransport(self)

    def stub(self) -> AppServiceClientSync:
        """Return flyteidl2's generated sync client, connected to this plane directly."""
        from flyteapps_fake.inprocess.transport import sync_stub

        return sync_stub(self)

    def async_stub(self) -> AppServiceClient:
        """Return flyteidl2's generated async client, connected to this plane directly."""
        from flyteapps_fake.inprocess.transport import async_stub

        return async_stub(self)

    def logs_stub(self) -> AppLogsServiceClientSync:
        """Return flyteidl2's generated sync client of AppLogsService, connected to this plane directly."""
        from flyteapps_fake.inprocess.transport import sync_logs_stub

        return sync_logs_stub(self)

    def async_logs_stub(self) -> AppLogsServiceClient:
        """Return flyteidl2's generated async client of AppLogsService, connected to this plane directly."""
        from flyteapps_fake.inprocess.transport import async_logs_stub

        return async_logs_stub(self)

    def serve(self) -> EmbeddedServer:
        """Serve this plane on loopback ports of this process (Connect and gRPC) until it is closed, or dropped.

        Apps that are created from then on have the port in their public URL, where the server has their pages. Raises
        RuntimeError if the plane was closed.
        """
        _require("FakeControlPlane.serve", "hypercorn", "h2", "priority")
        from flyteapps_fake.console.pages import pages
        from flyteapps_fake.servers.embedded import EmbeddedServer

        self.check_open()
        data_plane = self._data_plane
        server = EmbeddedServer(self, pages, data_plane.directories.uploads if data_plane is not None else None)
        self._servers.append(server)
        if data_plane is not None:
            data_plane.served_at(f"localhost:{server.port}")
        self.serve_at(server.port)
        return server

    def shared(self) -> Self:
        """Return the same plane as an object of its own, for servers: they must not keep its owner's object alive."""
        twin = super().shared()
        twin._servers, twin._data_plane, twin._saver = [], None, None
        return twin

    def close(self) -> None:
        """Stop what `serve` started, end the open streams, and refuse every call from now on, with UNAVAILABLE."""
        self.end_delayed(CLOSED)  # while the servers can still send the answers
        while self._servers:
            self._servers.pop().close()
        if self._data_plane is not None:
            self._data_plane.close()
        if self._saver is not None:
            self._saver.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left():
            gc.collect()
            until = time.monotonic() + _NOTICE_SECONDS
            while self._left() and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
        left = self._left()
        self.close()
        self._judge(left, error, _LOOP_STANDS if asyncio._get_running_loop() else "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left():
            gc.collect()
            until = time.monotonic() + _NOTICE_SECONDS
            while self._left() and time.monotonic() < until:
                await asyncio.sleep(_POLL_SECONDS)
        left = self._left()
        if self._servers:
            await asyncio.to_thread(self.close)
        else:
            self.close()
        self._judge(left, error)

    def _left(self) -> list[str]:
        """Return the streams that are open and have a reader; none of a parent process, from before a fork, count."""
        return self.awaited_streams() if self._process == os.getpid() else []

    @staticmethod
    def _judge(left: list[str], error: BaseException | None, hint: str = "") -> None:
        __tracebackhide__ = True
        if left and error is None:
            shown = ", ".join(left[:_MAX_LISTED])
            raise LeakedStreams(
                f"{len(left)} stream(s) of this plane were still open at exit, close them: {shown}{hint}"
            )
