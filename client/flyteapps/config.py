"""Config: the settings of a plane in Flyte's configuration file and the FLYTE_ variables.

Rules of this file: the places, keys and variables are the Flyte SDK's, in its order; an invalid value is a
ConfigError that names file, line and key, never a silent default; other keys of
other tools are ignored. Values of authentication settings never get into a message, nor
the content of a file into a traceback.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flyteapps.auth.configuration import AUTH_KEYS, NOT_SERVED, AuthConfig, endpoint_of_key, read_auth
from flyteapps.config_file import KINDS, Given, described, is_there, read
from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.support.secret import forget_locals

_KEYS = (
    "admin.endpoint",
    "admin.insecure",
    "admin.insecureSkipVerify",
    "admin.caCertFilePath",
    "task.org",
    "task.project",
    "task.domain",
    "console.endpoint",
)
_ALL = (*_KEYS, *AUTH_KEYS, *NOT_SERVED)
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a client; None where a setting is absent.

    `endpoint`: as written, and valid. `insecure`: without TLS; None leaves it to the endpoint's scheme.
    `insecure_skip_verify`: trust the certificate that the plane presents. `ca_cert_file_path`: an absolute path of a
    file that existed. `org`, `project`, `domain`: defaults of calls. `console_endpoint`: the console's, if elsewhere.
    `source`: the absolute path of the file that was read. `auth`: how to log in, None if nothing says it.
    """

    endpoint: str | None = None
    insecure: bool | None = None
    insecure_skip_verify: bool = False
    ca_cert_file_path: str | None = None
    org: str | None = None
    project: str | None = None
    domain: str | None = None
    console_endpoint: str | None = None
    source: Path | None = None
    auth: AuthConfig | None = None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        directory: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Read the first configuration file that exists, then the variables, which take precedence.

        `path`: this file alone. `environ`: instead of the process's variables, HOME included.
        `directory`: instead of the working directory, the base of relative paths. A variable that is empty counts
        as not set. No file at all is no error. Raises ConfigError.
        """
        try:
            return cls._loaded(path, os.environ if environ is None else environ, directory)
        except ConfigError as error:
            forget_locals(error)
            environ = None
            raise

    @classmethod
    def _loaded(
        cls, path: str | os.PathLike[str] | None, environ: Mapping[str, str], directory: str | os.PathLike[str] | None
    ) -> Self:
        places = _Places(environ, directory)
        source = places.named(path, "the configuration file") if path is not None else places.first()
        settings = _Settings(read(source, _ALL) if source else {}, places.environ)
        auth = read_auth(settings.find, settings.boolean, places.absolute, places.environ)
        insecure, org = settings.boolean("admin.insecure"), settings.name("task.org")
        endpoint = settings.endpoint("admin.endpoint", insecure)
        if (key := settings.find("admin.apiKey", AUTH_KEYS["admin.apiKey"])) is not None:
            given = settings.find("admin.insecure")
            endpoint, own_org = endpoint_of_key(key, settings.find("admin.endpoint"))
            org = org or own_org or None
            if key.is_variable and given is not None and not given.is_variable:
                insecure = None  # it is about the file's endpoint
            Endpoint.parse(endpoint, insecure, what=f"{key.where}: its endpoint")
        return cls(
            endpoint=endpoint,
            insecure=insecure,
            insecure_skip_verify=settings.boolean("admin.insecureSkipVerify") or False,
            ca_cert_file_path=settings.file("admin.caCertFilePath", places),
            org=org,
            project=settings.name("task.project"),
            domain=settings.name("task.domain"),
            console_endpoint=settings.endpoint("console.endpoint", None),
            source=source,
            auth=auth,
        )


class _Places:
    """The places of configuration files."""

    def __init__(self, environ: Mapping[str, str], directory: str | os.PathLike[str] | None) -> None:
        self.environ = environ
        try:
            self._directory = Path(os.path.abspath(directory or os.curdir))
        except OSError as error:
            raise ConfigError(f"the working directory can't be used: {error.strerror}") from error

    def absolute(self, path: str | os.PathLike[str]) -> Path:
        """Return a path relative to the working directory, ~ and ~/ being the home directory."""
        parts = Path(path).parts
        home = self._home() if parts[:1] == ("~",) else None
        return home.joinpath(*parts[1:]) if home else self._directory / path

    def named(self, path: object, what: str) -> Path:
        """Return the path of a file named by the caller or a variable. Raises ConfigError if it does not exist."""
        try:
            found = self.absolute(os.fsdecode(path))  # pyright: ignore[reportArgumentType]  # what a caller gives
        except TypeError as error:
            raise ConfigError(f"{what} {path!r} should be the path of a file") from error
        if not is_there(found, what):
            raise ConfigError(f"{what} {found} does not exist: name a YAML file, or none to search the usual places")
        return found

    def first(self) -> Path | None:
        """Return the first existing file of the usual places, None for none."""
        for place in (Path("config.yaml"), Path(".flyte", "config.yaml")):
            if is_there(self._directory / place):
                return self._directory / place
        root = self._git_root()
        if root and is_there(root / ".flyte" / "config.yaml"):
            return root / ".flyte" / "config.yaml"
        for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
            if path := self.environ.get(variable):
                return self.named(path, f"variable {variable}: the configuration file")
        home = self._home()
        for folder in (".union", ".flyte"):
            if home and is_there(home / folder / "config.yaml"):
                return home / folder / "config.yaml"
        return None

    def _home(self) -> Path | None:
        home = self.environ.get("USERPROFILE" if os.name == "nt" else "HOME")
        try:
            return Path(home) if home else Path.home()
        except RuntimeError:
            return None

    def _git_root(self) -> Path | None:
        """Return the work tree around the working directory, without calling git.

        Like git it ignores a tree of another user, as anyone could place one in a folder above: its owner has to be
        this user, root, or the owner of the working directory.
        """
        start = Path(os.path.realpath(self._directory))
        for folder in (start, *start.parents):
            mark = folder / ".git"
            if os.path.isfile(mark) or os.path.lexists(mark / "HEAD"):
                return folder if _is_trusted(mark, start) else None
        return None


def _is_trusted(mark: Path, start: Path) -> bool:
    if os.name == "nt":
        return True
    try:
        return mark.stat().st_uid in (0, os.geteuid(), start.stat().st_uid)
    except OSError:
        return False


class _Settings:
    """The settings of a file, overridden by the variables."""

    def __init__(self, entries: Mapping[str, Given], environ: Mapping[str, str]) -> None:
        self._entries = entries
        self._environ = environ

    def find(self, key: str, aliases: tuple[str, ...] = ()) -> Given | None:
        """Return the setting of a key, None where it is absent or empty."""
        for variable in (*aliases, f"FLYTE_{key.upper().replace('.', '_')}"):
            if text := self._environ.get(variable):
                return Given(f"variable {variable}", text, is_variable=True)
        return self._entries.get(key)

    def boolean(self, key: str) -> bool | None:
        """Return True, False, or None where the key is absent. Raises ConfigError."""
        given = self.find(key)
        if given is None:
            return None
        value = _BOOLEANS.get(given.text.lower()) if given.kind in ("str", "bool", "int") else None
        if value is None:
            given.refuse(f"is {described(given)}: it should be true or false")
        return value

    def name(self, key: str) -> str | None:
        """Return the name of an org, a project or a domain, None where the key is absent. Raises ConfigError."""
        given = self._text(key, "a name")
        return given.text if given else None

    def endpoint(self, key: str, insecure: bool | None) -> str | None:
        """Return an endpoint, None where the key is absent. Raises ConfigError, also if `insecure` contradicts it."""
        given = self._text(key, 'an endpoint, such as "localhost:8090"')
        if given is None:
            return None
        Endpoint.parse(given.text, what=given.where)
        try:
            Endpoint.parse(given.text, insecure, what=given.where)
        except ConfigError as error:
            other = self.find("admin.insecure")
            raise ConfigError(f"{error.message}; {other.where if other else 'the caller'} sets insecure") from None
        return given.text

    def file(self, key: str, places: _Places) -> str | None:
        """Return the absolute path of an existing file, None where the key is absent. Raises ConfigError."""
        given = self._text(key, "the path of a PEM file")
        if given is None:
            return None
        path = places.absolute(given.text)
        if not is_there(path, f"{given.where}: the file", "a PEM file"):
            given.refuse(f"names {path}, which does not exist: it should be the path of a PEM file")
        return str(path)

    def _text(self, key: str, valid: str) -> Given | None:
        given = self.find(key)
        if given is None:
            return None
        if given.kind != "str":
            quote = f', in quotes if that is one: "{given.text}"' if given.kind in KINDS else ""
            given.refuse(f"is {described(given)}: it should be {valid}{quote}")
        if given.text != given.text.strip() or not given.text.isprintable():
            given.refuse(f"has a space at an end, or a control character: it should be {valid}")
        return given
