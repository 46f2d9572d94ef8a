"""AuthConfig: the part of a configuration file, and of the variables, that is about authentication.

Rules of this file: the keys, the variables and their precedence are the Flyte SDK's, and a few of flytectl's; a key
that isn't served is an error. Values are secret: no message repeats one.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flyteapps.config_file import Given, is_there
from flyteapps.errors import ConfigError
from flyteapps.support.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from flyteapps.auth.base import Auth

AUTH_KEYS: dict[str, tuple[str, ...]] = {
    "admin.apiKey": ("FLYTE_API_KEY", "UNION_API_KEY"),  # read by the SDK's init_from_api_key and by its CLI
    "admin.authType": ("FLYTE_AUTH_TYPE",),
    "admin.clientId": (),
    "admin.clientSecretLocation": (),
    "admin.clientSecretEnvVar": (),
    "admin.command": ("FLYTE_AUTH_COMMAND",),
    "admin.proxyCommand": ("FLYTE_AUTH_PROXY_COMMAND",),
    "admin.scopes": (),
    "admin.httpProxyURL": (),
    "admin.disableKeyring": (),
    "admin.audience": (),  # this and the next two are flytectl's
    "admin.authorizationHeader": (),
    "admin.tokenUrl": (),
}
"""The keys that are served, with the variables that take precedence over the derived one."""

NOT_SERVED = {
    "admin.authorizationServerUrl": "the plane names its authorization server",
    "admin.deviceFlowConfig": "it has no counterpart here",
    "admin.pkceConfig": "it has no counterpart here",
    "admin.tokenRefreshWindow": "tokens are renewed in the last fifth of their life",
    "admin.useAudienceFromAdmin": "the plane's audience is used unless admin.audience is set",
    "admin.useAuth": "admin.authType says it",
}
"""Keys of flytectl's authentication, each with the reason why leaving it out is right."""

TYPES = ("Pkce", "DeviceFlow", "ClientSecret", "ExternalCommand", "Passthrough")

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,60}")
_HEADER = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """The settings of authentication; None, "" or empty where one is absent.

    `api_key` takes precedence over all others. `client_secret`: from `admin.clientSecretEnvVar`;
    `client_secret_location`: the absolute path of a file that existed.
    """

    api_key: Secret | None = None
    auth_type: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    client_secret_location: str | None = None
    command: tuple[Secret, ...] = ()
    proxy_command: tuple[Secret, ...] = ()
    scopes: tuple[str, ...] = ()
    http_proxy_url: Secret | None = None
    disable_keyring: bool = False
    audience: str = ""
    header: str = ""
    token_url: str = ""

    @property
    def kind(self) -> str | None:
        """The type of authentication: a secret makes it ClientSecret, as in the SDK; None if nothing says one."""
        if self.client_secret is not None or self.client_secret_location is not None:
            return "ClientSecret"
        return self.auth_type or ("ExternalCommand" if self.command else None)

    def options(self, *, stored: bool) -> dict[str, Any]:
        """Return the options of a client. `stored`: a login of before counts if nothing else is configured."""
        if self == AuthConfig() and not stored:
            return {}
        return {"auth": self._auth(stored), "proxy_auth": self._proxy_auth()}

    def _auth(self, stored: bool) -> Auth | None:
        """Return the source of credentials."""
        kind = self.kind
        if self.api_key is not None:
            from flyteapps.auth.sources.client_secret import ApiKey

            return ApiKey(self.api_key, scopes=self.scopes, audience=self.audience)
        if kind == "ClientSecret":
            from flyteapps.auth.sources.client_secret import ClientSecret

            secret = self.client_secret if self.client_secret is not None else _path(self.client_secret_location)
            return ClientSecret(
                self.client_id or "",
                secret,
                scopes=self.scopes,
                audience=self.audience,
                header=self.header,
                token_endpoint=self.token_url,
                http_proxy=self.http_proxy_url,
            )
        if kind == "ExternalCommand":
            from flyteapps.auth.sources.external_command import ExternalCommand

            return ExternalCommand(self.command, header=self.header or "authorization")
        if kind == "Passthrough":
            from flyteapps.auth.sources.given import Passthrough

            return Passthrough()
        if kind is None and not stored:
            return None
        from flyteapps.auth.sources.device_flow import DeviceFlow
        from flyteapps.auth.sources.pkce import Pkce

        return (DeviceFlow if kind == "DeviceFlow" else Pkce)(
            client_id=self.client_id or "",
            scopes=self.scopes,
            audience=self.audience,
            header=self.header,
            keyring=not self.disable_keyring,
            interactive=kind is not None,
            http_proxy=self.http_proxy_url,
        )

    def _proxy_auth(self) -> Auth | None:
        """Return the source of the credentials of a proxy, None for none."""
        if not self.proxy_command:
            return None
        from flyteapps.auth.sources.external_command import ExternalCommand

        return ExternalCommand(self.proxy_command, header="proxy-authorization")


Find = Callable[[str, tuple[str, ...]], "Given | None"]


def endpoint_of_key(key: Given, endpoint: Given | None) -> tuple[str, str]:
    """Return the endpoint and the org of an API key. Raises ConfigError for another form, or another endpoint."""
    from flyteapps.auth.sources.client_secret import ApiKey
    from flyteapps.endpoint import Endpoint

    try:
        found = ApiKey(key.text)
    except ConfigError as error:
        key.refuse(f"is no API key: {error.message.partition(': ')[2]}")
    overrides = endpoint is None or (key.is_variable and not endpoint.is_variable)
    if not overrides and endpoint is not None:
        ours, theirs = Endpoint.parse(found.endpoint), Endpoint.parse(endpoint.text, what=endpoint.where)
        if (ours.host, ours.port) != (theirs.host, theirs.port):
            key.refuse(f"is for the endpoint {ours.authority}, and {endpoint.where} is {theirs.authority}: remove one")
    return found.endpoint, found.org


