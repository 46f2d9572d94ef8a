"""A program that opens a stream, forks twice, and reads on: what parent and children saw, as JSON on standard output.

    python forked_stream.py ENDPOINT WAY

The first child closes the stream that it inherited, the second reads on by it; then the app changes.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from forked import OPTIONS

from flyteapps import App, Client, Error, Retries


def seen(items: Any, wanted: str) -> str:
    """Return the desired state once a change shows the wanted one, or the error."""
    try:
        return next(name for change in items if (name := change.app.desired_state.name) == wanted)
    except Error as error:
        return f"{type(error).__name__}: {error.message}"


def main() -> None:
    """Print an object with what each process saw."""
    endpoint, transport = sys.argv[1:]
    retries = Retries(initial=0.01, maximum=0.05)
    client = Client(
        endpoint, insecure=True, project="demo", domain="development", timeout=10, retries=retries, **OPTIONS[transport]
    )
    app = client.apps.get("app-0")
    empty = type(app.pb2)()
    empty.metadata.id.CopyFrom(app.pb2.metadata.id)
    items = App(empty, client).events(timeout=60)
    saw: dict[str, str] = {"first": seen(items, "UNSPECIFIED")}
    closing = os.fork()
    if closing == 0:
        items.close()
        os._exit(0)
    saw["closing"] = str(os.waitpid(closing, 0)[1])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"ready")
        with os.fdopen(writing, "w") as out:
            out.write(seen(items, "STOPPED"))
        os._exit(0)
    os.close(writing)
    os.read(reading, 5)
    app.deactivate()
    saw["parent"] = seen(items, "STOPPED")
    with os.fdopen(reading) as answer:
        saw["child"] = answer.read()
    os.waitpid(child, 0)
    items.close()
    client.close()
    json.dump(saw, sys.stdout)


if __name__ == "__main__":
    main()
