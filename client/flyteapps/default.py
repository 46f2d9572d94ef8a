"""The default client: the only state of this package that is global."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, cast

from flyteapps.errors import ConfigError
from flyteapps.support.secret import hidden

if TYPE_CHECKING:
    from flyteapps.client import Client, Protocol
    from flyteapps.config import Config
    from flyteapps.retries import Retries, Waits
    from flyteapps.transports.transport import Transport

P = ParamSpec("P")

_client: Client | None = None


def default_client() -> Client:
    """The client that `init` made. Raises ConfigError where none was made."""
    if _client is None:
        raise ConfigError(
            "there is no default client: call flyteapps.init(endpoint, ...) or flyteapps.init_from_config() first, or "
            "use a client of your own: flyteapps.Client(endpoint, ...).apps"
        )
    return _client


class _also_awaited(Generic[P]):  # noqa: N801  # a decorator
    """A function that makes the default client; `aio` is the same to be awaited, as in the Flyte SDK."""

    def __init__(self, function: Callable[P, Client]) -> None:
        self._function = function
        functools.update_wrapper(cast("Any", self), function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Client:
        try:
            return self._function(*args, **kwargs)
        finally:
            del args, kwargs  # a traceback shows no headers

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> Client:
        """The same, awaited."""
        try:
            return self._function(*args, **kwargs)
        finally:
            del args, kwargs

    def __reduce__(self) -> str:
        return cast("Any", self).__qualname__


@_also_awaited
def init(
    endpoint: str | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    insecure: bool | None = None,
    insecure_skip_verify: bool = False,
    ca_cert: str | os.PathLike[str] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = 30.0,
    retries: int | Retries | None = None,
    waits: Waits | None = None,
    protocol: Protocol = "connect",
    http_version: str | None = None,
    transport: Transport | None = None,
    console_endpoint: str | None = None,
) -> Client:
    """Make the default client, which `App.get` and the other class methods use, instead of an earlier one; return it.

    The arguments are those of Client. Nothing is connected before the first call. Raises ConfigError.
    """
    headers = hidden(headers)  # first of all: no traceback from here shows a value
    from flyteapps.client import Client

    return use(
        Client(
            endpoint,
            org=org,
            project=project,
            domain=domain,
            insecure=insecure,
            insecure_skip_verify=insecure_skip_verify,
            ca_cert=ca_cert,
            headers=headers,
            timeout=timeout,
            retries=retries,
            waits=waits,
            protocol=protocol,
            http_version=http_version,
            transport=transport,
            console_endpoint=console_endpoint,
        )
    )


@_also_awaited
def init_from_config(
    path_or_config: str | os.PathLike[str] | Config | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> Client:
    """Make the default client by a Flyte configuration file; arguments win over it. Return it.

    Without a path the file is looked for where the Flyte SDK does: docs/client.md lists the places and the keys. Raises
    ConfigError.
    """
    from flyteapps.client import Client
    from flyteapps.config import Config

    config = path_or_config if isinstance(path_or_config, Config) else Config.load(path_or_config)
    return use(Client.from_config(config, org=org, project=project, domain=domain))


def use(client: Client | None) -> Client:
    """Makes a client the default one; None leaves none."""
    global _client
    _client = client
    return client  # pyright: ignore[reportReturnType]
