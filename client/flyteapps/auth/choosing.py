"""The choice of a client's credentials by its options."""

from __future__ import annotations

from typing import Any, cast

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.requests import OneRequest
from flyteapps.auth.session import Session
from flyteapps.auth.sources.given import StaticToken, TokenFunction
from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.options import ClientOptions
from flyteapps.settings import IN_PROCESS
from flyteapps.transports.certificates import ClientCertificate
from flyteapps.transports.opening import authorities

PROXY_HEADER = "proxy-authorization"


def session_of(
    where: Endpoint | None, headers: dict[str, str], client_cert: ClientCertificate | None, options: ClientOptions
) -> Session:
    """Return the credentials for the options of a client. `where`: None for a transport. Raises ConfigError."""
    auth, proxy_auth = options.get("auth"), options.get("proxy_auth")
    if auth is not None and "authorization" in headers:
        raise ConfigError("give either auth, or headers with authorization: both would be credentials")
    if proxy_auth is not None and PROXY_HEADER in headers:
        raise ConfigError("give either proxy_auth, or headers with proxy-authorization: both would be credentials")
    certificates = authorities(options.get("ca_cert"))
    skip_verify = options.get("insecure_skip_verify", False) and certificates is None
    endpoint = where.url if where is not None else IN_PROCESS
    if where is not None and not where.secure and not where.is_loopback:
        import logging

        logging.getLogger("flyteapps").warning(
            "%s is without TLS: anyone in between can read the credentials", endpoint
        )
    return Session(
        Context(endpoint, OneRequest(where, certificates, skip_verify, client_cert)),
        None if auth is None else auth_of(auth, "auth", "authorization"),
        None if proxy_auth is None else auth_of(proxy_auth, "proxy_auth", PROXY_HEADER),
    )


def auth_of(given: Any, what: str, header: str) -> Auth:
    """Return the Auth of an option: one, a token, or a function. Raises ConfigError."""
    if isinstance(given, Auth):
        return given
    if isinstance(given, str):
        return StaticToken(given, header=header)
    if callable(given) and not isinstance(given, type):
        return TokenFunction(cast("Any", given), header=header)
    kind = given.__name__ if isinstance(given, type) else type(given).__name__
    raise ConfigError(
        f"{what}: should be a token, a function that returns one, or one of flyteapps.auth, such as "
        f"flyteapps.auth.ClientSecret(...), and is {'the class' if isinstance(given, type) else 'of type'} {kind}"
    )
