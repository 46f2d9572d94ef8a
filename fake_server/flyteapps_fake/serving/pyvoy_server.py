"""The fast server: Envoy with the application inside, as a child process of ours.

The parent catches the signals, has the child end its streams, then leaves it, upon which it ends. Envoy itself hears no
signal, as it would cut the sockets before the application hears of it; and Ctrl-C reaches the whole process group, as
the SIGTERM of a service manager does every process of the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pyvoy import PyvoyServer

from flyteapps_fake.serving.config import CHILD_VARIABLE, ServeConfig
from flyteapps_fake.serving.signals import stop_requested
from flyteapps_fake.transports.limits import MAX_STREAMS, Limits

DRAIN_SECONDS = 1.3
STOP_SECONDS = 0.5
LATE_SECONDS = 5.0
TAIL = "%[89abAB][0-9a-fA-F]"
UTF8_PATH = (
    "(?:[^%?]|%[0-7][0-9a-fA-F]"
    f"|%[cC][2-9a-fA-F]{TAIL}|%[dD][0-9a-fA-F]{TAIL}"
    f"|%[eE]0%[abAB][0-9a-fA-F]{TAIL}|%[eE][1-9a-cefA-CEF](?:{TAIL}){{2}}|%[eE][dD]%[89][0-9a-fA-F]{TAIL}"
    f"|%[fF]0%[9abAB][0-9a-fA-F](?:{TAIL}){{2}}|%[fF][1-3](?:{TAIL}){{3}}|%[fF]4%8[0-9a-fA-F](?:{TAIL}){{2}}"
    r")*(?:\?.*)?"
)
"""What pyvoy can decode; it never answers a request whose path it can't, and never lets go of it."""

RUNTIME = {
    "re2": {"max_program_size": {"error_level": 500}},
    # a stream that lives less than a second is an attack to Envoy, and a wait for an app that is ready to us
    "overload": {"premature_reset_total_stream_count": 10_000_000},
}


class TunedServer(PyvoyServer):
    """pyvoy with our listener: one owner of the port, streams that may idle, and none that wait for ever."""

    limits = Limits()

    def get_envoy_config(self) -> dict[str, Any]:
        config = cast("dict[str, Any]", super().get_envoy_config())  # pyright: ignore[reportUnknownMemberType] - a bare dict
        for listener in config["static_resources"]["listeners"]:
            listener["enable_reuse_port"] = False
            for chain in listener["filter_chains"]:
                for part in chain["filters"]:
                    http = part["typed_config"]
                    if not http["@type"].endswith("HttpConnectionManager"):
                        continue
                    http["stream_idle_timeout"] = "0s"
                    http["request_headers_timeout"] = f"{self.limits.head_seconds:g}s"
                    # the front's own refusal comes first
                    http["request_timeout"] = f"{self.limits.request_seconds + LATE_SECONDS:g}s"
                    http["http2_protocol_options"] = {"max_concurrent_streams": MAX_STREAMS, "use_oghttp2_codec": True}
                    http["http_filters"].insert(0, _path_filter())
                    forbidden = {"default_value": 403, "runtime_key": "flyteapps.forbidden"}
                    comparison = {"op": "EQ", "value": forbidden}
                    http["local_reply_config"] = {
                        "mappers": [
                            {
                                "filter": {"status_code_filter": {"comparison": comparison}},
                                "status_code": 404,
                                "body": {"inline_string": "the path is no percent-encoded UTF-8\n"},
                            }
                        ]
                    }
        config["layered_runtime"] = {"layers": [{"name": "flyteapps", "static_layer": RUNTIME}]}
        # what watchers that don't read have filled is given back to the system once they are gone
        config["memory_allocator_manager"] = {"bytes_to_release": 32 * 1024 * 1024, "memory_release_interval": "1s"}
        return config

    async def stop(self) -> None:
        """At once: Envoy does not hear SIGTERM, by which pyvoy would ask it."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it may end just now
                self._process.kill()
            await self._process.wait()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid


def _path_filter() -> dict[str, Any]:
    """Envoy's filter that refuses a path which isn't UTF-8."""
    extensions = "type.googleapis.com/envoy.extensions.filters.http"
    escaped = {"name": ":path", "string_match": {"contains": "%"}}
    wrong = {"name": ":path", "string_match": {"safe_regex": {"regex": UTF8_PATH}}, "invert_match": True}
    both = {"and_rules": {"rules": [{"header": escaped}, {"header": wrong}]}}
    policy = {"permissions": [both], "principals": [{"any": True}]}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": f"{extensions}.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"path": policy}},
        },
    }


class _Control:
    """The parent's end of the socket to the child."""

    def __init__(self) -> None:
        self.console_port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.drained = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        while line := await reader.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word == "ready" and not self.console_port.done():
                self.console_port.set_result(int(rest))
            elif word == "drained":
                self.drained.set()

    async def drain(self) -> None:
        if self._writer is None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.write(b"drain\n")
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.drained.wait()

    def leave(self) -> None:
        """The child ends where it is left."""
        if self._writer is not None:
            self._writer.close()


async def run_pyvoy(config: ServeConfig, listening: Callable[[int, int | None], None]) -> int:
    """Serve until a signal comes; the exit status. `listening` hears the ports."""
    with tempfile.TemporaryDirectory(prefix="flyteapps-") as folder:
        path = os.path.join(folder, "control")
        control = _Control()
        listener = await asyncio.start_unix_server(control.serve, path)
        stop = stop_requested()
        child = replace(config, control=path)
        server = TunedServer(
            "flyteapps_fake.serving.child:app",
            address=config.host,
            port=config.port,
            lifespan=True,
            env={CHILD_VARIABLE: child.to_json()},
            stdout=None,
            stderr=None,
            tls_cert=Path(config.tls_cert) if config.tls_cert else None,
            tls_key=Path(config.tls_key) if config.tls_key else None,
            tls_enable_http3=False,
        )
        server.limits = Limits(**config.limits)
        # pyvoy asks Envoy for its port by urlopen, which a proxy of the environment must not see
        os.environ["no_proxy"] = ",".join(filter(None, (os.environ.get("no_proxy"), "127.0.0.1", "localhost")))
        # what is blocked here is inherited so by Envoy
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            # pyvoy's child imports from its working directory, where a user's html.py or secrets.py may lie
            with contextlib.chdir(folder):
                starting = asyncio.create_task(server.start())
                await asyncio.sleep(0)
                while server.pid is None and not starting.done():
                    await asyncio.sleep(0.005)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            await starting
            async with asyncio.timeout(10):
                console_port = await control.console_port
            listening(server.listener_port, console_port or None)
            ended = asyncio.create_task(server.wait())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                print("flyteapps: the server's process ended by itself", file=sys.stderr, flush=True)
                return 1
            await control.drain()
            return 0
        finally:
            control.leave()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await server.wait()
            await server.stop()
            listener.close()
