"""Forked processes: a child never gets another's answer, and what can't work there fails at once and says so.

The short form is run by default; FLYTEAPPS_FORKED_CALLS=1000 makes so many calls in forked children for each transport.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyteapps import Client
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import SCOPE, once
from .forked import NAMES, OPTIONS, TIMEOUT_SECONDS
from .messages import app

HERE = Path(__file__).parent
CALLS = int(os.environ.get("FLYTEAPPS_FORKED_CALLS", "30"))
TRANSPORTS = tuple(OPTIONS)
SURVIVES = {("connect", "blocking"), ("grpcio", "blocking")}
"""Combinations that work in a child after calls of its parent over the same transport and half."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[str, str]]:
    """The endpoint of a plane with some apps, by transport."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        client = Client(transport=plane.transport(), **SCOPE)
        for name in NAMES:
            client.apps.create(app(name))
        yield {transport: server.grpc_target if transport == "grpcio" else server.url for transport in TRANSPORTS}


def run(program: str, *arguments: str) -> Any:
    """Return the output of a program of this folder, from JSON."""
    command = [sys.executable, str(HERE / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100 if CALLS < 100 else 600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def judge(outcomes: list[dict[str, Any]], works: bool) -> None:
    """Assert that each call returned its own app, or failed with advice; the last is the parent's, which works."""
    *children, parent = outcomes
    assert children
    assert parent["got"] == parent["asked"]
    for outcome in children:
        assert outcome["seconds"] < TIMEOUT_SECONDS
        if works:
            assert outcome["got"] == outcome["asked"], outcome
        else:
            assert outcome["got"].startswith("ConfigError: ")
            assert "spawn or forkserver" in outcome["got"]


@pytest.mark.parametrize("half", ["blocking", "awaiting"])
@pytest.mark.parametrize("transport", once(TRANSPORTS, "connect", "grpc", "grpcio"))
@pytest.mark.timeout(600)
def test_children_that_call_at_once(endpoints: dict[str, str], transport: str, half: str) -> None:
    """Six children of a parent that has called, and whose threads go on calling, as under a prefork server."""
    rounds = str(max(1, CALLS // 30))
    # grpcio's own threads crash a child that was forked amid awaited calls, before anything of ours runs there
    busy = () if (transport, half) == ("grpcio", "awaiting") else ("--busy",)
    outcomes = run("forked.py", endpoints[transport], transport, half, "os.fork", "--rounds", rounds, *busy)
    assert len(outcomes) > CALLS - 30
    judge(outcomes, (transport, half) in SURVIVES)


@pytest.mark.parametrize("transport", once(TRANSPORTS, "grpcio"))
def test_pools_of_processes(endpoints: dict[str, str], transport: str) -> None:
    """ProcessPoolExecutor works by spawn and forkserver with every transport, and by fork as os.fork does."""
    for how in (
        ("fork", "forkserver", "spawn")
        if transport == "connect"
        else ("fork", "spawn" if "grpc" in transport else "forkserver")
    ):
        outcomes = run("forked.py", endpoints[transport], transport, "blocking", how)
        judge(outcomes, how != "fork" or (transport, "blocking") in SURVIVES)


@pytest.mark.parametrize("transport", once(TRANSPORTS, "connect", "grpcio"))
def test_a_stream_that_was_open(transport: str) -> None:
    """A child that closes the stream doesn't end the parent's; one that reads on has a stream of its own."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        Client(transport=plane.transport(), **SCOPE).apps.create(app(NAMES[0]))
        saw = run("forked_stream.py", server.grpc_target if transport == "grpcio" else server.url, transport)
    assert saw["closing"] == "0"
    assert saw["parent"] == "STOPPED"
    if (transport, "blocking") in SURVIVES:
        assert saw["child"] == "STOPPED"
    else:
        assert "spawn or forkserver" in saw["child"]


USED_BY_ANOTHER = """
import os, sys, threading
import pyqwest
import flyteapps.client  # so that the fork is noticed; nothing of it has called
if sys.argv[2] == "used":
    try:
        pyqwest.SyncClient(pyqwest.SyncHTTPTransport(enable_otel=False)).get("http://127.0.0.1:0/", timeout=5.0)
    except ConnectionError:
        pass
child = os.fork()
if child == 0:
    client = flyteapps.Client(sys.argv[1], project="demo", domain="development", protocol="grpc", timeout=10)
    for _ in range(2):
        try:
            print(client.apps.get("app-1").name, flush=True)
        except flyteapps.ConfigError as error:
            print(error.message, flush=True)
    sys.exit(0)  # not os._exit: what hangs may not hold up the interpreter's end
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("used", ["used", "unused"])
def test_a_library_that_another_package_used(endpoints: dict[str, str], used: str) -> None:
    """A client made in the child finds out whether the library still works there."""
    command = [sys.executable, "-c", USED_BY_ANOTHER, endpoints["grpc"], used]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    lines = done.stdout.splitlines()
    if used == "unused":
        assert lines == ["app-1", "app-1"]
    else:
        assert len(lines) == 2
        assert all("pyqwest was in use before this process was forked" in line for line in lines)
