"""ClientSecret and ApiKey: a program's own credentials, exchanged for tokens (the grant client_credentials)."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.sources.metadata import discovered, no_credentials
from flyteapps.auth.sources.token_endpoint import Request
from flyteapps.auth.tokens import Token
from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.flows.operations import Flow, Now, Perform
from flyteapps.support.secret import Secret, hidden_text

VARIABLES = ("FLYTE_API_KEY", "UNION_API_KEY")
"""The variables that may hold an API key, in order."""


class ClientSecret(Auth):
    """A client id and its secret, or the path of a file that holds the secret, read for each token.

    `scopes`, `audience`, `header`, `token_endpoint`: instead of those that the plane names. `http_proxy`: a proxy to
    the token endpoint, instead of the environment's.
    """

    mode: ClassVar[str] = "ClientSecret"
    client_id = ""

    def __init__(
        self,
        client_id: str,
        client_secret: str | os.PathLike[str],
        *,
        scopes: Sequence[str] = (),
        audience: str = "",
        header: str = "",
        token_endpoint: str = "",
        http_proxy: str | None = None,
    ) -> None:
        """Validate the arguments. Raises ConfigError for an empty id or secret."""
        secret = Secret(client_secret) if isinstance(client_secret, str) else Path(client_secret)
        del client_secret
        if not client_id or not secret:
            raise ConfigError(f"{self.mode}: the client {'secret' if client_id else 'id'} is empty")
        if isinstance(scopes, str):
            raise ConfigError(f"{self.mode}: scopes should be a list of strings")
        self.client_id = client_id
        self._secret = secret
        self._scopes = tuple(scopes)
        self._audience = audience
        self._header = header
        self._token_endpoint = token_endpoint
        self._http_proxy = Secret(http_proxy) if http_proxy is not None else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client_id!r})"

    def fetch(self, context: Context, last: Token | None, timeout: float) -> Flow[Token]:
        """See Auth.fetch."""
        began: float = yield Now()
        endpoint, scopes, audience, header = self._token_endpoint, self._scopes, self._audience, self._header
        if not endpoint:
            metadata = yield from discovered(context, timeout)
            if metadata is None:
                return no_credentials(self.mode, context, last, began)
            endpoint, scopes = metadata.token_endpoint, scopes or metadata.scopes
            audience, header = audience or metadata.audience, header or metadata.header
        secret = self._secret
        if isinstance(secret, Path):
            secret = yield from read_secret(secret, f"{self.mode}: the file of the client secret")
        fields = {"grant_type": "client_credentials", "scope": " ".join(scopes), "audience": audience}
        request = Request(self.mode, endpoint, fields, (self.client_id, secret))
        left = max(0.001, timeout - ((yield Now()) - began))
        return (yield from request.token(context.through(self._http_proxy), left, header or "authorization"))


class ApiKey(ClientSecret):
    """An API key: base64 of ENDPOINT:CLIENT_ID:CLIENT_SECRET:ORG. Without one, that of FLYTE_API_KEY or UNION_API_KEY.

    `endpoint` and `org` are the key's, for `Client(key.endpoint, auth=key)`; `Client.from_api_key` does so.
    """

    def __init__(
        self,
        key: str | None = None,
        *,
        scopes: Sequence[str] = (),
        audience: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Validate the arguments. Raises ConfigError for a key of another form, and for none."""
        key = hidden_text(key)
        what, text = _found(key, os.environ if environ is None else environ)
        del environ
        parts = _decoded(text, what)
        try:
            Endpoint.parse(str(parts[0]))
        except ConfigError:
            raise ConfigError(f"{what}: what it names for an endpoint is none, such as host or host:port") from None
        if not parts[1].isprintable():
            raise ConfigError(f"{what}: its client id has a control character")
        self.endpoint = str(parts[0])
        self.org = "" if parts[3] == "None" else str(parts[3])
        super().__init__(str(parts[1]), parts[2], scopes=scopes, audience=audience)


def _found(key: Any, environ: Mapping[str, str]) -> tuple[str, Secret]:
    """Return the name of an API key's source, for messages, and the key. Raises ConfigError."""
    if isinstance(key, type):
        raise ConfigError(f"API key: it should be a string, and is a {key.__name__}")
    if key is not None:
        return "API key", Secret(key.strip())
    for variable in VARIABLES:
        if text := environ.get(variable, "").strip():
            return f"variable {variable}", Secret(text)
    raise ConfigError(f"no API key: pass one, or set the variable {' or '.join(VARIABLES)}")


def _decoded(text: Secret, what: str) -> list[Secret]:
    """Return the four parts of a key, from the right: an endpoint has colons of its own. Raises ConfigError."""
    try:
        padded = str(text).replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        plain = Secret(base64.b64decode(padded, validate=True).decode())
        is_valid = plain.isprintable()
    except (binascii.Error, ValueError):
        is_valid, plain = False, Secret("")
    padded = ""
    if not is_valid:
        raise ConfigError(
            f"{what}: it should be base64 of ENDPOINT:CLIENT_ID:CLIENT_SECRET:ORG, and isn't base64 of text"
        )
    parts = [Secret(part) for part in plain.rsplit(":", 3)]
    if len(parts) != 4 or not all(parts[:3]):
        wrong = f"has {len(parts)} parts" if len(parts) != 4 else "lacks the endpoint, the id or the secret"
        raise ConfigError(f"{what}: it should be base64 of ENDPOINT:CLIENT_ID:CLIENT_SECRET:ORG, and {wrong}")
    return parts


def read_secret(path: Path, what: str) -> Flow[Secret]:
    """Return the content of a file that holds a secret, without the line end at its end. Raises ConfigError."""

    def read() -> Secret:
        try:
            found = Secret(path.read_bytes().decode().rstrip("\r\n"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it isn't UTF-8"
            raise ConfigError(f"{what}, {path}, can't be read: {reason}") from None
        if not found or not found.isprintable():
            raise ConfigError(f"{what}, {path}, should hold one line, and {'holds several' if found else 'is empty'}")
        return found

    async def read_in_thread() -> Secret:
        import asyncio

        return await asyncio.to_thread(read)

    return (yield Perform(read, read_in_thread))
