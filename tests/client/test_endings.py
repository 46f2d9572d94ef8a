"""Ends: background tasks when main returns, a console that lacks a character, a clock that stands still."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

import flyteapps
from client.conftest import TRANSPORTS, WIRES, Run, client_of, once
from flyteapps import App, LogLine, WaitTimeout
from flyteapps.flows import viewing
from flyteapps_fake.control_plane import FakeControlPlane

dialect = "standard"


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A fresh plane of the standard dialect: how a client ends is the client's matter."""
    with FakeControlPlane() as fresh:
        yield fresh


async def events(app: App) -> None:
    """Follow events without end."""
    async for _ in app.events.aio():
        pass


async def logs(app: App) -> None:
    """Follow logs while there is a replica."""
    async for _ in app.logs.aio():
        pass


async def watch(app: App) -> None:
    """Wait for a state that doesn't come."""
    await app.watch.aio("deactivated")


async def show_logs(app: App) -> None:
    """Print what `logs` follows."""
    await app.show_logs.aio(raw=True)


async def get(app: App) -> None:
    """Call over and over."""
    while True:
        await app.client.apps.get.aio("hello")


async def held(app: App) -> None:
    """Leave an iteration open and hold it, as a global variable would."""
    lines: AsyncIterator[LogLine] = app.logs.aio()
    await anext(lines)
    HELD.append(lines)


async def dropped(app: App) -> None:
    """Leave an iteration open and drop it."""
    async for _ in app.logs.aio():
        break


HELD: list[Any] = []
LEFT: list[Callable[[App], Coroutine[Any, Any, None]]] = [events, logs, watch, show_logs, get, held, dropped]


@pytest.mark.parametrize("left", LEFT, ids=lambda each: each.__name__)
@pytest.mark.parametrize("transport", once(TRANSPORTS, "direct", "connect", "grpcio"))
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_what_is_left_when_main_returns_ends_in_silence(
    transport: str,
    left: Callable[[App], Coroutine[Any, Any, None]],
    plane: FakeControlPlane,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback, no log record, no warning: asyncio.run cancels what is left, and that ends it."""
    with client_of(plane, transport) as client, caplog.at_level(logging.WARNING):
        client.apps.create(flyteapps.new_app("hello", image="x")).watch()
        tasks: list[asyncio.Task[None]] = []

        async def main() -> None:
            app = await client.apps.get.aio("hello")
            tasks[:] = [asyncio.create_task(left(app))]
            for _ in range(20):  # until it has made its calls, and waits
                await client.apps.get.aio("hello")

        for _ in range(3 if transport == "grpcio" else 1):  # grpcio reports late, to the next loop
            asyncio.run(main())
        assert tasks[0].cancelled() or left in (held, dropped)
        HELD.clear()
        gc.collect()
        assert [record.getMessage() for record in caplog.records if not late(record)] == []
        assert capsys.readouterr().err == ""


def late(record: logging.LogRecord) -> bool:
    """Return whether it is grpcio's report to a closed loop: on a busy machine it is later than any wait."""
    closed = record.exc_info is not None and "Event loop is closed" in str(record.exc_info[1])
    return closed and "PollerCompletionQueue" in record.getMessage()


class Narrow(io.TextIOWrapper):
    """A console of another encoding."""

    def __init__(self, encoding: str, terminal: bool) -> None:
        self.written = io.BytesIO()
        self._terminal = terminal
        super().__init__(self.written, encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        """Return whether rich draws on it."""
        return self._terminal


TEXTS = {"ascii": "caf\\xe9 \\u2713", "cp1252": "café \\u2713", "latin-1": "café \\u2713", "utf-8": "café ✓"}


@pytest.mark.parametrize("terminal", [False, True], ids=["plain", "rich"])
@pytest.mark.parametrize("encoding", TEXTS)
def test_a_console_that_lacks_a_character_gets_an_escape(
    encoding: str, terminal: bool, run: Run, plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """show_logs() prints every line on any console, printed or drawn in place."""
    client = client_of(plane, "direct")
    app = client.apps.create(flyteapps.new_app("hello", image="x")).watch().deactivate(wait=True)
    monkeypatch.setattr(viewing, "formatted", lambda line, _: f"{line} café ✓")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setenv("TERM", "xterm")
    console = Narrow(encoding, terminal)
    monkeypatch.setattr(sys, "stdout", console)
    run(app.show_logs)
    monkeypatch.undo()
    assert TEXTS[encoding] in console.written.getvalue().decode(encoding)


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["none", "no encoding"])
def test_any_stdout_will_do(stream: Any, plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a console has none, and a stream of the caller's own has no encoding."""
    app = client_of(plane, "direct").apps.create(flyteapps.new_app("hello", image="x")).watch().deactivate(wait=True)
    monkeypatch.setattr(sys, "stdout", stream)
    app.show_logs()
    assert stream is None or "ACTIVE" in stream.getvalue()


def test_lines_of_the_sdk_itself_are_hidden_but_its_errors() -> None:
    """`filter_system` hides what the SDK hides: the platform's lines and `[flyte]`, but no `flyte.errors`."""
    shown = [
        not viewing.is_system(LogLine(text, originator=who))
        for text, who in (
            ("hello", "USER"),
            ("[flyte] pulling", "USER"),
            ("[flyte] flyte.errors.RuntimeUserError: no", "USER"),
            ("[flyte] flyte.errors.RuntimeUserError: no", "SYSTEM"),
            ("started", "SYSTEM"),
        )
    ]
    assert shown == [True, False, True, False, False]


@pytest.mark.parametrize("transport", once(WIRES, "connect"))
def test_a_blocking_wait_ends_while_the_clock_is_frozen(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """freezegun replaces `time.monotonic` by one that stands still; deadlines of waits still pass."""
    with FakeControlPlane(clock="manual") as plane, client_of(plane, transport) as client:
        app = client.apps.create(flyteapps.new_app("hello", image="x"))  # becomes active once the clock is moved
        frozen = time.monotonic()
        monkeypatch.setattr("time.monotonic", lambda: frozen)
        with pytest.raises(WaitTimeout):
            app.watch(timeout=0.2)
        monkeypatch.undo()
