"""Starting and stopping with handles that are older than the app: CL-18 and CL-19."""

from __future__ import annotations

from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.clients.scripted.plane import Cluster
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import ACTIVE, STOP, STOPPED


@client_check("CL-18")
async def activated_twice_by_one_handle(s: ClientContext) -> None:
    """A second activate() of the same handle, right after the first, succeeds."""
    app = s.given(STOPPED, run=False)
    handle = await s.handle(app)
    await s.succeeds(handle.activate(wait=False), "activating an app")
    await s.succeeds(handle.activate(wait=False), "activating it again by the same handle")
    expect(s.stored(app).spec.desired_state != STOP, "the app's desired state is STOPPED")


@client_check("CL-18")
async def activated_twice_by_two_handles(s: ClientContext) -> None:
    """activate() of a second handle of the app, got before the first activated it, succeeds."""
    app = s.given(STOPPED, run=False)
    first, second = await s.handle(app), await s.handle(app)
    await s.succeeds(first.activate(wait=False), "activating an app")
    await s.succeeds(second.activate(wait=False), "activating it again by another handle")


@client_check("CL-19")
async def stopped_by_a_stale_handle(s: ClientContext) -> None:
    """deactivate(wait) stops the app although another client has updated it since, and keeps that update."""
    app = s.given(ACTIVE)
    handle = await s.handle(app)
    s.another_writes(app)
    s.plane.cluster = Cluster.WHEN_SEEN
    await s.succeeds(handle.deactivate(wait=True), "deactivating by a handle of before another client's update")
    expect(s.stored(app).spec.desired_state == STOP, "the app's desired state is to run")
    expect_equal(s.stored(app).spec.container.image, "img:other", "the image that another client has written")


@client_check("CL-19")
async def stopped_by_a_handle_of_before_the_start(s: ClientContext) -> None:
    """deactivate(wait) stops an app that another client has started since the handle saw it stopped."""
    app = s.given(STOPPED, run=False)
    handle = await s.handle(app)
    started = s.stored(app)
    started.spec.desired_state = s.message().spec.desired_state
    s.plane.apps.update(started, "another client starts it")
    s.plane.apps.report(app.metadata.id.name, ACTIVE)
    s.plane.cluster = Cluster.WHEN_SEEN
    await s.succeeds(handle.deactivate(wait=True), "deactivating by a handle that has seen the app stopped")
    expect(s.stored(app).spec.desired_state == STOP, "the app's desired state is to run")
