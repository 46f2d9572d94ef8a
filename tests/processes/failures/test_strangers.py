"""Another program takes the port that a replica was given, before the replica opens it."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from ..running import SERVE, Apps, body, script, until

WAIT = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"


def test_a_port_that_another_program_takes(apps: Apps, tmp_path: Path) -> None:
    """The other program isn't taken for the app: that gets another port, and the message says so meanwhile."""
    marker = tmp_path / "marker"
    app = apps.create(command=[*script(WAIT + SERVE), str(marker)])
    port = until(lambda: apps.replica().program and apps.replica().port)
    with socket.create_server(("127.0.0.1", port)):
        message = apps.reaches("DEPLOYING", text="taken by another program").message
        assert f"port {port} was just taken by another program" in message
        marker.touch()
        assert app.watch()
        assert apps.replica().port != port
        assert body(app) == b"ok"


def test_code_with_a_port_of_its_own(apps: Apps) -> None:
    """The message of a program whose fixed port is taken has the port that it should listen on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        apps.create(text=f"import socket\nsocket.create_server(('127.0.0.1', {port}))", port=port)
        message = apps.reaches("FAILED", text="in use").message
    assert message.startswith("Exited with code 1: OSError: [Errno 98] Address already in use")
    assert re.search(r"; the port that it should listen on is in the variable PORT, now \d+", message)
