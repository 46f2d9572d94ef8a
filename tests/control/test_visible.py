"""Faults are visible: notices for the terminal, counts on the pages, and no verdict on a plane that has one."""

from __future__ import annotations

import contextlib
import json

import httpx
import pytest
from connectrpc.errors import ConnectError

from flyteapps.testing import MockServer
from flyteapps_contract.cli import verify
from flyteapps_contract.outcomes import CannotJudge
from flyteapps_contract.targets.endpoint import Address, EndpointTarget
from flyteapps_contract.targets.probing import require_no_faults
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.dialect import Notice

from .calls import create, get, watch


def test_each_applied_fault_has_a_notice() -> None:
    """A line names the rule, the call with its app, and the effect; a call without a fault has none."""
    found: list[Notice] = []
    with FakeControlPlane(call_log=1_000, clock="manual", data_plane="none") as plane:
        plane.notify(found.append)
        plane.faults.fail("Create", code="UNAVAILABLE", nth=1)
        plane.faults.fail("Create", code="ABORTED", nth=1, applied=True)
        plane.faults.answer("Get", status=429, nth=1)
        plane.faults.reset("Get", nth=1)
        plane.faults.cut("Watch", after=0)
        plane.faults.repeat("Watch", message=2)
        for _ in range(3):
            for make in (lambda: plane.stub().create(create()), lambda: plane.stub().get(get())):
                with contextlib.suppress(ConnectError):
                    make()
        with pytest.raises(ConnectError):
            next(iter(plane.stub().watch(watch())))
    texts = [each.message for each in found if "applied" in each.message]
    assert texts == [
        "f1 applied: Create of proj/dev/demo UNAVAILABLE",
        "f3 applied: Get of proj/dev/demo HTTP 429",
        "f2 applied: Create of proj/dev/demo ABORTED after the commit",
        "f4 applied: Get of proj/dev/demo RESET",
        "f5 applied: Watch of proj/dev/demo cut after message 0",
        "f6 applied: Watch of proj/dev/demo repeat message 2",
    ]
    assert {each.app for each in found} == {"demo"}


def test_pages_count_faults_and_calls() -> None:
    """/healthz has the rules and the recorded calls, /metrics the rules and the faults that calls have had."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        server = plane.serve()
        plane.faults.fail("Get", code="ABORTED")
        for _ in range(2):
            with pytest.raises(ConnectError):
                plane.stub().get(get())
        with httpx.Client(trust_env=False) as client:
            health = json.loads(client.get(f"{server.url}/healthz").text)
            assert (health["faults"], health["calls_recorded"]) == (1, 2)
            plane.faults.clear()
            assert json.loads(client.get(f"{server.url}/healthz").text)["faults"] == 0
            lines = client.get(f"{server.url}/metrics").text.splitlines()
    assert {"flyteapps_faults 0.0", "flyteapps_faults_applied_total 2.0"} <= set(lines)


def test_a_plane_with_a_fault_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    """The suite exits with 2, and says which rules there are and how to remove them; also where List itself fails."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        server = plane.serve()
        plane.faults.fail("Create", code="UNAVAILABLE")
        plane.faults.fail("List", code="UNAVAILABLE")
        assert verify.main([server.url, "--only", "CR-1"]) == 2
        said = capsys.readouterr().err
        assert "has 2 rules for faults (f1 fail Create, f2 fail List)" in said
        assert "remove them by `flyteapps control faults clear`" in said
        plane.faults.clear()
        plane.faults.cut("Watch", after=1)
        with pytest.raises(CannotJudge, match=r"has 1 rule for faults \(f3 cut Watch\)"):
            require_no_faults(EndpointTarget(Address.parse(server.url)))
        plane.faults.clear()
        require_no_faults(EndpointTarget(Address.parse(server.url)))


def test_a_plane_without_a_control_api_is_judged() -> None:
    """Where nothing of the kind is served, there are no rules: that is no obstacle."""
    with MockServer(lambda call: None) as server:
        require_no_faults(EndpointTarget(Address.parse(server.url)))
