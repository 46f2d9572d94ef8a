"""Connection: what the methods of handles need of a client.

Rules of this file: below the client and its handles, so that both import it and it imports neither.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from connectrpc.errors import ConnectError

from flyteapps.errors import Error, Unauthenticated
from flyteapps.flows.operations import Open, Unary
from flyteapps.settings import Settings
from flyteapps.support.lazy import lazy
from flyteapps.support.tracebacks import hidden_in_tests
from flyteapps.transports.transport import Transport

if TYPE_CHECKING:
    from flyteapps.console import Console
    from flyteapps.drivers.awaiting import AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver
    from flyteapps.drivers.observing import Hook

__tracebackhide__ = hidden_in_tests


NO_CREDENTIALS = (
    "this client has no credentials: pass Client(auth=...) a token, a function, or one of flyteapps.auth; or "
    "use Client.from_api_key with FLYTE_API_KEY, or admin.authType in the configuration file; or `flyteapps login`"
)
"""The end of an error of a call without credentials."""


class Connection:
    """A transport to one plane, the settings of the calls over it, and the drivers that run flows over it."""

    def __init__(self, settings: Settings, transport: Transport, console: tuple[str, bool, str | None]) -> None:
        """`console`: the arguments of Console."""
        self.settings = settings
        self.transport = transport
        self._console = console
        self._hooks: tuple[Hook | None, Hook | None] = (None, None)
        self._warned: set[str] = set()

    @lazy
    def _blocking(self) -> BlockingDriver:
        from flyteapps.drivers.blocking import BlockingDriver

        return BlockingDriver(self._observed(), self._translated)

    @lazy
    def _awaiting(self) -> AwaitingDriver:
        from flyteapps.drivers.awaiting import AwaitingDriver

        return AwaitingDriver(self._observed(), self._translated)

    def _observed(self) -> Transport:
        """Return the transport, with the hooks of the client and OpenTelemetry's where there are any."""
        if self._hooks == (None, None) and "opentelemetry.trace" not in sys.modules:
            return self.transport
        from flyteapps.drivers.observing import observed

        return observed(self.transport, self.settings.endpoint, *self._hooks)

    @lazy
    def console(self) -> Console:
        """Links to the console of this plane."""
        from flyteapps import console as pages

        return pages.Console(*self._console)

    def _translated(self, error: ConnectError, operation: Unary | Open) -> Error:
        from flyteapps.transports.errors import error_of

        made = error_of(error, operation, self.settings.endpoint)
        is_bare = self.settings.auth is None and not _has_credentials(operation)
        if isinstance(made, Unauthenticated) and is_bare and "flyteapps login" not in made.message:
            made.message = f"{made.message} ({NO_CREDENTIALS})"
            made.args = (made.message,)
        return made

    def _hint(self) -> str:
        """Return the transport's hint about its plane's clock, "" where that runs by itself."""
        return getattr(self.transport, "hint", "")

    def _warn(self, warning: str) -> None:
        """Log a warning about this plane, by the logger `flyteapps`; the same one once."""
        if warning not in self._warned:
            self._warned.add(warning)
            import logging

            logging.getLogger("flyteapps").warning("%s: %s", self.settings.endpoint, warning)

    def close(self) -> None:
        """Close the connections of blocking calls. Open streams stay open; another call opens a new connection."""
        close: Any = getattr(self.transport, "close", None)
        if close is not None:
            close()

    async def aclose(self) -> None:
        """Close the connections of all calls, in the event loop that opened them. Otherwise as `close`."""
        close: Any = getattr(self.transport, "aclose", None)
        if close is not None:
            await close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _has_credentials(operation: Unary | Open) -> bool:
    return any(name.endswith("authorization") for name in operation.headers)
