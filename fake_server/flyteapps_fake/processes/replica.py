"""One replica of an app: its program is started, watched until its port answers, and started again when it ends.

All of it happens on the loop of the data plane. A replica ends when it is stopped, and not by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flyteidl2.app.app_definition_pb2 import App, Status

from flyteapps_control.selection import AppName
from flyteapps_fake.core.validation import printable
from flyteapps_fake.processes.directories import Directories
from flyteapps_fake.processes.last_words import last_words
from flyteapps_fake.processes.launching.bundles import bundle_problem
from flyteapps_fake.processes.launching.containers import H2C, Container, shown
from flyteapps_fake.processes.launching.launch import (
    Launch,
    Machine,
    Refused,
    launch_of,
    missing_secret,
    mount,
    with_token,
)
from flyteapps_fake.processes.output import Log, LogFile, Output
from flyteapps_fake.processes.ports import ReplicaPorts, is_free
from flyteapps_fake.processes.programs import CannotStart, KeeperGone, Program, Programs, exit_text
from flyteapps_fake.processes.readiness import answering
from flyteapps_fake.processes.routes import Backend
from flyteapps_fake.processes.settings import Processes
from flyteapps_fake.processes.threads import in_thread
from flyteapps_fake.processes.usage import exposed_addresses, listening_ports, stranger_on

CRASHES = 3
"""Ends in a row after which an app is in a crash loop."""
LONGEST_RETRY_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""Time that a replica has to run for its earlier ends to be forgotten."""
FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 0.01, 0.25
"""Time between two looks at the port of a starting replica: the shortest and the longest."""
LOOK_SHARE = 0.05
"""The time before the next look as a part of that since the start, between these bounds."""
ELSEWHERE_SECONDS = 10.0
"""Time that a program may listen on other ports alone."""
LISTEN_LOOK_SECONDS = 1.0
SECRETS_SECONDS = 0.25
"""Time between two looks whether a missing secret is there."""
OUTPUT_SECONDS = 1.0
"""Time to read what a program has written before its end."""
TURN_SECONDS = 5.0
"""Time that a starting program keeps others from being started, at most."""
MAX_SHOWN = 500
"""Characters of a log line in a message."""
_logger = logging.getLogger(__name__)

IN_USE = ("address already in use", "eaddrinuse")
"""Words of programs about a port that another one has."""
LOOKED_THROUGH = 200
"""The last lines that are searched for it, and for a traceback."""

Secrets = Callable[[AppName, str, str], bytes | None]
"""Returns the value of a secret for an app, by its group and key."""


@dataclass(eq=False, slots=True, kw_only=True)
class Workshop:
    """The tools that the replicas of all apps share."""

    settings: Processes
    machine: Callable[[], Machine]
    programs: Programs
    directories: Directories
    ports: ReplicaPorts
    starts: asyncio.Semaphore
    """The programs that may start at the same time."""
    now: Callable[[], int]
    """Returns the plane's time in nanoseconds."""
    secret: Secrets
    token: Callable[[], str]
    """Returns a token with which an app may call the plane, "" where it needs or gets none."""
    show: Callable[[AppName, str], None] | None = None
    """Shows a log line in the server's terminal."""