def read_auth(
    find: Find, boolean: Callable[[str], bool | None], absolute: Callable[[str], Path], environ: Mapping[str, str]
) -> AuthConfig | None:
    """Return the settings of authentication, None for none at all. Raises ConfigError.

    `find`, `boolean`: read a key; `absolute`: makes an absolute path.
    """
    for key, reason in NOT_SERVED.items():
        if (given := find(key, ())) is not None:
            given.refuse(f"is a setting of authentication that is not served: {_undo(given)}; {reason}")
    reader = _Reader(find, absolute)
    location, secret = reader.location(), reader.variable(environ)
    found = AuthConfig(
        api_key=_secret(reader.text("admin.apiKey", "an API key")),
        auth_type=reader.auth_type(),
        client_id=reader.text("admin.clientId", "the id of a client"),
        client_secret=secret,
        client_secret_location=location if secret is None else None,
        command=reader.words("admin.command", argv=True),
        proxy_command=reader.words("admin.proxyCommand", argv=True),
        scopes=tuple(str(each) for each in reader.words("admin.scopes", argv=False)),
        http_proxy_url=_secret(reader.text("admin.httpProxyURL", "the URL of a proxy")),
        disable_keyring=boolean("admin.disableKeyring") or False,
        audience=reader.text("admin.audience", "an audience") or "",
        header=reader.header(),
        token_url=reader.text("admin.tokenUrl", "the URL of a token endpoint") or "",
    )
    reader.check(found)
    return None if found == AuthConfig() else found


class _Reader:
    """The reading of single keys. Messages never repeat a value."""

    def __init__(self, find: Find, absolute: Callable[[str], Path]) -> None:
        self._find = find
        self._absolute = absolute

    def get(self, key: str) -> Given | None:
        return self._find(key, AUTH_KEYS[key])

    def text(self, key: str, valid: str) -> str | None:
        given = self.get(key)
        if given is None:
            return None
        if given.kind not in ("str", "int") or not given.text.isprintable() or given.text != given.text.strip():
            given.refuse(f"should be {valid}: a text, without a space at an end or a control character")
        return given.text

    def auth_type(self) -> str | None:
        given = self.get("admin.authType")
        if given is None:
            return None
        if given.text not in TYPES:
            given.refuse(f"should be one of {', '.join(TYPES)}")
        return given.text

    def header(self) -> str:
        given = self.get("admin.authorizationHeader")
        if given is not None and not _HEADER.fullmatch(given.text):
            given.refuse("should be the name of a header")
        return given.text.lower() if given is not None else ""

    def words(self, key: str, *, argv: bool) -> tuple[Secret, ...]:
        """Return a list: one of YAML, of JSON, or a text; `argv`: quoted as for a shell, else with commas or spaces."""
        given = self.get(key)
        if given is None:
            return ()
        should = "a command: a list of strings, or a text quoted as for a shell" if argv else "a list of strings"
        if given.kind == "seq":
            return given.items or given.refuse(f"should be {should}")
        if given.kind != "str":
            given.refuse(f"should be {should}")
        words: list[Any] | None = None
        if given.text.strip().startswith("["):
            try:
                loaded: Any = json.loads(given.text)
            except ValueError:
                loaded = None
            words = cast("list[Any]", loaded) if isinstance(loaded, list) else None
        try:
            if words is None:
                words = shlex.split(given.text) if argv else [each for each in re.split(r"[,\s]+", given.text) if each]
        except ValueError:
            words = None
        if not words or not all(isinstance(each, str) for each in words):
            given.refuse(f"should be {should}")
        return tuple(Secret(each) for each in words)

    def location(self) -> str | None:
        given = self.get("admin.clientSecretLocation")
        if given is None:
            return None
        path = self._absolute(given.text)
        if not is_there(path, f"{given.where}: the file", "a file with a secret"):
            given.refuse(
                f"names {path}, which does not exist: it should be the path of a file with the client's secret"
            )
        return str(path)

    def variable(self, environ: Mapping[str, str]) -> Secret | None:
        given = self.get("admin.clientSecretEnvVar")
        if given is None:
            return None
        secret = Secret(environ.get(given.text, "").rstrip("\r\n"))
        if not secret and self.get("admin.clientSecretLocation") is None:
            name = f" {given.text}" if _VARIABLE.fullmatch(given.text) else ""  # else it may be the secret itself
            given.refuse(f"names the variable{name}, which is not set: set it to the client's secret")
        return secret or None

    def check(self, found: AuthConfig) -> None:
        """Refuse a type without what it needs. Raises ConfigError."""
        kind = found.kind
        given = self.get("admin.authType")
        where = given.where if given is not None else "admin.clientSecretLocation or admin.clientSecretEnvVar"
        if found.api_key is not None:
            return
        if kind == "ClientSecret" and found.client_secret is None and found.client_secret_location is None:
            raise ConfigError(
                f"{where} is ClientSecret, and there is no secret: set admin.clientSecretLocation or "
                f"admin.clientSecretEnvVar"
            )
        if kind == "ClientSecret" and not found.client_id:
            raise ConfigError(f"{where} needs a client: set admin.clientId (variable FLYTE_ADMIN_CLIENTID)")
        if kind == "ExternalCommand" and not found.command:
            raise ConfigError(f"{where} is ExternalCommand, and there is none: set admin.command (FLYTE_AUTH_COMMAND)")


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _path(location: str | None) -> Path:
    from pathlib import Path

    return Path(location or "")


def _undo(given: Given) -> str:
    return "unset it" if given.is_variable else "remove it"
