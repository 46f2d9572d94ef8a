"""Config: the settings of a plane in Flyte's configuration file and the FLYTE_ variables.

Rules of this file: the places, keys and variables are the Flyte SDK's, in its order; an invalid value is a
ConfigError that names file, line and key, never a silent default; other keys are ignored. PyYAML is
imported when a file is read. Values of authentication settings never get into a message, nor the content of a file into
a traceback.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.support.secret import forget_locals

if TYPE_CHECKING:
    from yaml.nodes import Node

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
_AUTHENTICATION = {
    "admin.apiKey": ("FLYTE_API_KEY", "UNION_API_KEY"),  # read by the SDK's init_from_api_key and by its CLI
    "admin.command": ("FLYTE_AUTH_COMMAND",),
    "admin.proxyCommand": ("FLYTE_AUTH_PROXY_COMMAND",),
    "admin.clientId": (),
    "admin.clientSecretLocation": (),
    "admin.clientSecretEnvVar": (),
    "admin.scopes": (),
    "admin.authType": ("FLYTE_AUTH_TYPE",),
    "admin.httpProxyURL": (),
}
_ALL = (*_KEYS, *_AUTHENTICATION)
_SECTIONS = ("admin", "task", "console")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_TAG = "tag:yaml.org,2002:"
_KINDS = {"int": "the number", "float": "the number", "bool": "the boolean", "timestamp": "the date"}


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a client; None where a setting is absent.

    `endpoint`: as written, and valid. `insecure`: without TLS; None leaves it to the endpoint's scheme.
    `insecure_skip_verify`: trust the certificate that the plane presents. `ca_cert_file_path`: an absolute path of a
    file that existed. `org`, `project`, `domain`: defaults of calls. `console_endpoint`: the console's, if elsewhere.
    `source`: the absolute path of the file that was read.
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
        settings = _Settings(_read(source) if source else {}, places.environ)
        settings.refuse_authentication()
        insecure = settings.boolean("admin.insecure")
        return cls(
            endpoint=settings.endpoint("admin.endpoint", insecure),
            insecure=insecure,
            insecure_skip_verify=settings.boolean("admin.insecureSkipVerify") or False,
            ca_cert_file_path=settings.file("admin.caCertFilePath", places),
            org=settings.name("task.org"),
            project=settings.name("task.project"),
            domain=settings.name("task.domain"),
            console_endpoint=settings.endpoint("console.endpoint", None),
            source=source,
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
        if not _is_there(found, what):
            raise ConfigError(f"{what} {found} does not exist: name a YAML file, or none to search the usual places")
        return found

    def first(self) -> Path | None:
        """Return the first existing file of the usual places, None for none."""
        for place in (Path("config.yaml"), Path(".flyte", "config.yaml")):
            if _is_there(self._directory / place):
                return self._directory / place
        root = self._git_root()
        if root and _is_there(root / ".flyte" / "config.yaml"):
            return root / ".flyte" / "config.yaml"
        for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
            if path := self.environ.get(variable):
                return self.named(path, f"variable {variable}: the configuration file")
        home = self._home()
        for folder in (".union", ".flyte"):
            if home and _is_there(home / folder / "config.yaml"):
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


def _is_there(path: Path, what: str = "the configuration file", valid: str = "a YAML file") -> bool:
    """Return whether the file exists. Raises ConfigError for a directory, and if it can't be determined."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise ConfigError(f"{what} {str(path)!r} is no path: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise ConfigError(f"{what} {path} can't be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise ConfigError(f"{what} {path} is a directory: it should be {valid}")
    return True


@dataclass(frozen=True, slots=True)
class _Given:
    """A setting that is present. `where`: the subject of a sentence about it; `kind`: YAML's type, or "str"."""

    where: str
    text: str
    kind: str = "str"
    is_variable: bool = False

    def refuse(self, why: str) -> NoReturn:
        """Raise ConfigError: `why` continues the sentence "FILE, line N: KEY"."""
        raise ConfigError(f"{self.where} {why}")


class _Settings:
    """The settings of a file, overridden by the variables."""

    def __init__(self, entries: Mapping[str, _Given], environ: Mapping[str, str]) -> None:
        self._entries = entries
        self._environ = environ

    def find(self, key: str, aliases: tuple[str, ...] = ()) -> _Given | None:
        """Return the setting of a key, None where it is absent or empty."""
        for variable in (*aliases, f"FLYTE_{key.upper().replace('.', '_')}"):
            if text := self._environ.get(variable):
                return _Given(f"variable {variable}", text, is_variable=True)
        return self._entries.get(key)

    def refuse_authentication(self) -> None:
        """Raise ConfigError for any setting of authentication."""
        for key, aliases in _AUTHENTICATION.items():
            if given := self.find(key, aliases):
                given.refuse(
                    f"is a setting of authentication, which is not supported yet: "
                    f"{'unset it' if given.is_variable else 'remove it'}, and send a token by "
                    f"Client(endpoint, headers=...)"
                )

    def boolean(self, key: str) -> bool | None:
        """Return True, False, or None where the key is absent. Raises ConfigError."""
        given = self.find(key)
        if given is None:
            return None
        value = _BOOLEANS.get(given.text.lower()) if given.kind in ("str", "bool", "int") else None
        if value is None:
            given.refuse(f"is {_described(given)}: it should be true or false")
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
        if not _is_there(path, f"{given.where}: the file", "a PEM file"):
            given.refuse(f"names {path}, which does not exist: it should be the path of a PEM file")
        return str(path)

    def _text(self, key: str, valid: str) -> _Given | None:
        given = self.find(key)
        if given is None:
            return None
        if given.kind != "str":
            quote = f', in quotes if that is one: "{given.text}"' if given.kind in _KINDS else ""
            given.refuse(f"is {_described(given)}: it should be {valid}{quote}")
        if given.text != given.text.strip() or not given.text.isprintable():
            given.refuse(f"has a space at an end, or a control character: it should be {valid}")
        return given


