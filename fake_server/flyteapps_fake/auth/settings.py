"""The settings of authentication: users, clients, their roles, lifetimes. Values and their checks alone, no behaviour.

The same in Python (`Auth(users=[User("ann")])`), as a mapping, and in the YAML of `flyteapps serve --auth FILE`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, cast, get_args

Role = Literal["viewer", "contributor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
ALL = ("*",)
"""The globs that match each project."""
MAX_SECONDS = 10 * 366 * 86_400.0
OWN_SCOPES = ("openid", "profile", "email", "offline_access", "offline")
"""The scopes that a client may request besides those of the settings."""
CLI_REDIRECT = "http://localhost:53593/callback"
"""The redirect URI of the Flyte SDK's command line."""
_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]{1,128}\Z")
"""A subject or a client's id: printable, without a colon, which separates the parts of an API key."""

T = TypeVar("T")


class AuthError(ValueError):
    """A setting that can't be. `path`: where it is, by keys and indexes from the top."""

    def __init__(self, path: Sequence[str | int], message: str) -> None:
        self.path = tuple(path)
        self.problem = message
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        super().__init__(f"auth{where}: {message}")


@dataclass(frozen=True, slots=True)
class User:
    """A person who logs in.

    `role`: viewer (reads), contributor (writes in `projects`, too), or admin (all, the control API included).
    `projects`, `visible`: globs of projects, in which it may write, and which it may see.
    """

    subject: str
    role: Role = "viewer"
    projects: Sequence[str] = ALL
    visible: Sequence[str] = ALL
    name: str = ""
    email: str = ""

    def __post_init__(self) -> None:
        _check_named("subject", self.subject)
        _check_rights(self)


