"""Another program takes the port that a replica was given, before the replica opens it."""

from __future__ import annotations

import socket
from pathlib import Path

from .running import SERVE, Apps, body, script, until

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
