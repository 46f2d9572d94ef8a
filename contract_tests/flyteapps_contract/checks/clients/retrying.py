"""Retries: CL-20 and CL-21."""

from __future__ import annotations

from collections.abc import Awaitable

from flyteapps.testing.faults import fail, reset
from flyteapps_contract.clients.adapter import Kind
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.session import ACTIVE, copy


async def _is_read(s: ClientContext, code: str) -> None:
    app = s.given(ACTIVE)
    s.plane.faults.add(fail("Get", code=code, times=1))
    await s.succeeds(s.client.get(app.metadata.id.name), f"a Get that is {code} once")


@client_check("CL-20")
async def a_read_after_unavailable(s: ClientContext) -> None:
    """A Get that is UNAVAILABLE once, or whose connection is cut once, succeeds."""
    await _is_read(s, "UNAVAILABLE")
    app = s.given(ACTIVE)
    s.plane.faults.add(reset("Get", times=1))
    await s.succeeds(s.client.get(app.metadata.id.name), "a Get whose connection is cut once")


@client_check("CL-20")
async def a_read_after_resource_exhausted(s: ClientContext) -> None:
    """A Get that is RESOURCE_EXHAUSTED once succeeds."""
    await _is_read(s, "RESOURCE_EXHAUSTED")


async def _is_reported_once(s: ClientContext, call: Awaitable[object], method: str, what: str) -> None:
    await s.fails(call, what, [Kind.OTHER])
    expect_equal(len(s.plane.call_log.of(method)), 1, f"the number of calls, {what}")


@client_check("CL-21")
async def an_invalid_read_is_reported_once(s: ClientContext) -> None:
    """A Get that is INVALID_ARGUMENT is called once and raises."""
    app = s.given(ACTIVE)
    s.plane.faults.add(fail("Get", code="INVALID_ARGUMENT"))
    await _is_reported_once(s, s.client.get(app.metadata.id.name), "Get", "a Get that is INVALID_ARGUMENT")


@client_check("CL-21")
async def an_invalid_create_is_reported_once(s: ClientContext) -> None:
    """A Create that is INVALID_ARGUMENT is called once and raises."""
    s.plane.faults.add(fail("Create", code="INVALID_ARGUMENT"))
    await _is_reported_once(s, s.client.create(s.message()), "Create", "a Create that is INVALID_ARGUMENT")


@client_check("CL-21")
async def an_invalid_update_is_reported_once(s: ClientContext) -> None:
    """An Update that is INVALID_ARGUMENT is called once and raises."""
    sent = copy(s.given(ACTIVE))
    sent.spec.container.image = "img:2"
    s.plane.faults.add(fail("Update", code="INVALID_ARGUMENT"))
    await _is_reported_once(s, s.client.update(sent, "invalid"), "Update", "an Update that is INVALID_ARGUMENT")


@client_check("CL-21")
async def a_refused_delete_is_reported_once(s: ClientContext) -> None:
    """Deleting a running app is called once and raises."""
    app = s.given(ACTIVE)
    await _is_reported_once(s, s.client.delete(app.metadata.id.name), "Delete", "deleting a running app")