@dataclass(frozen=True, slots=True)
class Client:
    """A program.

    With a `secret` it gets tokens for itself (client_credentials), with the rights of `role`, `projects` and `visible`;
    without one it logs users in, by the code flow with PKCE to one of `redirect_uris`, or by a device code.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    role: Role = "viewer"
    projects: Sequence[str] = ALL
    visible: Sequence[str] = ALL
    redirect_uris: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_named("client_id", self.client_id)
        if self.secret is not None and not self.secret:
            raise AuthError(("secret",), "must not be empty; a client without a secret has no such key")
        _check_texts("redirect_uris", self.redirect_uris)
        _check_rights(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """The callers of a plane, and the making of tokens.

    `issuer`: the base URL of the server in tokens, None for its own. `audience`: that of tokens, None for the issuer.
    `scopes`: those that clients are told to request. Lifetimes are seconds of the plane's clock. `approve`: the subject
    that is logged in at once, instead of by a page. `header`: the header of the credentials. `provider`: the issuer of
    an existing OpenID provider, whose tokens are checked then; none are issued. `others`: the role of subjects that
    are neither users nor clients, None to refuse them.
    """

    users: Sequence[User] = ()
    clients: Sequence[Client] = ()
    issuer: str | None = None
    audience: str | None = None
    scopes: Sequence[str] = ("all",)
    access_token_seconds: float = 3_600.0
    refresh_token_seconds: float = 30 * 86_400.0
    device_code_seconds: float = 600.0
    device_interval_seconds: float = 5.0
    approve: str | None = None
    header: str = "authorization"
    provider: str | None = None
    others: Role | None = None

    def __post_init__(self) -> None:
        for name in ("access_token_seconds", "refresh_token_seconds", "device_code_seconds", "device_interval_seconds"):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_SECONDS:
                raise AuthError((name,), f"must be a number of seconds over 0 and at most ten years, not {value!r}")
        _check_texts("scopes", self.scopes)
        for name in ("issuer", "provider"):
            url: Any = getattr(self, name)
            if url is not None and not re.match(r"https?://[^\s/?#]+[^\s?#]*\Z", str(url)):
                raise AuthError((name,), f"must be a URL such as https://auth.example.com, not {url!r}")
        if self.provider is not None and self.audience is None:
            raise AuthError(("audience",), "is missing: name the audience that the provider's tokens have")
        if self.others is not None:
            _check_role(("others",), self.others)
        if not re.match(r"[a-z0-9-]{1,64}\Z", self.header):
            raise AuthError(("header",), f"must be a header's name in lower case, not {self.header!r}")
        self._check_unique()

    def _check_unique(self) -> None:
        seen: set[str] = set()
        named = [("users", i, each.subject) for i, each in enumerate(self.users)]
        named += [("clients", i, each.client_id) for i, each in enumerate(self.clients)]
        for where, index, name in named:
            if name in seen:
                raise AuthError((where, index), f"{name!r} is there twice: users and clients have names of their own")
            seen.add(name)
        if self.approve is not None and self.approve not in {each.subject for each in self.users}:
            known = ", ".join(each.subject for each in self.users) or "none"
            raise AuthError(("approve",), f"{self.approve!r} is no user; the users are {known}")

    def public_client(self) -> Client | None:
        """Return the client that command lines are told to log in with."""
        return next((each for each in self.clients if each.secret is None), None)

    def confidential_client(self, client_id: str | None = None) -> Client:
        """Return the client of that id, by default the first one that has a secret. Raises ValueError."""
        found = [each for each in self.clients if each.secret is not None]
        for each in found:
            if client_id in (None, each.client_id):
                return each
        known = ", ".join(each.client_id for each in found) or "none"
        raise ValueError(f"no client with a secret is called {client_id!r}; there are {known}")

    @classmethod
    def demo(cls) -> Auth:
        """Return the settings of `--auth demo`: three users, a public client, and one with a new secret."""
        return cls(
            users=[
                User("alice", "admin", name="Alice Adams", email="alice@example.com"),
                User("bob", "contributor", ["flytesnacks", "demo"], name="Bob Brown", email="bob@example.com"),
                User("vera", "viewer", name="Vera Vance", email="vera@example.com"),
            ],
            clients=[
                Client("flyteapps-cli", redirect_uris=[CLI_REDIRECT]),
                Client("flyteapps-ci", secrets.token_urlsafe(24), "admin"),
            ],
        )

    @classmethod
    def of(cls, value: Auth | str | Mapping[str, Any]) -> Auth:
        """Return the settings: "demo", a mapping with the fields' names as keys, or themselves. Raises AuthError."""
        if isinstance(value, Auth):
            return value
        if value == "demo":
            return cls.demo()
        if not isinstance(value, Mapping):
            raise AuthError((), f'must be "demo", an Auth, or a mapping, not {value!r}')
        given = dict(value)
        for key, kind in (("users", User), ("clients", Client)):
            entries = _listed(key, given.get(key, ()))
            given[key] = [
                each if isinstance(each, kind) else _made(kind, (key, i), each) for i, each in enumerate(entries)
            ]
        return _made(cls, (), given)


def _made(kind: type[T], path: Sequence[str | int], value: Any) -> T:
    """Return what a mapping describes. Raises AuthError."""
    if not isinstance(value, Mapping):
        raise AuthError(path, f"must be a mapping, not {value!r}")
    given = {str(key): each for key, each in cast("Mapping[Any, Any]", value).items()}
    known: Any = fields(kind)  # type: ignore[arg-type]  # a dataclass
    names = [each.name for each in known]
    for key in given:
        if key not in names:
            raise AuthError((*path, key), f"is an unknown key; there are {', '.join(names)}")
    first: str = names[0]
    if path and first not in given:
        raise AuthError(path, f"has no {first}")
    try:
        return kind(**given)
    except AuthError as error:
        raise AuthError((*path, *error.path), error.problem) from None


def _listed(key: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise AuthError((key,), f"must be a list, not {value!r}")
    return cast("Sequence[Any]", value)


def _check_named(key: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise AuthError((key,), f"must be 1 to 128 printable characters without spaces and colons, not {name!r}")


def _check_role(path: Sequence[str], role: object) -> None:
    if role not in ROLES:
        raise AuthError(path, f"must be one of {', '.join(ROLES)}, not {role!r}")


def _check_texts(key: str, texts: Any) -> None:
    for index, text in enumerate(_listed(key, texts)):
        if not isinstance(text, str) or not text:
            raise AuthError((key, index), f"must be a text, not {text!r}")


def _check_rights(entry: User | Client) -> None:
    _check_role(("role",), entry.role)
    _check_texts("projects", entry.projects)
    _check_texts("visible", entry.visible)
