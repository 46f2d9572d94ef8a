"""The options of a client, spelled once: `Client` and `init` take these keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, cast

from flyteapps.errors import ConfigError
from flyteapps.retries import Retries, Waits
from flyteapps.support.secret import Secret, hidden
from flyteapps.transports.transport import Transport

if TYPE_CHECKING:
    from flyteapps.auth.base import Auth
    from flyteapps.drivers.observing import Attempt

F = TypeVar("F", bound=Callable[..., Any])
Protocol: TypeAlias = Literal["connect", "grpc", "grpcio"]

Found: TypeAlias = str | tuple[str, float]
"""The result of a function that gets tokens: a token, or one and its lifetime in seconds."""

Credentials: TypeAlias = "str | Auth | Callable[[], Found | Awaitable[Found]]"

TIMEOUT_SECONDS = 30.0
PROTOCOL: Protocol = "connect"


class ClientOptions(TypedDict, total=False):
    """Keyword arguments of `Client` and `init`; the docstring of `Client` explains each, with its default."""

    org: str | None
    project: str | None
    domain: str | None
    insecure: bool | None
    insecure_skip_verify: bool
    ca_cert: str | os.PathLike[str] | bytes | None
    client_cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None
    headers: Mapping[str, str] | None
    auth: Credentials | None
    proxy_auth: Credentials | None
    timeout: float | None
    retries: int | Retries | None
    waits: Waits | None
    protocol: Protocol
    http_version: str | None
    transport: Transport | None
    console_endpoint: str | None
    on_request: Callable[[Attempt], object] | None
    on_response: Callable[[Attempt], object] | None


_DEFAULTS: ClientOptions = {"insecure_skip_verify": False, "timeout": TIMEOUT_SECONDS, "protocol": PROTOCOL}
"""The defaults that aren't None."""


def spelled_out(function: F) -> F:
    """Set the signature of a function with `**options: Unpack[ClientOptions]`, so that `help` lists each option."""
    import inspect

    written = inspect.signature(function)
    *parameters, _ = written.parameters.values()
    for name, annotation in ClientOptions.__annotations__.items():
        kind, default = inspect.Parameter.KEYWORD_ONLY, _DEFAULTS.get(name)
        text = annotation.__forward_arg__  # as written, as the annotations of this package's functions are
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=text))
    cast("Any", function).__signature__ = written.replace(parameters=parameters)
    return function


def protect(options: ClientOptions, function: str) -> None:
    """Hide the header values and tokens in place, so that no traceback shows them.

    Call it first of all. Raises TypeError for an unknown option, which can be a misspelled `headers`: its value is
    dropped before the error.
    """
    plain = cast("dict[str, Any]", options)
    unknown = sorted(plain.keys() - ClientOptions.__annotations__.keys())
    if unknown:
        plain.clear()
        names = ", ".join(ClientOptions.__annotations__)
        raise TypeError(f"{function}() got an unexpected keyword argument {unknown[0]!r}: the options are {names}")
    plain["headers"] = hidden(plain.get("headers"))
    for name in ("auth", "proxy_auth"):
        if isinstance(plain.get(name), str):
            plain[name] = Secret(plain[name])


def name(options: ClientOptions, option: Literal["org", "project", "domain"]) -> str:
    """Return a name of the options, "" for None. Raises ConfigError."""
    value: object = options.get(option)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{option}={value!r} should be a string, and is a {type(value).__name__}")
    return value or ""


def hook(options: ClientOptions, option: Literal["on_request", "on_response"]) -> Callable[[Attempt], object] | None:
    """Return a hook of the options. Raises ConfigError for anything but a function."""
    given = options.get(option)
    if given is not None and not callable(given):
        raise ConfigError(f"{option}={given!r} should be a function that takes a flyteapps.Attempt")
    return given
