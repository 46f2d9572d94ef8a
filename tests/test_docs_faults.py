"""Each line of docs/faults.md provokes what the page says, on planes in process; nothing is missing there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from connectrpc.errors import ConnectError
from control.calls import create, get, watch
from flyteidl2.app.app_definition_pb2 import Status
from flyteidl2.app.app_payload_pb2 import ListRequest, UpdateStatusRequest, WatchResponse
from import_graph import ROOT

from flyteapps_control.codes import CODES
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.lifecycle import short_name, substate_name
from flyteapps_fake.core.operations import BY_METHOD
from flyteapps_fake.inprocess.transport import DirectStream
from serving.asgi_calls import calling

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ERRORS = re.findall(r'^\| (\w+) \| `(plane\.faults\.fail\("(\w+)".*)` \|$', PAGE, re.MULTILINE)
STALE = re.findall(r"^\| (\w+) \| `(plane\.faults\.stale\(.*)` \|$", PAGE, re.MULTILINE)
UPLOADS = re.findall(r"^\| (\d+) \| `(plane\.faults\.answer\(.*)` \|$", PAGE, re.MULTILINE)
[STEAL] = re.findall(r"^\| UpdateStatus \| `(plane\.faults\.steal_lease\(.*)` \|$", PAGE, re.MULTILINE)
STATES = re.findall(r"^\| (\w+) \| (\w+) \| \S+ s \| `(FakeControlPlane.*)` \|$", PAGE, re.MULTILINE)


def test_the_page_is_complete() -> None:
    """Each RPC has each code, and each substate is there."""
    assert {(method, code) for code, _, method in ERRORS} == {(method, code) for method in BY_METHOD for code in CODES}
    assert [method for method, _ in STALE] == ["Get", "List", "Watch"]
    assert {substate for substate, _, _ in STATES} == {substate_name(each) for each in Status.Substate.values() if each}


@pytest.mark.parametrize("method", BY_METHOD)
def test_each_error_is_provoked(method: str) -> None:
    """A call of the RPC fails with the code, once the line was run; without the rule it doesn't have that error."""
    for code, line, rpc in ERRORS:
        if rpc != method:
            continue
        with FakeControlPlane(clock="manual") as plane:
            stub: Any = plane.logs_stub() if method == "TailLogs" else plane.stub()
            call: Callable[[Any], Any] = getattr(stub, re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower())
            plane.stub().create(create("hello"))
            eval(line, {"plane": plane})
            with pytest.raises(ConnectError, match=rf"fault f1: {method} fails") as refused:
                list(call(BY_METHOD[method].request()))
            assert refused.value.code.name == code


@pytest.mark.parametrize(("method", "line"), STALE)
def test_each_read_is_stale(method: str, line: str) -> None:
    """A read of the RPC doesn't show an app that was just created, until it is 5 s old."""
    with FakeControlPlane(clock="manual") as plane:
        eval(line, {"plane": plane})
        plane.stub().create(create("hello"))
        assert not shown(plane, method)
        plane.clock.advance("5s")
        assert shown(plane, method)


def test_each_answer_to_an_upload_is_given() -> None:
    """A PUT to a signed URL is answered with the status."""

    async def main() -> None:
        async with calling() as caller:
            url = caller.front.uploads.sign("", "file", b"", 60)[0]
            path, _, query = url.partition("?")
            for status, line in UPLOADS:
                eval(line, {"plane": caller.plane})
                assert await caller.code(path, b"file", method="PUT", query=query) == f"HTTP_{status}"
                caller.plane.faults.clear()
            assert await caller.code(path, b"file", method="PUT", query=query) == "OK"

    assert len(UPLOADS) > 5
    asyncio.run(main())


def test_a_lease_is_stolen() -> None:
    """The report of the cluster that has the app is refused."""
    with FakeControlPlane(clock="manual") as plane:
        app = plane.stub().create(create("hello")).app
        eval(STEAL, {"plane": plane})
        with pytest.raises(ConnectError, match="cluster west does; lease it first"):
            plane.stub().update_status(UpdateStatusRequest(app=app))


def shown(plane: FakeControlPlane, method: str) -> bool:
    """Return whether a read shows an app: for a Watch, in its snapshot."""
    if method == "List":
        return bool(plane.stub().list(ListRequest(org=plane.org)).apps)
    try:
        if method == "Get":
            return plane.stub().get(get("hello")).HasField("app")
        with cast("DirectStream[WatchResponse]", plane.stub().watch(watch("hello"))) as stream:
            status = stream.receive(0).create_event.app.status
            return status.conditions[-1].deployment_status != Status.DEPLOYMENT_STATUS_UNASSIGNED
    except ConnectError:
        return False


@pytest.mark.parametrize(("substate", "status", "line"), STATES, ids=[each[0] for each in STATES])
def test_each_state_is_reached(substate: str, status: str, line: str) -> None:
    """The plane's app comes to the substate, with the status."""
    names: Mapping[str, Any] = {"FakeControlPlane": FakeControlPlane}
    with eval(line, dict(names)) as plane:
        assert isinstance(plane, FakeControlPlane)
        request = create("hello")
        request.app.spec.autoscaling.replicas.max = 2
        plane.stub().create(request)
        for _ in range(20):
            plane.clock.advance_to_next()
            conditions = plane.stub().get(get("hello")).app.status.conditions
            last = conditions[-1]
            if (substate_name(last.substate), short_name(last.deployment_status)) == (substate, status):
                return
        pytest.fail(f"the app never was {status} {substate}")
