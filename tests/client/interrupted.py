"""The program of test_interrupts, for a process of its own: one call that hangs, to be interrupted."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import App, Client


def main(url: str, protocol: str, what: str) -> None:
    """Print "ready", hang, then print the exception, the time since the signal, and the threads left."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    before = set(threading.enumerate())
    client = Client(url, protocol=protocol, project="demo", domain="development", timeout=60)  # pyright: ignore[reportArgumentType]
    pb2 = definition.App()
    pb2.metadata.id.project, pb2.metadata.id.domain, pb2.metadata.id.name = "demo", "development", "hello"
    app = App(pb2, client)
    calls = {
        "get": lambda: client.apps.get("hello"),
        "watch": lambda: app.watch(),
        "events": lambda: next(app.events()),
        "get.aio": lambda: asyncio.run(client.apps.get.aio("hello")),
        "watch.aio": lambda: asyncio.run(app.watch.aio()),
    }
    print("ready", flush=True)
    try:
        calls[what]()
    except KeyboardInterrupt:
        at = time.time()
        left = [thread.name for thread in threading.enumerate() if thread not in before]
        print(f"{at} {left}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
