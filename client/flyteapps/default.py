"""The default client: the only state of this package that is global.

Rules of this file: it imports no client; `flyteapps.initialization` makes one and registers it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flyteapps.errors import ConfigError

if TYPE_CHECKING:
    from flyteapps.connection import Connection

C = TypeVar("C", bound="Connection | None")

_client: Connection | None = None


def default_client() -> Connection:
    """Return the client that `init` registered. Raises ConfigError if there is none."""
    if _client is None:
        raise ConfigError(
            "there is no default client: call flyteapps.init(endpoint, ...) or flyteapps.init_from_config() first, or "
            "use a client of your own: flyteapps.Client(endpoint, ...).apps"
        )
    return _client


def use(client: C) -> C:
    """Register a client as the default one, None for no default; return it."""
    global _client
    _client = client
    return client
