"""The responses that several modules of checks share: allowed refusals, first messages, all pages of a List."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Broken, NotOffered, Refused, Unjudged
from flyteapps_contract.session import STOP, Session
from flyteapps_contract.streams import PATIENCE


@contextlib.contextmanager
def or_not_found() -> Generator[None]:
    """Let the body be refused with NOT_FOUND, where that is as good as an empty answer."""
    try:
        yield
    except Refused as error:
        if error.code != "NOT_FOUND":
            raise


@contextlib.contextmanager
def no_refusal(what: str) -> Generator[None]:
    """Broken where the body is refused."""
    try:
        yield
    except Refused as error:
        raise Broken(f"{what}: refused with {error}") from error


@contextlib.contextmanager
def keeps_the_rules(what: str) -> Generator[None]:
    """Broken where the body is refused as invalid; another refusal is another row's matter."""
    try:
        yield
    except Refused as error:
        if error.code == "INVALID_ARGUMENT":
            raise Broken(f"{what}: keeps the rules, but was refused with {error}") from error
        raise Unjudged(f"{what}: {error}") from error


@contextlib.contextmanager
def if_offered(what: str) -> Generator[None]:
    """NotOffered where the body is UNIMPLEMENTED."""
    try:
        yield
    except Refused as error:
        if error.code == "UNIMPLEMENTED":
            raise NotOffered(f"the plane doesn't offer {what}: {error}") from error
        raise


def first_of(s: Session, service: str, method: str, request: Message, response: type[Message]) -> Message | None:
    """Return the first message of a stream, or None. Raises Refused."""
    queue_stream = s.plane.link.stream(service, method, request, response)
    try:
        return queue_stream.next(PATIENCE)
    finally:
        queue_stream.close()


def stopped(s: Session, app_id: model.Identifier, image: str = "img:1") -> model.App:
    """Return a small stopped app with that id."""
    app = s.app(app_id.name, image=image, state=STOP)
    app.metadata.id.CopyFrom(app_id)
    return app


def all_apps(s: Session, **options: Any) -> Iterator[model.App]:
    """Return the apps on all pages of a List, others' too; of this session's project unless options name a scope."""
    query = list_pb2.ListRequest(limit=1000)
    while True:
        page = s.list(query, **options)
        yield from page.apps
        if not page.token:
            return
        query.token = page.token
