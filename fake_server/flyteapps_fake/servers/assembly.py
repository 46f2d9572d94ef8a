"""The plane, front, pages and console of one server: the same inside pyvoy's child and on hypercorn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flyteapps_fake.cli.access_log import AccessLog, AppOutput, access_log
from flyteapps_fake.cli.output import warn
from flyteapps_fake.cli.traces import set_up_traces
from flyteapps_fake.console.pages import pages
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.http.access.host_policy import HostPolicy
from flyteapps_fake.http.builtin.upload_files import upload_files
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.http.options import AccessLine, FrontOptions, Server
from flyteapps_fake.servers.addresses import bracketed, loopback_of
from flyteapps_fake.servers.config import ServeConfig
from flyteapps_fake.servers.console_port import Console, Pem
from flyteapps_fake.servers.scenario_files import ScenarioFiles
from flyteapps_fake.simulation.files.watching import FileWatch

if TYPE_CHECKING:
    from flyteapps_fake.cli.call_log_file import CallLogFile
    from flyteapps_fake.processes.data_plane import DataPlane
    from flyteapps_fake.processes.ingress.request_line import RequestLine
    from flyteapps_fake.processes.settings import Processes
    from flyteapps_fake.saving.saver import Saver

FLUSH_SECONDS = 0.2
"""Time to write the last access lines; a reader that has stopped doesn't delay the server's end any longer."""

ABANDONED_SECONDS = 1.0
"""Time that apps have to end by themselves, where the process that started the server was killed."""

FLUSH_CALLS_SECONDS = 1.0
"""Time to write the last calls to the file of calls."""

MAX_PATH_CHARACTERS = 1_000
"""Characters of the path of a request to an app in an access line."""

Hook = Callable[[Front], Awaitable[None]]


def assemble(
    config: ServeConfig, server: Server, socks: Sequence[socket.socket] = (), started: Hook | None = None
) -> Front:
    """Return the ASGI application that `config` describes. `socks`: the console's listening sockets, if any."""
    fields = dict(config.settings)
    if fields.get("ingress_port") is None:
        fields["ingress_port"] = config.console_port or config.port
    plane = Plane(Settings(**fields))
    log = access_log(config.log_format, config.quiet)
    saver = keep_state(plane)
    processes = plane.settings.runs_apps
    data_plane = run_apps(plane, processes, config, log) if processes is not None else None
    if config.seed_file is not None and not (saver is not None and saver.loaded):
        from flyteapps_fake.seeding.files import fill

        fill(plane, Path(config.seed_file))
    if log is not None:
        plane.notify(log)
    pem = Pem(Path(config.tls_cert), Path(config.tls_key)) if config.tls_cert and config.tls_key else None
    calls: CallLogFile | None = None
    if config.call_log is not None:
        from flyteapps_fake.cli.call_log_file import CallLogFile

        calls = CallLogFile(Path(config.call_log))
        plane.notify_of_calls(calls.put)
    end_traces = set_up_traces()
    console: Console | None = None

    files = ScenarioFiles(
        FileWatch(plane.scenario_book), (lambda text: log(Notice("", text))) if log is not None else warn
    )

    async def on_startup(front: Front) -> None:
        nonlocal console
        files.start()
        if socks and data_plane is not None:
            await asyncio.to_thread(data_plane.serve_router, socks, _tls(pem))
        elif socks:
            console = Console(front, socks, pem)
            console.start()
        if started is not None:
            await started(front)

    async def on_shutdown(front: Front) -> None:
        files.stop()
        if console is not None:
            await console.close()
        if data_plane is not None:
            await asyncio.to_thread(data_plane.close, ABANDONED_SECONDS if front.is_abandoned else None)
        if saver is not None:
            await asyncio.to_thread(saver.close)
        with contextlib.suppress(TimeoutError):  # a collector that doesn't answer delays the end no longer
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.to_thread(end_traces)
        if log is not None:
            await asyncio.to_thread(log.flush, FLUSH_SECONDS)
        if calls is not None:
            await asyncio.to_thread(calls.flush, FLUSH_CALLS_SECONDS)

    return Front(
        plane,
        FrontOptions(
            server=server,
            host_policy=HostPolicy(
                config.addresses[0], filter(None, (plane.settings.base_domain, *config.hosts)), config.origins
            ),
            limits=Limits(**config.limits),
            console_port=config.console_port,
            control=config.control_api,
            access_log=log,
            page=pages,
            console=config.console,
            uploads=upload_files(plane.settings, data_plane.directories.uploads if data_plane is not None else None),
            on_startup=on_startup,
            on_shutdown=on_shutdown,
        ),
    )


def keep_state(plane: Plane) -> Saver | None:
    """Let a new plane go on from the state in its directory, and keep it there; return None for memory alone."""
    settings = plane.settings
    if settings.state is None:
        return None
    from flyteapps_fake.saving.saver import open_saver

    passes = settings.time_between == "passes"
    return open_saver(plane, os.fspath(settings.state), settings.dialect, settings.state_sync, passes=passes)


def run_apps(plane: Plane, processes: Processes, config: ServeConfig, log: AccessLog | None) -> DataPlane:
    """Return what runs the apps of a plane."""
    from flyteapps_fake.processes.data_plane import DataPlane

    secure = config.tls_cert is not None
    shown = log if log is not None else AccessLog.of(config.log_format)
    address = loopback_of(config.addresses[0])
    # at localhost the SDK in an app calls in plaintext, whatever it is told
    host = "127.0.0.1" if secure else "localhost"
    return DataPlane(
        plane,
        processes,
        pages=f"{'https' if secure else 'http'}://{bracketed(address)}:{config.port}",
        show=(lambda app, line: shown(AppOutput(app.name, line))) if config.show_logs else None,
        log=(lambda line: log(_access_line(line))) if log is not None else None,
        interpreter=config.interpreter or None,
        endpoint=f"{host}:{config.port}",
        secure=secure,
    )


def _access_line(line: RequestLine) -> AccessLine:
    path = line.path.partition("?")[0][:MAX_PATH_CHARACTERS]  # a query may hold what nobody should read
    return AccessLine(line.method, line.app.name, str(line.status), line.seconds * 1_000, path=path)


def _tls(pem: Pem | None) -> ssl.SSLContext | None:
    if pem is None:
        return None
    from flyteapps_fake.servers.hypercorn.server import tls_context

    return tls_context(*pem)
