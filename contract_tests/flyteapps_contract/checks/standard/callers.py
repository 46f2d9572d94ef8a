"""Callers: rows AU-1 to AU-8, of planes whose callers need credentials. Each RPC is called, unary and streaming."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2
from google.protobuf.message import Message

from flyteapps_contract.checks.support import raw
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import NotOffered, Refused
from flyteapps_contract.session import LOGS_SERVICE, SERVICE, Session
from flyteapps_contract.targets.target import ADMIN, BLIND, CALL_SECONDS, VIEWER, Link

NEEDED = ("authenticated",)
ISSUED = ("authenticated", "issues_tokens")
WITHIN_SECONDS = 2.0
"""Real seconds within which a revoked token's streams end."""

Attempt = Callable[[Link], None]


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _unary(service: str, method: str, request: Message, response: type[Message]) -> Attempt:
    def attempt(link: Link) -> None:
        link.unary(service, method, request, response, CALL_SECONDS)

    return attempt


def _stream(service: str, method: str, request: Message, response: type[Message]) -> Attempt:
    def attempt(link: Link) -> None:
        stream = link.stream(service, method, request, response)
        try:
            stream.next(CALL_SECONDS)
        finally:
            stream.close()

    return attempt


def _attempts(s: Session, app: model.App) -> Mapping[str, Attempt]:
    """Return a call of each RPC about an app that is there."""
    app_id, other = app.metadata.id, s.app()
    cluster = identifier_pb2.ClusterIdentifier(organization=app_id.org, name="nowhere")
    lists = rpc.ListRequest(org=app_id.org)
    return {
        "Get": _unary(SERVICE, "Get", rpc.GetRequest(app_id=app_id), rpc.GetResponse),
        "List": _unary(SERVICE, "List", lists, rpc.ListResponse),
        "Create": _unary(SERVICE, "Create", rpc.CreateRequest(app=other), rpc.CreateResponse),
        "Update": _unary(SERVICE, "Update", rpc.UpdateRequest(app=app), rpc.UpdateResponse),
        "UpdateStatus": _unary(SERVICE, "UpdateStatus", rpc.UpdateStatusRequest(app=app), rpc.UpdateStatusResponse),
        "Delete": _unary(SERVICE, "Delete", rpc.DeleteRequest(app_id=app_id), rpc.DeleteResponse),
        "Watch": _stream(SERVICE, "Watch", rpc.WatchRequest(app_id=app_id), rpc.WatchResponse),
        "Lease": _stream(SERVICE, "Lease", rpc.LeaseRequest(id=cluster), rpc.LeaseResponse),
        "TailLogs": _stream(
            LOGS_SERVICE, "TailLogs", logs_rpc.TailLogsRequest(app_id=app_id), logs_rpc.TailLogsResponse
        ),
    }


