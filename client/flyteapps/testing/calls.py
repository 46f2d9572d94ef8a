"""Call: one call of a client, as the transports for tests record it and pass it to handlers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectrpc.method import MethodInfo

from flyteapps.transports.transport import Transport
from flyteapps_control.selection import Subject, app_named_by

SILENCE: Final = object()
"""An item of a stream of MockTransport: no message comes any more, and the stream stays open."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a client.

    `request` is its message, `timeout` in seconds or None, `headers` by name. `streaming`: whether it opens a stream;
    `awaiting`: whether its caller awaits it.
    """

    method: MethodInfo[Any, Any]
    request: Any
    timeout: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    streaming: bool = False
    awaiting: bool = False

    @property
    def rpc(self) -> str:
        """The name of the RPC, such as "Create"."""
        return self.method.name

    @property
    def app(self) -> str:
        """The name of the app that the request is about, "" for none."""
        return app_named_by(self.request).name

    def send(self, transport: Transport) -> Any:
        """Make the call over another transport.

        Return its response or its stream, for a unary call that is awaited an awaitable response. Raises ConnectError.
        """
        arguments = self.method, self.request, self.timeout, self.headers
        if self.streaming:
            return transport.async_stream(*arguments) if self.awaiting else transport.stream(*arguments)
        return transport.async_unary(*arguments) if self.awaiting else transport.unary(*arguments)


def subject_of(call: Call) -> Subject:
    """Return the call as the selectors of rules see it."""
    metadata = {name.lower(): value for name, value in call.headers.items()}
    return Subject(f"{call.method.service_name}/{call.rpc}", app_named_by(call.request), metadata=metadata)
