"""Ephemeral contexts: CL-8 and CL-9. A cluster takes the app to where it should be once the client looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from flyteidl2.app import app_definition_pb2 as model

from flyteapps.testing.faults import fail
from flyteapps_contract.clients.adapter import HandleUnderTest, Kind
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.apps import status_of
from flyteapps_contract.clients.scripted.plane import Cluster
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import ACTIVE, FAILED, PENDING, STOP, STOPPED, UNASSIGNED, status_name


class FromTheBody(Exception):  # noqa: N818  # it stands for any exception of a caller's
    """The error of the body of a context."""


async def _use(handle: HandleUnderTest, body: Callable[[], object]) -> None:
    async with handle.ephemeral():
        body()


def _stopped(s: ClientContext, app: model.App) -> None:
    expect(s.stored(app).spec.desired_state == STOP, "after the context the app's desired state is to run")


async def _leaves_it_stopped(s: ClientContext, status: int, *, run: bool = True) -> None:
    app = s.given(status, run=run)
    handle = await s.handle(app)
    s.plane.cluster = Cluster.WHEN_SEEN
    inside: list[int] = []
    what = f"the context of an app that was {status_name(status)}"
    await s.succeeds(_use(handle, lambda: inside.append(status_of(s.stored(app)))), what)
    expect_equal([status_name(each) for each in inside], ["ACTIVE"], f"in {what} the app's status")
    _stopped(s, app)


# ---- CL-8


@client_check("CL-8")
async def of_a_stopped_app(s: ClientContext) -> None:
    """The context of a STOPPED app starts it, and stops it at the end."""
    await _leaves_it_stopped(s, STOPPED, run=False)


@client_check("CL-8")
async def of_an_unassigned_app(s: ClientContext) -> None:
    """The context of an UNASSIGNED app waits for it, and stops it at the end."""
    await _leaves_it_stopped(s, UNASSIGNED)


@client_check("CL-8")
async def of_a_failed_app(s: ClientContext) -> None:
    """The context of a FAILED app starts it again, and stops it at the end."""
    await _leaves_it_stopped(s, FAILED)


@client_check("CL-8")
async def of_a_pending_app(s: ClientContext) -> None:
    """The context of a PENDING app waits for it, and stops it at the end."""
    await _leaves_it_stopped(s, PENDING)


@client_check("CL-8")
async def of_an_active_app(s: ClientContext) -> None:
    """The context of an ACTIVE app stops it at the end."""
    await _leaves_it_stopped(s, ACTIVE)


@client_check("CL-8")
async def of_an_app_that_somebody_updates(s: ClientContext) -> None:
    """An update by another client, inside of the context, doesn't keep its end from stopping the app."""
    app = s.given(STOPPED, run=False)
    handle = await s.handle(app)
    s.plane.cluster = Cluster.WHEN_SEEN
    await s.succeeds(_use(handle, lambda: s.another_writes(app)), "a context in which another client updates the app")
    _stopped(s, app)
    expect_equal(s.stored(app).spec.container.image, "img:other", "the image that another client has written")


# ---- CL-9


@client_check("CL-9")
async def the_error_of_the_body_is_kept(s: ClientContext) -> None:
    """An error of the body comes out of the context, and the app is stopped."""
    app = s.given(ACTIVE)
    handle = await s.handle(app)
    s.plane.cluster = Cluster.WHEN_SEEN
    error = FromTheBody("from the body")
    raised = await s.fails(_use(handle, lambda: _throw(error)), "a context whose body raises")
    expect(raised is error, f"the body raised {error!r}, out of the context came {raised!r}")
    _stopped(s, app)


@client_check("CL-9")
async def the_error_of_the_entry_is_kept(s: ClientContext) -> None:
    """If the app can't be started, the context raises that error, its body isn't run, and the app is stopped."""
    app = s.given(STOPPED, run=False)
    name = app.metadata.id.name
    handle = await s.handle(app)
    s.plane.cluster, s.plane.fails = Cluster.WHEN_SEEN, {name}
    ran: list[bool] = []
    entered = _use(handle, lambda: ran.append(True))
    await s.fails(entered, "a context of an app that can't start", [Kind.FAILED], naming=name)
    expect(not ran, "the app could not start, and the body of the context ran")
    _stopped(s, app)


@client_check("CL-9")
async def the_first_of_two_errors_is_kept(s: ClientContext) -> None:
    """If the body raises and then the app can't be stopped, the error of the body comes out."""
    handle = await s.handle(s.given(ACTIVE))
    s.plane.cluster = Cluster.WHEN_SEEN
    error = FromTheBody("from the body")

    def body() -> None:
        s.plane.faults.add(fail("Update", code="PERMISSION_DENIED"))
        raise error

    raised = await s.fails(_use(handle, body), "a context whose body raises, and whose app can't be stopped")
    expect(raised is error, f"the body raised {error!r}, out of the context came {type(raised).__name__}")


@client_check("CL-9")
async def an_app_that_can_not_be_stopped_is_reported(s: ClientContext) -> None:
    """If nothing but the stop at the end fails, the context raises that error."""
    handle = await s.handle(s.given(ACTIVE))
    s.plane.cluster = Cluster.WHEN_SEEN
    refuse = _use(handle, lambda: s.plane.faults.add(fail("Update", code="PERMISSION_DENIED")))
    await s.fails(refuse, "a context whose app can't be stopped")


def _throw(error: Exception) -> NoReturn:
    raise error
