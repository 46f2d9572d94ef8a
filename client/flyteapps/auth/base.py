"""Auth: the base of everything that gets credentials, and its view of the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from flyteapps.auth.tokens import Token
from flyteapps.flows.operations import Flow

if TYPE_CHECKING:
    from flyteapps.auth.requests import OneRequest


class Context:
    """The part of a client that is needed to get credentials.

    `endpoint`: the plane's URL. `http`: requests to other URLs, with the plane's certificates and proxies.
    """

    def __init__(self, endpoint: str, http: OneRequest) -> None:
        self.endpoint = endpoint
        self.http = http
        self.metadata: Any = None  # what the plane said of its authentication, a Metadata

    def through(self, http_proxy: str | None) -> Context:
        """Return the same with another proxy for requests to other URLs, itself for None."""
        if http_proxy is None:
            return self
        return Context(self.endpoint, self.http.through(http_proxy))


class Auth:
    """A source of credentials, `Client(auth=...)`. It holds no state of a client, so that several may share one."""

    mode: ClassVar[str] = ""
    """The SDK's name of it, as in `admin.authType`, for messages."""

    renewable: ClassVar[bool] = True
    """Whether other credentials can be had after a plane refused the present ones."""

    on_refusal: bool = False
    """Whether credentials are got only after a plane refused a call without them."""

    max_seconds: float = 30.0
    """Maximum time that it takes, also for calls without a timeout."""

    def fetch(self, context: Context, last: Token | None, timeout: float) -> Flow[Token]:
        """Get credentials within so many seconds. `last`: those of before. Raises Error, without secrets."""
        raise NotImplementedError

    def of_call(self) -> Mapping[str, str] | None:
        """Return the headers of the present call, None where all calls have the same credentials."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"