def _described(given: _Given) -> str:
    if given.kind in ("seq", "map"):
        return "a list" if given.kind == "seq" else "a mapping"
    text = given.text if len(given.text) <= 60 else f"{given.text[:60]}..."
    if given.kind in _KINDS:
        return f"{_KINDS[given.kind]} {text}"
    return repr(text) if given.kind == "str" else f"{text!r} with the tag {given.kind}"


def _read(path: Path) -> dict[str, _Given]:
    """Return the settings of a file by key, without empty values. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the configuration file {path} can't be read: {error.strerror}") from error
    try:
        text, broken_at = data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text, broken_at = "", error.start
    if broken_at is not None:
        line = data.count(b"\n", 0, broken_at) + 1
        raise ConfigError(f"{path}, line {line}: is not UTF-8, as a configuration file should be")
    root = _composed(path, text)
    if root is None:
        return {}
    entries: dict[str, _Given] = {}
    sections = _pairs(path, root, f"{_line(path, root)}: the file", "", _SECTIONS)
    for section in _SECTIONS:
        if section not in sections:
            continue
        key, body = sections[section]
        names = [name.removeprefix(f"{section}.") for name in _ALL if name.startswith(f"{section}.")]
        pairs = _pairs(path, body, f"{_line(path, key)}: {section}", f"{section}.", names)
        for name, (key, value) in pairs.items():
            kind = value.tag.removeprefix(_TAG)
            if name in names and value.value and kind != "null":
                content = value.value if isinstance(value.value, str) else ""
                entries[f"{section}.{name}"] = _Given(f"{_line(path, key)}: {section}.{name}", content, kind)
    return entries


def _composed(path: Path, text: str) -> Node | None:
    """Return the tree of a YAML document; no values are constructed, so tags of other tools do no harm.

    PyYAML's errors quote the file, so they are not kept as causes.
    """
    import yaml
    from yaml.reader import ReaderError

    try:
        return yaml.SafeLoader(text).get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"{path}, line {line}: is not YAML: {error.reason}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        problem = f"{path}{line}: is not YAML: {error.problem or error.context}"
    except RecursionError:
        problem = f"{path}: is nested too deeply"
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as error:  # the latter two for unchecked numbers
        problem = f"{path}: is not YAML: {error}"
    raise ConfigError(problem)


def _pairs(path: Path, root: Node, where: str, prefix: str, ours: Sequence[str]) -> dict[str, tuple[Node, Node]]:
    """Return the keys of a mapping with their values, those merged by `<<` included. Null is an empty mapping.

    `where`: the subject of a sentence about the mapping; `prefix`: of its keys. Raises ConfigError, also for a
    duplicate key, and for a known key in another spelling, such as `insecure_skip_verify`: readers would take it for
    the known one.
    """
    from yaml.nodes import MappingNode, SequenceNode

    spellings = {_spelled(name): name for name in ours}
    pairs: dict[str, tuple[Node, Node]] = {}
    seen: set[int] = set()
    todo = [(where, root)]  # the first takes precedence
    while todo:
        what, node = todo.pop(0)
        if id(node) in seen or node.tag == f"{_TAG}null":
            continue
        seen.add(id(node))
        if not isinstance(node, MappingNode):
            raise ConfigError(f"{what} should be a mapping, with keys such as {', '.join(ours)}")
        lines: dict[str, int] = {}
        merged: list[tuple[str, Node]] = []
        for key, value in node.value:
            if key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
                continue
            at = f"{_line(path, key)}: {prefix}{key.value}"
            if key.value in lines:
                raise ConfigError(f"{at} is in line {lines[key.value]} as well: remove one of them")
            lines[key.value] = key.start_mark.line + 1
            meant = spellings.get(_spelled(key.value), key.value)
            if key.tag == f"{_TAG}merge":
                merged += [(at, each) for each in (value.value if isinstance(value, SequenceNode) else [value])]
            elif meant != key.value:
                raise ConfigError(f"{at} should be spelled {prefix}{meant}")
            else:
                pairs.setdefault(key.value, (key, value))
        todo[:0] = merged
    return pairs


def _spelled(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _line(path: Path, node: Node) -> str:
    return f"{path}, line {node.start_mark.line + 1}"
