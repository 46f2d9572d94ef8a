"""A unary method of a platform service: one row of the table, and the steps of every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.message import Message

from flyteapps_fake.core.operations import Access
from flyteapps_fake.core.validation import check
from flyteapps_fake.services.support.orgs import fill_org


class Method(NamedTuple):
    """One method of a platform service.

    `answer` gets the request and the caller's origin, http(s)://host:port, and may raise RpcError. `checked` says
    whether a request must satisfy the protos' validation rules. `access`: the right that a call needs.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    answer: Callable[[Any, str], Message]
    checked: bool = True
    access: Access = "read"

    def call(self, request: Message, origin: str, org: str) -> bytes:
        """Fill in the org, validate the request, and return the encoded response. Raises RpcError."""
        fill_org(request, org)
        if self.checked:
            check(request)
        return self.answer(request, origin).SerializeToString()