class State(enum.Enum):
    """The state of a replica now."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    """It has failed, and is started again later."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last failure of a replica. `lasting`: trying again at once can't help.

    `port_in_use`: it says that the port it wants is another program's.
    """

    message: str
    substate: int = Status.SUBSTATE_UNSPECIFIED
    lasting: bool = False
    port_in_use: bool = False


class Replica:
    """One replica of one revision. `changed` is called when its state changes, `logged` when it has logged."""

    def __init__(
        self,
        workshop: Workshop,
        app: App,
        container: Container,
        name: str,
        changed: Callable[[], None],
        logged: Callable[[], None],
    ) -> None:
        self._workshop = workshop
        self._app = app
        self._container = container
        self._changed = changed
        self._logged = logged
        self.name = name
        self.app_name = AppName(app.metadata.id.project, app.metadata.id.domain, app.metadata.id.name)
        self.state = State.STARTING
        self.failure: Failure | None = None
        self.crashes = 0
        self.hint = ""
        """The reason why a start takes long, as far as it is known."""
        self.memory_exceeded = 0
        """The bytes of memory that it was killed for."""
        self.too_many_processes = False
        self.port = 0
        self._host = ""
        """The address of the loopback on which it answers."""
        self.backend: Backend | None = None
        self.log = Log()
        self._file = LogFile(workshop.directories.log(self.app_name, name))
        self.program: Program | None = None
        self._task = asyncio.create_task(self._run(), name=f"flyteapps-replica-{name}")

    @property
    def is_ready(self) -> bool:
        """Whether it answers requests."""
        return self.state is State.READY

    @property
    def memory(self) -> int | None:
        """The limit of its memory in bytes, None without one."""
        return self._container.memory

    async def stop(self) -> None:
        """End it: SIGTERM, later SIGKILL; its files but the log are gone afterwards."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while True:
                started = time.monotonic()
                self.failure = await self._once()
                if time.monotonic() - started > STEADY_SECONDS:
                    self.crashes = 0
                self.crashes += 1
                self.backend = None
                self.state = State.WAITING
                if self.failure.port_in_use:  # it may have its container's port as soon as the one before has ended
                    self._release_port()
                if self.failure.substate == Status.SECRET_MOUNT_ERROR:
                    await self._until_secrets(self.failure)
                else:
                    await self._back_off(self.failure)
                self.state = State.STARTING
        finally:
            self._release_port()
            self._file.close()

    async def _back_off(self, failure: Failure) -> None:
        """Wait, the longer the more often it has failed."""
        delay = min(self._workshop.settings.retry_seconds * 2 ** (self.crashes - 1), LONGEST_RETRY_SECONDS)
        self.note(f"{failure.message}; it is started again in {delay:g} s")
        self._changed()
        await asyncio.sleep(delay)

    async def _until_secrets(self, failure: Failure) -> None:
        """Wait until all secrets have a value."""
        self.note(f"{failure.message}; it is started as soon as it has one")
        self._changed()
        while missing_secret(self._app, self._secrets()):
            await asyncio.sleep(SECRETS_SECONDS)
        self.crashes = 0

    def _secrets(self) -> dict[tuple[str, str], bytes | None]:
        """Return the values of the app's secrets, None for one that has none."""
        wanted = self._app.spec.security_context.secrets
        return {(each.group, each.key): self._workshop.secret(self.app_name, each.group, each.key) for each in wanted}

    def _release_port(self) -> None:
        if self.port:
            self._workshop.ports.release(self.port)
            self.port = 0

    async def _once(self) -> Failure:
        """Start the program and stay with it until it ends; return how it failed."""
        workshop = self._workshop
        self.hint, self.memory_exceeded, self.too_many_processes = "", 0, False
        directory = workshop.directories.path_of_replica(self.app_name, self.name)
        try:
            async with Turn(workshop.starts) as turn:
                self._take_port()
                launch = await in_thread(self._launch, directory)
                program = await workshop.programs.start(launch.argv, launch.env, str(directory))
                return await self._watch(program, turn)
        except Refused as refused:
            return Failure(str(refused), refused.substate, lasting=True)
        except CannotStart as error:
            return Failure(f"{self._container.command[0]!r} can't be started: {error}", lasting=True)
        except KeeperGone as error:
            return Failure(str(error))
        except OSError as error:
            return Failure(f"can't be prepared: {error}", lasting=True)
        except Exception as error:
            _logger.exception("a replica of the app %s failed", self.app_name)
            return Failure(f"can't be run, by an error of this server: {error!r}"[:MAX_SHOWN], lasting=True)
        finally:
            await in_thread(shutil.rmtree, directory, ignore_errors=True)

    def _take_port(self) -> None:
        """Take a port; another one than before, if a program has taken that meanwhile. Raises OSError."""
        ports = self._workshop.ports
        if self.port and not is_free(self.port):
            ports.release(self.port)
            self.port = 0
        if not self.port:
            self.port = ports.take(self._container.port)

    def _launch(self, directory: Path) -> Launch:
        """Prepare the directory, and return what is started there; called in a thread. Raises Refused, OSError."""
        workshop, app = self._workshop, self._app
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        values = self._secrets()
        if why := missing_secret(app, values):
            raise Refused(why, Status.SECRET_MOUNT_ERROR)
        variables = mount(app.spec.security_context.secrets, values, directory)
        if token := workshop.token():
            variables |= with_token(token, directory)
        data = workshop.directories.data(self.app_name)
        launch = launch_of(app, self._container, workshop.machine(), self.port, directory, data, variables)
        if why := bundle_problem(launch.argv, directory):
            raise Refused(why)
        return launch

    async def _watch(self, program: Program, turn: Turn) -> Failure:
        """Follow a program from its start to its end."""
        self.program = program
        output = Output(program.output, self._take)
        self.note(f"{shown(self._container.command)} starts: process {program.pid}, port {self.port}")
        watching = asyncio.create_task(self._until_ready(program), name=f"flyteapps-ready-{self.name}")
        try:
            await asyncio.wait((watching, program.exited), timeout=TURN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            turn.end()
            await asyncio.wait((watching, program.exited), return_when=asyncio.FIRST_COMPLETED)
            late = watching.result() if watching.done() else None
            was_ready = watching.done() and late is None
            if was_ready:
                self._is_ready_now()
                await self._warn_of_others(program)
                await asyncio.shield(program.exited)
        finally:
            watching.cancel()
            self.backend = None
            status = await program.stop(self._workshop.settings.stop_seconds)
            self.program = None
            with contextlib.suppress(TimeoutError):  # who has left the group may hold the pipe open
                async with asyncio.timeout(OUTPUT_SECONDS):
                    await output.ended.wait()
            output.close()
        return late or self._failure_of(status, was_ready=was_ready)

    async def _warn_of_others(self, program: Program) -> None:
        """Log a warning if other machines reach the app, past the ingress."""
        if addresses := await in_thread(exposed_addresses, program.pid):
            self.note(
                f"It listens on {', '.join(addresses)}: other machines may reach it there, past its URL and past "
                "credentials; let it listen on 127.0.0.1"
            )

    def _is_ready_now(self) -> None:
        self.failure, self.hint = None, ""
        self.backend = Backend(self.port, host=self._host)
        self.state = State.READY
        self._changed()

    async def _until_ready(self, program: Program) -> Failure | None:
        """Wait until the port answers, and return None; a failure where it doesn't in time."""
        settings = self._workshop.settings
        began, looked, elsewhere = time.monotonic(), 0.0, 0.0
        path = "" if self._container.port_name == H2C else self._container.readiness
        while True:
            host = await answering(self.port, path)
            stranger = await asyncio.to_thread(stranger_on, self.port, program.pid, program.name) if host else ""
            if host and not stranger:
                self._host = host
                return None
            now = time.monotonic()
            if now - began > settings.start_seconds:
                return Failure(f"port {self.port} did not open within {settings.start_seconds:g} s{self._shown_line()}")
            if stranger:
                self._hint(f"port {self.port} was just taken by another program: {stranger}")
                elsewhere = elsewhere or now
                if now - elsewhere > ELSEWHERE_SECONDS:
                    return Failure(self.hint, port_in_use=True)
            elif now - max(looked, began) > LISTEN_LOOK_SECONDS:
                looked = now
                open_ports = await asyncio.to_thread(listening_ports, program.pid)
                if not open_ports or self.port in open_ports:
                    elsewhere = 0.0
                    continue
                elsewhere = elsewhere or now
                hint = (
                    f"it should listen on port {self.port} (the variable PORT has it), and listens on "
                    f"{', '.join(map(str, sorted(open_ports)))}"
                )
                if now - elsewhere > ELSEWHERE_SECONDS:
                    return Failure(hint, lasting=True)
                self._hint(hint)
            await asyncio.sleep(min(max((now - began) * LOOK_SHARE, FIRST_LOOK_SECONDS), LAST_LOOK_SECONDS))

    def _hint(self, text: str) -> None:
        if text != self.hint:
            self.hint = text
            self._changed()

    def _failure_of(self, status: int, *, was_ready: bool) -> Failure:
        """Return the failure of a program that has ended by itself."""
        how = exit_text(status)
        if self.memory_exceeded:
            used, limit = (f"{count / 1e6:,.0f} MB" for count in (self.memory_exceeded, self.memory or 0))
            return Failure(f"was killed: it used {used} of memory, its limit is {limit}", Status.OOM_KILLED)
        if self.too_many_processes:
            return Failure(f"was killed: it started too many processes{self._shown_line()}")
        if os.waitstatus_to_exitcode(status) == 0 and not was_ready:
            how += " before its port opened: a server has to keep running"
        lines = self.log.tail(LOOKED_THROUGH)
        if in_use := next((line for line in reversed(lines) if any(text in line.lower() for text in IN_USE)), ""):
            advice = f"the port that it should listen on is in the variable PORT, now {self.port}"
            return Failure(f"{how}: {in_use.strip()[:MAX_SHOWN]}; {advice}", port_in_use=True)
        return Failure(f"{how}{self._shown_line()}")

    def _shown_line(self) -> str:
        words = last_words(self.log.tail(LOOKED_THROUGH))
        return f": {printable(words[:MAX_SHOWN])}" if words else ""

    def note(self, text: str) -> None:
        """Log a line of the platform."""
        self._file.write([self.log.add(self._workshop.now(), printable(text), system=True)])
        self._logged()

    def _take(self, lines: list[str]) -> None:
        now = self._workshop.now()
        self._file.write([self.log.add(now, line) for line in lines])
        if self._workshop.show is not None:
            for line in lines:
                self._workshop.show(self.app_name, line)
        self._logged()


class Turn:
    """A turn to start a program, which may be ended early."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._has = False

    async def __aenter__(self) -> Turn:
        await self._turns.acquire()
        self._has = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let others start."""
        if self._has:
            self._has = False
            self._turns.release()
