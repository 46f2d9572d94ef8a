"""A server whose files may not grow, as on a full disk: writes are refused, reads go on, and nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_service_connect import AppServiceClientSync

from serving.server_process import ServerProcess

from ..driving import app_id, app_of

BLOCKS = 2_000
"""Blocks of 512 bytes that a file of the server may have."""


@pytest.mark.slow
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """Creates go on until the disk is full; a kill later all that were acknowledged are there, and no other one.

    Not on pyvoy: the signal of such a limit, which no full disk sends, ends Envoy.
    """
    options = ("--quiet", "--server", "portable", "--state", str(tmp_path / "state"))
    acknowledged: list[str] = []
    with ServerProcess(*options, shell=f"ulimit -f {BLOCKS}") as server:
        client = AppServiceClientSync(server.url)
        refusals = 0
        while refusals < 3:
            name = f"a{len(acknowledged) + refusals}"
            app = app_of("p", name, "stopped", "", "img:1")
            app.spec.container.args.extend(["x" * 1_000] * 20)
            try:
                client.create(rpc.CreateRequest(app=app))
                acknowledged.append(name)
            except ConnectError as error:
                assert error.code is Code.RESOURCE_EXHAUSTED, error
                refusals += 1
            assert client.get(rpc.GetRequest(app_id=app_id("p", acknowledged[-1]))).app.metadata.revision == 1
        server.stop(signal.SIGKILL)
    with ServerProcess(*options) as server:
        found = AppServiceClientSync(server.url).list(rpc.ListRequest(org="flyte"))
        names = {app.metadata.id.name for app in found.apps}
        token = found.token
        while token:
            request = rpc.ListRequest(org="flyte")
            request.request.token = token
            found = AppServiceClientSync(server.url).list(request)
            names |= {app.metadata.id.name for app in found.apps}
            token = found.token
        assert names == set(acknowledged)
