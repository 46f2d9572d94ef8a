"""Create and replace on apps that exist, and replaces that race: CL-10 to CL-13."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.clients.adapter import Kind
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.outcomes import Broken, NotOffered
from flyteapps_contract.session import ACTIVE

MEETING_SECONDS = 1.0
"""The time for which a read waits for that of the other client."""


def _deployed(app: model.App) -> None:
    """As a deploy leaves it."""
    app.metadata.labels["team"] = "red"
    app.metadata.code_bundle_uri = "s3://bundles/1"
    app.metadata.source_code.link = "https://example.com/source"
    app.spec.creator.user.id.subject = "alice"


def _kept(s: ClientContext, app: model.App, what: str) -> None:
    after = s.stored(app)
    expect_equal(after.spec.container.image, "img:2", f"the image after {what}")
    expect_equal(dict(after.metadata.labels), dict(app.metadata.labels), f"the labels after {what}")
    expect_equal(after.metadata.code_bundle_uri, app.metadata.code_bundle_uri, f"code_bundle_uri after {what}")
    expect_equal(after.metadata.source_code, app.metadata.source_code, f"source_code after {what}")
    for call in s.plane.call_log.of("Update", app=app.metadata.id.name):
        if isinstance(call.request, rpc.UpdateRequest) and call.request.app.spec.HasField("creator"):
            creator = call.request.app.spec.creator
            expect_equal(creator, app.spec.creator, f"the creator that {what} has sent")


# ---- CL-10


@client_check("CL-10")
async def create_where_no_ingress_is_stored(s: ClientContext) -> None:
    """Create with a new image, on an app that is stored without an ingress, is an update."""
    app = s.given(ACTIVE, with_=lambda stored: stored.spec.ClearField("ingress"))
    sent = s.message(app.metadata.id.name, image="img:2")
    await s.succeeds(s.client.create(sent), "creating an app that exists, stored without an ingress")
    expect_equal(s.stored(app).spec.container.image, "img:2", "the stored image")
    s.writes(app, 1, "new revisions")


# ---- CL-11


@client_check("CL-11")
async def create_without_a_change(s: ClientContext) -> None:
    """Create with what is stored, ingress and creator left out or empty, succeeds and changes nothing."""
    app = s.given(ACTIVE)
    for ingress in (True, False):
        sent = s.message(app.metadata.id.name)
        if not ingress:
            sent.spec.ClearField("ingress")
        what = f"creating an app that exists, unchanged, ingress {'empty' if ingress else 'left out'}"
        handle = await s.succeeds(s.client.create(sent), what)
        s.writes(app, 0, f"new revisions after {what}")
        expect_equal(handle.app.metadata.revision, app.metadata.revision, f"the revision returned by {what}")


# ---- CL-12


@client_check("CL-12")
async def a_replace_keeps_the_metadata(s: ClientContext) -> None:
    """Replacing the spec keeps code_bundle_uri, source_code, labels and creator."""
    app = s.given(ACTIVE, with_=_deployed)
    spec = s.changed(app)
    spec.ClearField("creator")
    await s.succeeds(s.client.replace(app.metadata.id.name, spec, "a new image"), "replacing the spec")
    _kept(s, app, "replacing the spec")


@client_check("CL-12")
async def a_create_keeps_the_metadata(s: ClientContext) -> None:
    """Create on an existing app keeps what the message leaves out: code_bundle_uri, source_code, labels, creator."""
    app = s.given(ACTIVE, with_=_deployed)
    sent = s.message(app.metadata.id.name, image="img:2")
    await s.succeeds(s.client.create(sent), "creating an app that exists")
    _kept(s, app, "creating an app that exists")


# ---- CL-13


@client_check("CL-13")
async def two_replaces_race(s: ClientContext) -> None:
    """Of two replaces that have read the same revision each ends well or with a conflict; the last is stored whole."""
    app = s.given(ACTIVE)
    name = app.metadata.id.name
    specs = [s.changed(app, image="img:a"), s.changed(app, image="img:b")]
    specs[0].container.args.append("a")
    specs[1].container.command.append("b")
    reads = asyncio.Barrier(len(specs))

    async def met(call: Callable[[], Awaitable[object]]) -> object:
        try:
            async with asyncio.timeout(MEETING_SECONDS):
                await reads.wait()
        except (TimeoutError, asyncio.BrokenBarrierError):
            await reads.abort()
        return await call()

    for _ in specs:
        s.plane.once("Get", met, name)
    racing = [s.begin(s.client.replace(name, spec, "a race")) for spec in specs]
    await asyncio.wait(racing, timeout=s.left)
    if not all(task.done() for task in racing):
        raise Broken("two replaces that race: have not ended in time")
    won = [number for number, task in enumerate(racing) if task.exception() is None]
    for task in racing:
        if isinstance(error := task.exception(), NotOffered):
            raise error
        if error is not None:
            kind = s.client.kind(error)
            expect(kind in (Kind.CONFLICT, None), f"two replaces race: {error!r} is no conflict")
    expect(won, "of two replaces that race none has won")
    s.writes(app, len(won), f"revisions written, where {len(won)} of two replaces report success")
    expect(s.stored(app).spec in [specs[number] for number in won], "what is stored is none of the specs that won")


@client_check("CL-13")
async def another_writer_comes_between(s: ClientContext) -> None:
    """A replace between whose read and write another client writes ends well, its spec whole, or with a conflict."""
    app = s.given(ACTIVE)
    name = app.metadata.id.name
    spec = s.changed(app)

    async def late(call: Callable[[], Awaitable[object]]) -> object:
        s.another_writes(app)
        return await call()

    s.plane.once("Update", late, name)
    replacing = s.begin(s.client.replace(name, spec, "a new image"))
    await asyncio.wait((replacing,), timeout=s.left)
    if replacing.done() and replacing.exception() is None:
        expect_equal(s.stored(app).spec, spec, "the stored spec after a replace that reports success")
        s.writes(app, 2, "updates, one of another writer and one of a replace that reports success")
    else:
        await s.fails(replacing, "a replace, while another client writes", [Kind.CONFLICT])
        expect_equal(s.stored(app).spec.container.image, "img:other", "the image after a replace that is a conflict")
