"""Responses that get lost, and conflicts: CL-14 to CL-16, and of Delete CL-17."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps.testing.faults import fail
from flyteapps_contract.clients.adapter import HandleUnderTest, Kind
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.faults import How
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import ACTIVE, STOPPED, copy

CUTS = (How.CUT, How.UNAVAILABLE)


# ---- CL-14


@client_check("CL-14")
async def a_lost_create_is_a_success(s: ClientContext) -> None:
    """The client gives the app of revision 1; there is one app, and no update of it."""
    for how in CUTS:
        sent = s.message()
        name = sent.metadata.id.name
        s.plane.faults.add(how.lose("Create", name))
        what = f"a Create that is committed and whose response {how}"
        handle = await s.succeeds(s.client.create(sent), what)
        expect_equal(handle.app.metadata.revision, 1, f"the revision returned by {what}")
        expect_equal(s.stored(sent).metadata.revision, 1, f"the stored revision after {what}")


# ---- CL-15


async def _written_once(
    s: ClientContext,
    write: Callable[[model.App], Awaitable[HandleUnderTest]],
    what: str,
    *statuses: int,
    run: bool = True,
) -> None:
    for how in CUTS:
        app = s.given(*statuses, run=run)
        s.plane.faults.add(how.lose("Update", app.metadata.id.name))
        text = f"{what} whose Update is committed and whose response {how}"
        handle = await s.succeeds(write(app), text)
        s.writes(app, 1, f"new revisions after {text}")
        expect_equal(handle.app.metadata.revision, 2, f"the revision shown after {text}")


@client_check("CL-15")
async def a_lost_update_is_a_success(s: ClientContext) -> None:
    """update() at a given revision succeeds, with one new revision."""

    def write(app: model.App) -> Awaitable[HandleUnderTest]:
        sent = copy(app)
        sent.spec.container.image = "img:2"
        return s.client.update(sent, "a new image")

    await _written_once(s, write, "an update", ACTIVE)


@client_check("CL-15")
async def a_lost_replace_is_a_success(s: ClientContext) -> None:
    """replace() succeeds, with one new revision."""

    def write(app: model.App) -> Awaitable[HandleUnderTest]:
        return s.client.replace(app.metadata.id.name, s.changed(app), "a new image")

    await _written_once(s, write, "a replace", ACTIVE)


@client_check("CL-15")
async def a_lost_activation_is_a_success(s: ClientContext) -> None:
    """activate() succeeds, with one new revision."""
    for how in CUTS:
        app = s.given(STOPPED, run=False)
        handle = await s.handle(app)
        s.plane.faults.add(how.lose("Update", app.metadata.id.name))
        text = f"an activation whose Update is committed and whose response {how}"
        await s.succeeds(handle.activate(wait=False), text)
        s.writes(app, 1, f"new revisions after {text}")


# ---- CL-16


@client_check("CL-16")
async def a_stale_revision_is_a_conflict(s: ClientContext) -> None:
    """update() at a revision that another writer has passed is reported as a conflict, after one Update."""
    app = s.given(ACTIVE)
    other = s.another_writes(app)
    app.spec.container.image = "img:2"
    await s.fails(s.client.update(app, "too late"), "an update at a stale revision", [Kind.CONFLICT])
    expect_equal(len(s.plane.call_log.of("Update")), 1, "the number of Updates")
    expect_equal(s.stored(app), other, "the app after an update that is a conflict")


@client_check("CL-16")
async def a_retry_that_meets_another_writer_is_a_conflict(s: ClientContext) -> None:
    """An Update that failed before it was committed, tried again after another writer came, is no success."""
    app = s.given(ACTIVE)

    async def overtaken(call: Callable[[], Awaitable[object]]) -> object:
        try:
            return await call()
        finally:
            s.another_writes(app)

    s.plane.faults.add(fail("Update", code="UNAVAILABLE", times=1))
    s.plane.once("Update", overtaken)
    app.spec.container.image = "img:2"
    kinds = [Kind.CONFLICT, Kind.NETWORK]
    await s.fails(s.client.update(app, "too late"), "an update that was lost, and overtaken by another writer's", kinds)
    stored = s.stored(app)
    expect_equal((stored.metadata.revision, stored.spec.container.image), (2, "img:other"), "what is stored")


# ---- CL-17


@client_check("CL-17")
async def an_absent_app_is_deleted(s: ClientContext) -> None:
    """Deleting an app that isn't there succeeds."""
    await s.succeeds(s.client.delete("absent"), "deleting an app that isn't there")


@client_check("CL-17")
async def a_lost_delete_is_a_success(s: ClientContext) -> None:
    """A Delete whose response is lost succeeds: that the app is gone is what was wanted."""
    for how in CUTS:
        app = s.given(STOPPED, run=False)
        name = app.metadata.id.name
        s.plane.faults.add(how.lose("Delete", name))
        await s.succeeds(s.client.delete(name), f"a Delete that is committed and whose response {how}")
        expect(s.plane.apps.find(name) is None, "the app is still there")
