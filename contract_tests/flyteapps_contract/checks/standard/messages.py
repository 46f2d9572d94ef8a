"""Messages themselves: what of row ID-3 any client can send, sizes and unknown binary fields, over every link.

Both are made of a field that no message has, so that a request can be of any size and still mean the same.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from flyteapps_contract.checks.support.answers import all_apps, no_refusal, stopped
from flyteapps_contract.checks.support.raw import COMPRESSED, GRPC_WEB, JSON, PROTO, frame, grpc_code, post
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Unjudged
from flyteapps_contract.session import STOP, Session, preparing

UNKNOWN_FIELD = 15_000
KIB = 1024
LARGEST_REQUEST = 4 * KIB * KIB
LARGEST_APP = KIB * KIB * 3 // 2
MARGIN_BYTES = 64 * KIB
"""A bound in bytes for what the plane adds to an app."""


# ---- unknown binary fields


@check("ID-3")
def unknown_binary_fields_of_a_spec_are_kept(s: Session) -> None:
    """A binary field that no message has, in a spec or below it, comes back from every call and event."""
    app = s.app(state=STOP)
    _add_unknown(app.spec, b"one")
    _add_unknown(app.spec.container, b"two")
    created = s.create(app)
    with preparing("watching, changing and reading the app"):
        watcher = s.watch(app_id=app.metadata.id)
        first = watcher.next("the app in the snapshot")
        app.spec.container.image = "img:2"
        returned = [("Create", created), ("CreateEvent", first.app), ("Update", s.update(app))]
        returned += [("UpdateEvent", watcher.next("the update").app), ("Get", s.get(app.metadata.id))]
        returned += [("List", listed) for listed in all_apps(s)]
    for where, each in returned:
        if each.metadata.id.name == app.metadata.id.name:
            expect_equal(_unknown(each.spec), [b"one"], f"the unknown field of the spec in {where}")
            expect_equal(_unknown(each.spec.container), [b"two"], f"the unknown field of the container in {where}")


@check("ID-3")
def unknown_binary_fields_count_in_comparisons(s: Session) -> None:
    """An Update that changes nothing but an unknown field of the spec is a change: added, altered, and left out."""
    app = s.given_stopped()
    for content in ([b"one"], [b"two"], []):
        changed = stopped(s, app.metadata.id)
        for each in content:
            _add_unknown(changed.spec, each)
        with no_refusal(f"Update to the unknown fields {content}"):
            updated = s.update(changed)
        expect_equal(updated.metadata.revision, app.metadata.revision + 1, "the revision after that Update")
        expect_equal(_unknown(updated.spec), content, "the unknown field of the spec after that Update")
        app = updated


@check("ID-3")
def unknown_binary_fields_count_in_hashes(s: Session) -> None:
    """Apps whose specs differ in nothing but an unknown field have another deployment_id."""
    seen: set[str] = set()
    for content in (b"one", b"two"):
        app = s.app(state=STOP)
        _add_unknown(app.spec, content)
        with preparing("Create with an unknown field"):
            conditions = s.create(app).status.conditions
        if not conditions or not conditions[-1].deployment_id:
            raise Unjudged("a new app shows no deployment_id")
        expect(
            conditions[-1].deployment_id not in seen, "another unknown field of the spec, but the same deployment_id"
        )
        seen.add(conditions[-1].deployment_id)


# ---- sizes


@check("ID-3")
def a_request_over_4_mib_is_exhausted(s: Session) -> None:
    """A request of 4 MiB is answered; one byte more is RESOURCE_EXHAUSTED, and changes nothing."""
    app = s.given_stopped()
    read = rpc.GetRequest(app_id=app.metadata.id)
    with no_refusal("Get in a request of 4 MiB"):
        answer = s.call("Get", padded(read, LARGEST_REQUEST), rpc.GetResponse)
    expect_equal(answer.app, app, "the app that was got by a request of 4 MiB")
    changed, new = stopped(s, app.metadata.id, image="img:2"), s.app(state=STOP)
    large: dict[str, Callable[[], object]] = {
        "Get": lambda: s.call("Get", padded(read), rpc.GetResponse),
        "Create": lambda: s.call("Create", padded(rpc.CreateRequest(app=new)), rpc.CreateResponse),
        "Update": lambda: s.call("Update", padded(rpc.UpdateRequest(app=changed)), rpc.UpdateResponse),
        "Delete": lambda: s.call("Delete", padded(rpc.DeleteRequest(app_id=app.metadata.id)), rpc.DeleteResponse),
    }
    with s.unchanged(app, absent=[new.metadata.id]):
        for method, call in large.items():
            with expect_refusal("RESOURCE_EXHAUSTED", f"{method} in a request over 4 MiB"):
                call()


@check("ID-3")
def an_app_over_1_5_mib_is_exhausted(s: Session) -> None:
    """Create or Update with an app of more than 1.5 MiB is RESOURCE_EXHAUSTED, and changes nothing."""
    app = s.given_stopped()
    new = s.app(state=STOP)
    with s.unchanged(app, absent=[new.metadata.id]):
        with expect_refusal("RESOURCE_EXHAUSTED", "Create of an app over 1.5 MiB"):
            s.create(_grown(new, LARGEST_APP + 1))
        with expect_refusal("RESOURCE_EXHAUSTED", "Update to an app over 1.5 MiB"):
            s.update(_grown(stopped(s, app.metadata.id), LARGEST_APP + 1))


@check("ID-3")
def an_app_just_under_1_5_mib_is_taken(s: Session) -> None:
    """An app of nearly 1.5 MiB is stored, read back, and shown by an UpdateEvent that holds it twice."""
    app = _grown(s.app(state=STOP), LARGEST_APP - MARGIN_BYTES)
    watcher = s.watch(app_id=app.metadata.id)
    with no_refusal("Create and Update of an app of nearly 1.5 MiB"):
        created = s.create(app)
        app.spec.container.image = "img:2"
        updated = s.update(app)
        expect_equal(s.get(app.metadata.id), updated, "the app of nearly 1.5 MiB")
        events = watcher.until(lambda seen: seen.kind == "update", "the update of an app of nearly 1.5 MiB")
    expect_equal(events[-1].app, updated, "the app in the UpdateEvent")
    expect_equal(events[-1].old, created, "old_app in the UpdateEvent")


@check("ID-3", needs=("http",))
def a_compressed_request_counts_as_it_is(s: Session) -> None:
    """A small body that grows beyond 4 MiB when decompressed is RESOURCE_EXHAUSTED, also in JSON and gRPC-Web."""
    app = s.given_stopped()
    zipped = gzip.compress(padded(rpc.GetRequest(app_id=app.metadata.id)).SerializeToString())
    json_bomb = gzip.compress(b" " * LARGEST_REQUEST + b"{}")
    with s.unchanged(app):
        for content_type, body, headers in (
            (PROTO, zipped, {"content-encoding": "gzip"}),
            (PROTO, gzip.compress(bytes(16 * LARGEST_REQUEST), 1), {"content-encoding": "gzip"}),
            (JSON, json_bomb, {"content-encoding": "gzip"}),
            (GRPC_WEB, frame(zipped, COMPRESSED), {"grpc-encoding": "gzip"}),
        ):
            answer = post(s, "Get", body, content_type, headers)
            expect_equal(answer.code, "RESOURCE_EXHAUSTED", f"Get as {content_type}, over 4 MiB when decompressed")


@check("ID-3", needs=("raw_grpc",))
def a_compressed_grpc_message_counts_as_it_is(s: Session) -> None:
    """A small gRPC message that grows beyond 4 MiB when decompressed is RESOURCE_EXHAUSTED."""
    app = s.given_stopped()
    request = padded(rpc.GetRequest(app_id=app.metadata.id)).SerializeToString()
    with s.unchanged(app):
        expect_equal(grpc_code(s, "Get", request, gzip=True), "RESOURCE_EXHAUSTED", "Get as gzip over gRPC, over 4 MiB")


def padded(request: Message, size: int = LARGEST_REQUEST + 1) -> Message:
    """Return a copy of exactly that many bytes, all but the request's own in an unknown field."""
    larger = type(request)()
    larger.CopyFrom(request)
    head = len(_field(b"")) + len(_varint(size)) - 1
    _add_unknown(larger, bytes(size - request.ByteSize() - head))
    assert larger.ByteSize() == size
    return larger


def _grown(app: model.App, size: int) -> model.App:
    """Return a copy of at least that many bytes, and hardly more, in an argument of its container."""
    grown = model.App()
    grown.CopyFrom(app)
    grown.spec.container.args.append("x" * (size - app.ByteSize()))
    return grown


def _add_unknown(message: Message, content: bytes) -> None:
    message.MergeFromString(_field(content))


def _unknown(message: Message) -> list[object]:
    """Return what the message's unknown fields hold."""
    return [field.data for field in UnknownFieldSet(message)]


def _field(content: bytes) -> bytes:
    """Return a field of bytes that no message has, as it is on the wire."""
    return _varint(UNKNOWN_FIELD << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*encoded, number))
