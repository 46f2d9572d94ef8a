"""A unary method of a service beside AppService: one row of the table, and what every call of it goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from flyteapps_fake.core.validation import check
from flyteapps_fake.services.support.orgs import fill_org


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `answer` takes the request and the caller's origin, http(s)://host:port; it raises RpcError.

    `checked`: whether a request has to keep the protos' rules.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    answer: Callable[[Any, str], Message]
    checked: bool = True

    def call(self, request: Message, origin: str, org: str) -> bytes:
        """Fill in the org, check the protos' rules, and return the encoded response."""
        fill_org(request, org)
        if self.checked:
            check(request)
        return self.answer(request, origin).SerializeToString()
