"""One HTTP request on its way through the front: what each layer reads, and what it records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from flyteapps_control.selection import app_named_by
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.http.endpoints import Endpoint
from flyteapps_fake.http.metadata import HttpMetadata, protocol_of
from flyteapps_fake.http.protocol.wire import Receive, Scope, Send

MAX_MESSAGE_CHARACTERS = 200
"""Characters of a refusal's words that are kept for the access log."""


class Exchange:
    """A request and its outcome.

    `headers`: the last value of each name. `endpoint`: the method that the path names, if any. `polled`: whether the
    server's `receive` returns at once after the body, as pyvoy's. `started`: when it arrived, by perf_counter. `until`:
    its deadline by the loop's time, None for none. `request`: the decoded message. `app`: the name of the app that a
    forgotten request named. `code`: the outcome that telemetry records, "" for nothing. `message`: the beginning of a
    refusal's words. `refusal`: the error that connectrpc is to answer with.
    `answering`: whether an answer has begun, so that no other may be sent.
    """

    __slots__ = (
        "answering",
        "app",
        "code",
        "endpoint",
        "headers",
        "message",
        "polled",
        "receive",
        "refusal",
        "request",
        "scope",
        "send",
        "started",
        "until",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, endpoint: Endpoint | None, *, polled: bool) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.endpoint = endpoint
        self.polled = polled
        self.started = 0.0
        self.until: float | None = None
        self.request: Message | None = None
        self.app = ""
        self.code = ""
        self.message = ""
        self.refusal: RpcError | None = None
        self.answering = False

    def refused(self, refusal: RpcError) -> None:
        """Record a refusal as the outcome."""
        self.ended(refusal.code.name, refusal.message)

    def ended(self, code: str, message: str) -> None:
        """Record the outcome, with the words of a refusal."""
        self.code = code
        self.message = message[:MAX_MESSAGE_CHARACTERS]

    def call(self, operation: Operation, request: Message) -> Call[Any]:
        """Return the call of that request."""
        protocol = protocol_of(self.headers.get(b"content-type", b""))
        return Call(operation, request, HttpMetadata(self.scope), self.until, protocol=protocol)

    def forget_request(self) -> None:
        """Keep of the request the app's name alone: its client may never read the answer, which would hold it."""
        self.app = self.app_name()
        self.request = None

    def app_name(self) -> str:
        """Return the name of the app that the request names, "" for none."""
        return self.app or (app_named_by(self.request).name if self.request is not None else "")


Handler = Callable[[Exchange], Awaitable[None]]
"""Answers an exchange. A layer is a handler that calls the next one."""
