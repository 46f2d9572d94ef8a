"""init and init_from_config: make the default client."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, Unpack, cast

from flyteapps.default import use
from flyteapps.options import ClientOptions, protect, spelled_out

if TYPE_CHECKING:
    from flyteapps.client import Client
    from flyteapps.config import Config

P = ParamSpec("P")


class _also_awaited(Generic[P]):  # noqa: N801  # a decorator
    """A function that makes the default client; `aio` is the same to be awaited, as in the Flyte SDK."""

    aio: Callable[P, Coroutine[Any, Any, Client]]

    def __init__(self, function: Callable[P, Client]) -> None:
        self._function = function
        functools.update_wrapper(cast("Any", self), function)

        @functools.wraps(function)
        async def aio(*args: P.args, **kwargs: P.kwargs) -> Client:
            try:
                return function(*args, **kwargs)
            finally:
                del args, kwargs

        aio.__name__, aio.__qualname__ = "aio", f"{function.__qualname__}.aio"
        self.aio = aio

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self:
        """Return itself: makes it a routine for `inspect`, and so for `help` and Sphinx."""
        return self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Client:
        try:
            return self._function(*args, **kwargs)
        finally:
            del args, kwargs  # a traceback shows no headers

    def __reduce__(self) -> str:
        return cast("Any", self).__qualname__


@_also_awaited
@spelled_out
def init(endpoint: str | None = None, **options: Unpack[ClientOptions]) -> Client:
    """Make the default client, which `App.get` and the other class methods use, instead of an earlier one; return it.

    The arguments are those of Client. Nothing is connected before the first call. Raises ConfigError.
    """
    protect(options, "init")
    from flyteapps.client import Client

    return use(Client(endpoint, **options))


@_also_awaited
def init_from_config(
    path_or_config: str | os.PathLike[str] | Config | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> Client:
    """Make the default client by a Flyte configuration file; arguments override it. Return it.

    Without a path the file is searched for where the Flyte SDK does: docs/client.md lists the places and the keys.
    Raises ConfigError.
    """
    from flyteapps.client import Client
    from flyteapps.config import Config

    config = path_or_config if isinstance(path_or_config, Config) else Config.load(path_or_config)
    return use(Client.from_config(config, org=org, project=project, domain=domain))
