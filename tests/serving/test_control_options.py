"""The options of `flyteapps serve` about the control API: where it is served, and the file of calls."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps.testing import ControlError, connect_control
from flyteapps_fake.cli import startup
from flyteapps_fake.cli.options import ServeOptions
from flyteapps_fake.cli.serve import serve

from .messages import create, get, watch
from .server_process import ServerProcess, eventually


def _is_served(*arguments: str) -> bool:
    """Return whether the control API would be served."""
    values = serve.make_context("serve", ["--port", "0", "--console-port", "0", *arguments]).params
    options = ServeOptions(**values)
    addresses = startup.addresses_of(options.host)
    sockets = startup.open_sockets(options, addresses, "portable")
    try:
        return startup.config_of(options, {}, {}, addresses, sockets, None).control_api
    finally:
        for each in (*sockets.api, *sockets.console):
            with closing(each):
                pass


@pytest.mark.parametrize(
    ("arguments", "served"),
    [
        ([], True),
        (["--host", "127.0.0.1"], True),
        (["--no-control"], False),
        (["--host", "0.0.0.0"], False),
        (["--host", "0.0.0.0", "--control"], True),
    ],
)
def test_the_control_api_is_served_to_this_machine(arguments: list[str], served: bool) -> None:
    """It is on where only this machine reaches the server, off beyond that, unless an option says otherwise."""
    assert _is_served(*arguments) is served


def test_the_file_of_calls(tmp_path: Path) -> None:
    """Each finished call is a line of JSON, with its faults; the file is appended to, and complete at the end."""
    path = tmp_path / "calls.jsonl"
    path.write_text("before\n", encoding="utf-8")
    server = ServerProcess("--call-log", str(path), "--clock", "manual", "--quiet")
    control = connect_control(server.url)
    try:
        rule = control.faults.fail("Create", app="b", code="UNAVAILABLE", applied=True)
        with AppServiceClientSync(server.url) as client:
            client.create(create("a"))
            with pytest.raises(ConnectError):
                client.create(create("b"))
            with pytest.raises(ConnectError):
                client.get(get("c"))
            stream = client.watch(watch("a"))
            next(iter(stream))
            eventually(lambda: path.read_text(encoding="utf-8").count("\n") == 4, "the calls are not in the file")
            assert control.drop_streams(app="a") == 1
            with pytest.raises(ConnectError):
                next(iter(stream))
        assert control.clock.mode == "manual"
    finally:
        assert server.stop()[0] == 0, server.output
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first == "before"
    calls = [json.loads(line) for line in lines]
    rows = [(each["rpc"].rpartition("/")[2], each["code"], each.get("faults")) for each in calls]
    assert rows == [
        ("Create", "OK", None),
        ("Create", "UNAVAILABLE", [rule.id]),
        ("Get", "NOT_FOUND", None),
        ("Watch", "UNAVAILABLE", None),
    ]
    assert calls[0]["request"]["app"]["metadata"]["id"]["name"] == "a"
    assert calls[0]["responses"][0]["app"]["metadata"]["revision"] == "1"
    assert "responses" not in calls[1] and calls[3]["messages"] == "1"


@pytest.mark.slow
def test_the_control_api_can_be_off_and_a_full_disk_is_one_warning() -> None:
    """Without the control API its calls say so; a file of calls that fills up is one warning, and calls go on."""
    server = ServerProcess("--no-control", "--call-log", "/dev/full")
    try:
        with pytest.raises(ControlError, match="serves no control API") as refused:
            connect_control(server.url).faults.list()
        assert refused.value.code == "UNIMPLEMENTED"
        with AppServiceClientSync(server.url) as client:
            client.create(create("a"))
            for _ in range(3):
                client.get(get("a"))
        eventually(lambda: "--call-log /dev/full: can't be written any more" in server.output, server.output)
    finally:
        assert server.stop()[0] == 0
    assert server.output.count("/dev/full") == 1 and "No space left" in server.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--call-log", "no/such/folder/calls.jsonl"], "can't be written: No such file or directory"),
        (["--call-log", "calls.jsonl", "--call-log-size", "0"], "remove --call-log-size 0"),
    ],
)
def test_a_file_that_can_not_be_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    """The server doesn't start, and one line says why."""
    command = [sys.executable, "-m", "flyteapps_fake.cli.serve", "--port", "0", "--console-port", "0", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert message in ended.stderr