def _expect_closed(s: Session, app: model.App, headers: Mapping[str, str], what: str) -> None:
    """Broken unless each RPC with those headers is UNAUTHENTICATED, and says nothing of the app."""
    link = s.plane.link.as_caller(headers)
    for name, attempt in _attempts(s, app).items():
        with expect_refusal("UNAUTHENTICATED", f"{name} {what}") as refusal:
            attempt(link)
        expect(app.metadata.id.name not in refusal.message, f"{name} {what}: the error names the app")
        token = headers.get("authorization", "").partition(" ")[2]
        expect(len(token) < 20 or token not in refusal.message, f"{name} {what}: the error has the token")


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _value(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _forged(token: str) -> Iterator[tuple[str, str]]:
    """Yield tokens that nobody signed, made from a genuine one."""
    header, payload, signature = token.split(".")
    head, claims = _value(header), _value(payload)
    yield "with a signature of zeros", f"{header}.{payload}.{'A' * len(signature)}"
    yield "without its signature", f"{header}.{payload}."
    yield "with another subject", f"{header}.{_part({**claims, 'sub': 'mallory'})}.{signature}"
    yield "that expires later", f"{header}.{_part({**claims, 'exp': claims.get('exp', 0) + 3600})}.{signature}"
    for algorithm in ("none", "None"):
        yield f"with the algorithm {algorithm}", f"{_part({**head, 'alg': algorithm})}.{payload}."
    text = f"{_part({**head, 'alg': 'HS256'})}.{payload}"
    mac = base64.urlsafe_b64encode(hmac.digest(b"", text.encode(), "sha256")).rstrip(b"=").decode()
    yield "with a secret of its own", f"{text}.{mac}"
    yield "in base64 of another form", f"{token}=="


# ---- AU-1


@check("AU-1", needs=NEEDED)
def a_call_without_credentials_is_unauthenticated(s: Session) -> None:
    """Each RPC without credentials is UNAUTHENTICATED; neither the app nor a token is in the error."""
    _expect_closed(s, s.given_stopped(), {}, "without credentials")


@check("AU-1", needs=NEEDED)
def credentials_of_another_kind_are_unauthenticated(s: Session) -> None:
    """Each RPC with rubbish instead of a token, or another scheme, is UNAUTHENTICATED."""
    app = s.given_stopped()
    for value in ("Bearer", "Bearer x", "Bearer x.y.z", "Basic YWRtaW46YWRtaW4="):
        _expect_closed(s, app, {"authorization": value}, f"with {value!r}")


# ---- AU-2


@check("AU-2", needs=NEEDED)
def a_forged_token_is_unauthenticated(s: Session) -> None:
    """Each RPC with a token that was altered after it was signed, or never was, is UNAUTHENTICATED."""
    app = s.given_stopped()
    token = s.plane.token(ADMIN)
    if token.count(".") != 2:
        raise NotOffered("the plane's tokens are no JWTs: what could be forged isn't known")
    for what, forged in _forged(token):
        _expect_closed(s, app, _bearer(forged), f"with a token {what}")


# ---- AU-3


@check("AU-3", needs=(*ISSUED, "clock"))
def an_expired_token_is_unauthenticated(s: Session) -> None:
    """A token counts until it expires, and not a moment longer, also after it was used."""
    app = s.given_stopped()
    headers = _bearer(s.plane.token(ADMIN, expires_in=60.0))
    _attempts(s, app)["Get"](s.plane.link.as_caller(headers))
    s.plane.advance(61.0)
    _expect_closed(s, app, headers, "with an expired token")


@check("AU-3", needs=(*ISSUED, "clock"))
def a_stream_outlives_its_token(s: Session) -> None:
    """A token that expires while a stream is open lets the stream go on."""
    link = s.plane.link.as_caller(_bearer(s.plane.token(ADMIN, expires_in=60.0)))
    app_id = s.id()
    stream = link.stream(SERVICE, "Watch", rpc.WatchRequest(app_id=app_id), rpc.WatchResponse)
    try:
        stream.next(0.05)  # it is open
        s.plane.advance(3600.0)
        s.given(s.app(app_id.name, state=model.Spec.DESIRED_STATE_STOPPED))
        expect(stream.next(CALL_SECONDS), "an event after the token of the stream has expired")
    finally:
        stream.close()


# ---- AU-4


@check("AU-4", needs=ISSUED)
def a_token_for_others_is_unauthenticated(s: Session) -> None:
    """A genuine token for another audience, or in the name of another issuer, is UNAUTHENTICATED."""
    app = s.given_stopped()
    other = "https://elsewhere.example.com"
    _expect_closed(s, app, _bearer(s.plane.token(ADMIN, aud=other)), "with a token of another audience")
    _expect_closed(s, app, _bearer(s.plane.token(ADMIN, iss=other)), "with a token of another issuer")


@check("AU-4", needs=(*ISSUED, "fresh"))
def a_token_of_another_plane_is_unauthenticated(s: Session) -> None:
    """A token that another issuer's key has signed is UNAUTHENTICATED, whatever it says."""
    app = s.given_stopped()
    own = _value(s.plane.token(ADMIN).split(".")[1])
    other = s.plane.another()
    try:
        token = other.token(ADMIN, iss=own["iss"], aud=own["aud"])
    finally:
        other.close()
    _expect_closed(s, app, _bearer(token), "with a token of another plane's key")


# ---- AU-5


@check("AU-5", needs=ISSUED)
def a_revoked_token_is_unauthenticated(s: Session) -> None:
    """A token that was revoked is UNAUTHENTICATED from then on, also after it was used."""
    app = s.given_stopped()
    token = s.plane.token(ADMIN)
    _attempts(s, app)["Get"](s.plane.link.as_caller(_bearer(token)))
    s.plane.revoke(token)
    _expect_closed(s, app, _bearer(token), "with a revoked token")


@check("AU-5", needs=ISSUED)
def a_revoked_tokens_streams_end(s: Session) -> None:
    """Its open streams end with UNAUTHENTICATED within 2 seconds; those of other tokens go on."""
    app = s.given_stopped()
    token, request = s.plane.token(ADMIN), rpc.WatchRequest(app_id=app.metadata.id)
    revoked, other = (
        s.plane.link.as_caller(_bearer(each)).stream(SERVICE, "Watch", request, rpc.WatchResponse)
        for each in (token, s.plane.token(ADMIN))
    )
    try:
        for stream in (revoked, other):
            expect(stream.next(CALL_SECONDS), "the snapshot")
        s.plane.revoke(token)
        until = time.monotonic() + WITHIN_SECONDS
        with expect_refusal("UNAUTHENTICATED", "the stream of a revoked token"):
            while time.monotonic() < until:
                revoked.next(until - time.monotonic())
            raise Refused("OK", f"it was open after {WITHIN_SECONDS:g} seconds")
        expect(other.next(0.05) is None, "the stream of another token is silent, and open")
    finally:
        revoked.close()
        other.close()


# ---- AU-6


@check("AU-6", needs=(*NEEDED, "http"))
def a_refusal_over_http_has_a_challenge(s: Session) -> None:
    """A unary call over HTTP is refused with the status 401 and WWW-Authenticate: Bearer (RFC 6750)."""
    request = rpc.GetRequest(app_id=s.id()).SerializeToString()
    for headers in ({}, _bearer("x.y.z")):
        answer = raw.post(s, "Get", request, raw.PROTO, headers)
        expect_equal(answer.status, 401, "the status of a call that lacks credentials")
        challenge = answer.headers.get("www-authenticate", "")
        expect(challenge.startswith("Bearer"), f"WWW-Authenticate should be Bearer ..., it is {challenge!r}")


# ---- AU-7


@check("AU-7", needs=ISSUED)
def the_caller_is_creator_and_actor(s: Session) -> None:
    """An app's creator is its caller, whatever the request says; an update leaves it, and its actor is the updater."""
    wanted = s.app(state=model.Spec.DESIRED_STATE_STOPPED)
    wanted.spec.creator.user.id.subject = "mallory"
    app = s.given(wanted)
    subject = _value(s.plane.token(ADMIN).split(".")[1])["sub"]
    expect_equal(_subject(app.spec.creator), subject, "the creator")
    expect_equal(_subject(app.status.conditions[0].actor), subject, "the actor of the first condition")


def _subject(identity: Any) -> str:
    kind = identity.WhichOneof("principal")
    return getattr(identity, kind).id.subject if kind else ""


# ---- AU-8


@check("AU-8", needs=ISSUED)
def a_viewer_writes_nothing(s: Session) -> None:
    """A viewer's write is PERMISSION_DENIED, names its role, and changes nothing; it may read."""
    app = s.given_stopped()
    link = s.plane.link.as_caller(_bearer(s.plane.token(VIEWER)))
    attempts = _attempts(s, app)
    attempts["Get"](link)
    with s.unchanged(app):
        for name in ("Create", "Update", "Delete", "UpdateStatus", "Lease"):
            with expect_refusal("PERMISSION_DENIED", f"{name} by a viewer", says=["viewer"]):
                attempts[name](link)


@check("AU-8", needs=ISSUED)
def what_a_caller_may_not_see_is_not_there(s: Session) -> None:
    """Apps of a hidden project are NOT_FOUND as absent ones are, and neither listed nor watched."""
    app = s.given_stopped()
    app_id = app.metadata.id
    link = s.plane.link.as_caller(_bearer(s.plane.token(BLIND)))
    texts: list[str] = []
    for name in (app_id.name, s.name()):
        request = rpc.GetRequest(app_id=s.id(name))
        with expect_refusal("NOT_FOUND", "Get of an app in a hidden project") as refusal:
            link.unary(SERVICE, "Get", request, rpc.GetResponse, CALL_SECONDS)
        texts.append(refusal.message.replace(name, "NAME"))
    expect_equal(texts[0], texts[1], "the messages for one that is there and one that isn't")
    project = identifier_pb2.ProjectIdentifier(organization=app_id.org, name=app_id.project, domain=app_id.domain)
    for request in (rpc.ListRequest(project=project), rpc.ListRequest(org=app_id.org)):
        found: Any = link.unary(SERVICE, "List", request, rpc.ListResponse, CALL_SECONDS)
        expect(app_id.name not in {each.metadata.id.name for each in found.apps}, "a List shows a hidden app")
    stream = link.stream(SERVICE, "Watch", rpc.WatchRequest(org=app_id.org), rpc.WatchResponse)
    try:
        expect(stream.next(0.05) is None, "a Watch's snapshot shows a hidden app")
        s.given_update(s.app(app_id.name, image="img:2", state=model.Spec.DESIRED_STATE_STOPPED))
        expect(stream.next(0.05) is None, "a Watch shows the change of a hidden app")
    finally:
        stream.close()
