"""Config: the places, the keys and the variables, what is refused and how, and where the SDK does otherwise."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import flyte.config
import pytest
from flyte.config import _internal as sdk_keys
from flyte.config import _reader as sdk_reader
from hypothesis import given, settings
from hypothesis import strategies as st

import flyteapps
from flyteapps.config import Config
from flyteapps.console import Console
from flyteapps.errors import ConfigError


class World:
    """A home, and a git repository with the working directory two folders down in it."""

    def __init__(self, root: Path) -> None:
        self.home, self.repository = root / "home", root / "repository"
        self.directory = self.repository / "a" / "b"
        for folder in (self.home, self.directory, self.repository / ".git"):
            folder.mkdir(parents=True)
        (self.repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n")

    def write(self, path: Path, content: str | bytes) -> Path:
        """Writes a file, and the folders that it is in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, content: str | bytes | None = None, path: Any = None, **environ: str) -> Config:
        """Loads ./config.yaml, with that content, or the file that is named."""
        if content is not None:
            self.write(self.directory / "config.yaml", content)
        return Config.load(path, {"HOME": str(self.home), **environ}, self.directory)

    def refused(self, content: str | bytes | None = None, path: Any = None, **environ: str) -> str:
        """The message of the error that loading ends with, the path of ./config.yaml being FILE in it."""
        with pytest.raises(ConfigError) as refused:
            self.load(content, path, **environ)
        return str(refused.value).replace(str(self.directory / "config.yaml"), "FILE")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world without any configuration."""
    return World(tmp_path)


def places(world: World, environ: Mapping[str, str]) -> list[Path]:
    """The files that may be found, in the order of the docs of the SDK."""
    return [
        world.directory / "config.yaml",
        world.directory / ".flyte" / "config.yaml",
        world.repository / ".flyte" / "config.yaml",
        *(Path(environ[variable]) for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG") if variable in environ),
        world.home / ".union" / "config.yaml",
        world.home / ".flyte" / "config.yaml",
    ]


# Places


def test_nothing_found(world: World) -> None:
    """Without a file and without variables there are no settings, and that is no error."""
    assert world.load() == Config()


def test_order(world: World) -> None:
    """Each place comes before those after it; each file is found once those before it are gone."""
    environ = {name: str(world.write(world.home / name, "")) for name in ("UCTL_CONFIG", "FLYTECTL_CONFIG")}
    order = places(world, environ)
    for place in order:
        world.write(place, f"admin:\n  endpoint: host{order.index(place)}\n")
    for number, place in enumerate(order):
        found = world.load(**environ)
        assert (found.source, found.endpoint) == (place, f"host{number}")
        place.unlink()
        environ = {name: path for name, path in environ.items() if path != str(place)}
    assert world.load().source is None


@pytest.mark.skipif(shutil.which("git") is None, reason="the SDK asks the git program")
def test_order_is_the_sdks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every set of files that may be there, the file that the SDK would read is the one that is read."""
    shutil.rmtree(world.repository / ".git")
    subprocess.run(["git", "init", "-q", world.repository], check=True)
    for name in [name for name in os.environ if name.startswith(("GIT_", "FLYTE", "UCTL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(world.home))
    monkeypatch.chdir(world.directory)
    variables = {"UCTL_CONFIG": "uctl.yaml", "FLYTECTL_CONFIG": "flytectl.yaml"}
    for there in itertools.product([False, True], repeat=7):
        every = places(world, {name: str(world.home / file) for name, file in variables.items()})
        for place, wanted in zip(every, there, strict=True):
            if wanted:
                world.write(place, "")
            else:
                place.unlink(missing_ok=True)
        for (name, file), wanted in zip(variables.items(), there[3:5], strict=True):
            if wanted:
                monkeypatch.setenv(name, str(world.home / file))
            else:
                monkeypatch.delenv(name, raising=False)
        sdk = sdk_reader.resolve_config_path()
        assert Config.load().source == (None if sdk is None else Path.cwd() / sdk)


def test_named_file(world: World) -> None:
    """A file that is named is read alone: relative to the directory, or to the home directory by ~."""
    world.write(world.directory / "config.yaml", "admin:\n  endpoint: other\n")
    here = world.write(world.directory / "x" / "mine.yaml", "admin:\n  endpoint: here\n")
    home = world.write(world.home / "mine.yaml", "admin:\n  endpoint: home\n")
    for path in ("x/mine.yaml", Path("x", "mine.yaml"), str(here)):
        assert (world.load(path=path).endpoint, world.load(path=path).source) == ("here", here)
    assert world.load(path="~/mine.yaml").source == home


def test_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the variables and the working directory are those of the process."""
    world.write(world.directory / "config.yaml", "admin:\n  endpoint: here\ntask:\n  project: p\n")
    monkeypatch.chdir(world.directory)
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "q")
    found = Config.load()
    assert (found.endpoint, found.project, found.source) == ("here", "q", Path.cwd() / "config.yaml")


def test_variable_names_a_file(world: World) -> None:
    """UCTL_CONFIG and FLYTECTL_CONFIG take relative paths and ~; an empty one counts as not set."""
    here = world.write(world.directory / "x.yaml", "")
    home = world.write(world.home / "x.yaml", "")
    assert world.load(UCTL_CONFIG="x.yaml").source == here
    assert world.load(UCTL_CONFIG="", FLYTECTL_CONFIG="~/x.yaml").source == home
    assert world.load(UCTL_CONFIG="", FLYTECTL_CONFIG="").source is None


@pytest.mark.parametrize("kind", ["folder", "file", "empty folder"])
def test_git_root(world: World, kind: str) -> None:
    """A work tree is known by its .git, a folder or (in worktrees, submodules) a file; an empty folder is none."""
    outer = world.write(world.repository / ".flyte" / "config.yaml", "")
    inner = world.write(world.directory.parent / ".flyte" / "config.yaml", "")
    mark = world.directory.parent / ".git"
    if kind == "folder":
        world.write(mark / "HEAD", "ref: refs/heads/main\n")
    elif kind == "file":
        world.write(mark, "gitdir: /elsewhere\n")
    else:
        mark.mkdir()
    assert world.load().source == (outer if kind == "empty folder" else inner)


def test_nearest_git_root_counts(world: World) -> None:
    """The work tree around a work tree is not looked into."""
    world.write(world.repository / ".flyte" / "config.yaml", "")
    world.write(world.directory / ".git" / "HEAD", "")
    assert world.load().source is None


def test_git_root_behind_a_link(world: World) -> None:
    """The work tree is looked for from where the working directory really is."""
    found = world.write(world.repository / ".flyte" / "config.yaml", "")
    link = world.home / "link"
    link.symlink_to(world.directory)
    assert Config.load(None, {"HOME": str(world.home)}, link).source == Path(os.path.realpath(found))


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="giving a file away takes root")
def test_git_root_of_a_stranger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A work tree of another user doesn't count, unless the working directory is theirs as well."""
    found = world.write(world.repository / ".flyte" / "config.yaml", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    os.chown(world.repository / ".git", 4321, 4321)
    assert world.load().source is None
    os.chown(world.directory, 4321, 4321)
    assert world.load().source == found
    os.chown(world.repository / ".git", 1234, 1234)
    assert world.load().source == found


# Keys and variables

FULL = """\
# a comment
admin:
  endpoint: dns:///localhost:8090
  insecure: true
  insecureSkipVerify: false
  caCertFilePath: ca.pem
task:
  org: acme
  project: "123"
  domain: development
console:
  endpoint: https://console.example.com
image:
  builder: local
local: {persistence: true}
logger: !custom [1, 2]
"""


def test_every_key(world: World) -> None:
    """Every key is read, and what belongs to other tools is left alone, tags of theirs included."""
    world.write(world.directory / "ca.pem", "")
    assert world.load(FULL) == Config(
        endpoint="dns:///localhost:8090",
        insecure=True,
        insecure_skip_verify=False,
        ca_cert_file_path=str(world.directory / "ca.pem"),
        org="acme",
        project="123",
        domain="development",
        console_endpoint="https://console.example.com",
        source=world.directory / "config.yaml",
    )


VARIABLES: dict[str, tuple[str, str, Any]] = {
    "FLYTE_ADMIN_ENDPOINT": ("endpoint", "other:1", "other:1"),
    "FLYTE_ADMIN_INSECURE": ("insecure", "no", False),
    "FLYTE_ADMIN_INSECURESKIPVERIFY": ("insecure_skip_verify", "1", True),
    "FLYTE_TASK_ORG": ("org", "o", "o"),
    "FLYTE_TASK_PROJECT": ("project", "1", "1"),
    "FLYTE_TASK_DOMAIN": ("domain", "d", "d"),
    "FLYTE_CONSOLE_ENDPOINT": ("console_endpoint", "c:2", "c:2"),
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_variable_wins(world: World, variable: str) -> None:
    """A variable overrides its key, and no other, also where there is no file; an empty one leaves the key as it is."""
    field, text, value = VARIABLES[variable]
    assert world.load(**{variable: text}) == Config(**{field: value})
    content = FULL.replace("  caCertFilePath: ca.pem\n", "")
    plain, other = world.load(content), world.load(content, **{variable: text})
    assert getattr(other, field) == value != getattr(plain, field)
    assert [f.name for f in fields(Config) if getattr(plain, f.name) != getattr(other, f.name)] == [field]
    assert world.load(content, **{variable: ""}) == plain


def test_names_are_the_sdks() -> None:
    """The variables, of keys read and of keys refused, are those of the SDK, aliases included."""
    from flyteapps import config

    ours: dict[str, tuple[str, ...]] = dict.fromkeys(config._KEYS, ())  # pyright: ignore[reportPrivateUsage]
    ours |= config._AUTHENTICATION  # pyright: ignore[reportPrivateUsage]  # compared with the SDK's own table
    assert ours.pop("admin.apiKey") == (
        "FLYTE_API_KEY",
        "UNION_API_KEY",
    )  # not in its table: init_from_api_key reads it
    sdk = {
        entry.yaml_entry.switch: entry.yaml_entry.aliases
        for group in (sdk_keys.Platform, sdk_keys.Credentials, sdk_keys.Task)
        for entry in vars(group).values()
        if isinstance(entry, sdk_reader.ConfigEntry)
    }
    del sdk["admin.disableKeyring"]  # no token is kept here, so either value is obeyed
    assert ours == sdk


def test_ca_file(world: World) -> None:
    """The certificate's path starts from the working directory, wherever the file of the setting is; ~ is home."""
    world.write(world.home / "ca.pem", "")
    ca = world.write(world.directory / "tls" / "ca.pem", "")
    content = "admin:\n  caCertFilePath: tls/ca.pem\n"
    elsewhere = world.write(world.home / "c.yaml", content)
    assert world.load(path=elsewhere).ca_cert_file_path == str(ca)
    assert world.load(FLYTE_ADMIN_CACERTFILEPATH=str(ca)).ca_cert_file_path == str(ca)
    assert world.load(FLYTE_ADMIN_CACERTFILEPATH="~/ca.pem").ca_cert_file_path == str(world.home / "ca.pem")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("true", "True", "TRUE", "yes", "on", "1", '"true"', '"1"', "'YES'")),
        *((text, False) for text in ("false", "False", "no", "off", "Off", "0", '"false"', "'0'", "'No'")),
        *((text, None) for text in ("", "~", "null", '""')),
    ],
)
def test_booleans(world: World, text: str, value: bool | None) -> None:
    """Booleans are read in every spelling of YAML and in quotes; nothing says nothing."""
    assert world.load(f"admin:\n  insecure: {text}\n").insecure is value
    plain = text.strip("'\"")
    if plain not in ("~", "null"):
        assert world.load("", FLYTE_ADMIN_INSECURE=plain).insecure is value


@pytest.mark.parametrize("text", ["maybe", "2", "1.0", "y", "truee", "[true]", "{a: true}", "!mine true", "' true'"])
def test_no_boolean(world: World, text: str) -> None:
    """What is no boolean is refused, with its place and what would be valid."""
    message = world.refused(f"admin:\n  endpoint: h\n  insecure: {text}\n")
    assert message.startswith("FILE, line 3: admin.insecure is ") and message.endswith(": it should be true or false")
    message = world.refused("", FLYTE_ADMIN_INSECURESKIPVERIFY="maybe")
    assert message == "variable FLYTE_ADMIN_INSECURESKIPVERIFY is 'maybe': it should be true or false"


@pytest.mark.parametrize(
    "content",
    ["", "# nothing\n", "---\n", "null\n", "{}\n", "admin:\n", "admin: {}\ntask: ~\n", "\ufeff", "other: [1]\n"],
)
def test_empty(world: World, content: str) -> None:
    """A file without anything of ours has no settings."""
    assert world.load(content) == Config(source=world.directory / "config.yaml")


def test_empty_values(world: World) -> None:
    """A key without a value, or with an empty one, says nothing, authentication included."""
    content = "admin: {endpoint: , clientId: '', command: [], scopes: ~}\ntask: {org: '', project: ~, domain: }\n"
    assert world.load(content) == Config(source=world.directory / "config.yaml")


def test_yaml_at_length(world: World) -> None:
    """A byte order mark, line ends of Windows, anchors, merged keys (own ones win) and tags are read."""
    content = """\
first: &first {project: p1, domain: d1}
second: &second {project: p2, org: o2}
task:
  <<: [*first, *second]
  domain: own
admin: &admin
  endpoint: !!str 'localhost:1'
console: *admin
"""
    found = world.load("\ufeff" + content.replace("\n", "\r\n"))
    assert (found.project, found.domain, found.org) == ("p1", "own", "o2")
    assert (found.endpoint, found.console_endpoint) == ("localhost:1", "localhost:1")


def test_merges_in_a_circle(world: World) -> None:
    """Merged keys that go round in a circle, or double at each step, end."""
    circle = "task: &t\n  project: p\n  <<: *t\n"
    assert world.load(circle).project == "p"
    bomb = "x0: &x0 {project: p}\n" + "".join(f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}]}}\n" for n in range(1, 60))
    assert world.load(bomb + "task: *x59\n").project == "p"


# What is refused

BAD_FILES = [
    ("a: [\n", "FILE, line 2: is not YAML: expected the node content, but found '<stream end>'"),
    ("a: b\n\tc: d\n", "FILE, line 2: is not YAML: found character '\\t' that cannot start any token"),
    ("a: b\n- x\n", "FILE, line 2: is not YAML: expected <block end>, but found '-'"),
    ("a: *x\n", "FILE, line 1: is not YAML: found undefined alias 'x'"),
    ("a: b\n---\nc: d\n", "FILE, line 2: is not YAML: but found another document"),
    ("a: b\nc: \x01\n", "FILE, line 2: is not YAML: special characters are not allowed"),
    ('a: "\\UFFFFFFFF"\n', "FILE: is not YAML: "),
    ("%YAML " + "9" * 5000 + ".1\n---\na: b\n", "FILE: is not YAML: "),
    ("[" * 5000, "FILE: is nested too deeply"),
    (b"a: b\nc: \xff\n", "FILE, line 2: is not UTF-8, as a configuration file should be"),
    ("a: b\n".encode("utf-16"), "FILE, line 1: is not UTF-8, as a configuration file should be"),
    ("- a\n", "FILE, line 1: the file should be a mapping, with keys such as admin, task, console"),
    ("\n\nhello\n", "FILE, line 3: the file should be a mapping, with keys such as admin, task, console"),
    ("a: b\ntask: detect\n", "FILE, line 2: task should be a mapping, with keys such as org, project, domain"),
    ("admin:\n- endpoint: h\n", "FILE, line 1: admin should be a mapping, with keys such as endpoint, insecure, "),
    ("console: http://h\n", "FILE, line 1: console should be a mapping, with keys such as endpoint"),
    ("task:\n  <<: p\n", "FILE, line 2: task.<< should be a mapping, with keys such as org, project, domain"),
    ("task: {}\na: b\ntask: {}\n", "FILE, line 3: task is in line 1 as well: remove one of them"),
    (
        "admin:\n  endpoint: h\n  insecure: on\n  endpoint: h\n",
        "FILE, line 4: admin.endpoint is in line 2 as well: remove one of them",
    ),
    ("Admin:\n  endpoint: h\n", "FILE, line 1: Admin should be spelled admin"),
    (
        "admin:\n  insecure_skip_verify: on\n",
        "FILE, line 2: admin.insecure_skip_verify should be spelled admin.insecureSkipVerify",
    ),
    ("admin:\n  client-id: me\n", "FILE, line 2: admin.client-id should be spelled admin.clientId"),
    ("task:\n  Project: p\n", "FILE, line 2: task.Project should be spelled task.project"),
    (
        "task:\n  project: 123\n",
        'FILE, line 2: task.project is the number 123: it should be a name, in quotes if that is one: "123"',
    ),
    (
        "task:\n  project: 1.0\n",
        "FILE, line 2: task.project is the number 1.0: it should be a name, in quotes if that ",
    ),
    ("task:\n  domain: on\n", "FILE, line 2: task.domain is the boolean on: it should be a name, in quotes if that is"),
    ("task:\n  org: 2024-01-01\n", "FILE, line 2: task.org is the date 2024-01-01: it should be a name, in quotes if"),
    ("task:\n  project:\n  - p\n", "FILE, line 2: task.project is a list: it should be a name"),
    ("task:\n  project:\n    a: p\n", "FILE, line 2: task.project is a mapping: it should be a name"),
    ("task:\n  project: !env P\n", "FILE, line 2: task.project is 'P' with the tag !env: it should be a name"),
    ("task:\n  project: ' p'\n", "FILE, line 2: task.project has a space at an end, or a control character: it should"),
    (
        "task:\n  project: |\n    p\n",
        "FILE, line 2: task.project has a space at an end, or a control character: it should",
    ),
    (
        "admin:\n  endpoint: 8090\n",
        "FILE, line 2: admin.endpoint is the number 8090: it should be an endpoint, such as ",
    ),
    ("admin:\n  endpoint: [h]\n", "FILE, line 2: admin.endpoint is a list: it should be an endpoint, such as "),
    ("admin:\n  endpoint: ftp://h\n", "FILE, line 2: admin.endpoint 'ftp://h' has the scheme 'ftp': it should be "),
    ("admin:\n\n  endpoint:\n    h/v2\n", "FILE, line 3: admin.endpoint 'h/v2' has a path, and an endpoint is a host"),
    ("console:\n  endpoint: http://h/v2\n", "FILE, line 2: console.endpoint 'http://h/v2' has a path, and an endpoint"),
    (
        "admin:\n  caCertFilePath: 1\n",
        "FILE, line 2: admin.caCertFilePath is the number 1: it should be the path of a PEM",
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES)
def test_bad_file(world: World, content: str | bytes, message: str) -> None:
    """A bad file is refused with its path, the line, the key, and what would be valid."""
    assert world.refused(content).startswith(message)


@pytest.mark.parametrize(("endpoint", "insecure"), [("http://h", "false"), ("https://h", "true")])
def test_contradiction(world: World, endpoint: str, insecure: str) -> None:
    """A scheme that contradicts admin.insecure is refused, and both settings are named, wherever they are."""
    message = world.refused(f"admin:\n  endpoint: {endpoint}\n  insecure: {insecure}\n")
    assert message.startswith(f"FILE, line 2: admin.endpoint '{endpoint}' contradicts insecure={insecure.title()}")
    assert message.endswith("; FILE, line 3: admin.insecure sets insecure")
    message = world.refused(f"admin:\n  insecure: {insecure}\n", FLYTE_ADMIN_ENDPOINT=endpoint)
    assert message.startswith(f"variable FLYTE_ADMIN_ENDPOINT '{endpoint}' contradicts")
    assert message.endswith("; FILE, line 2: admin.insecure sets insecure")
    message = world.refused(f"admin:\n  endpoint: {endpoint}\n", FLYTE_ADMIN_INSECURE=insecure)
    assert message.endswith("; variable FLYTE_ADMIN_INSECURE sets insecure")
    assert world.load("", FLYTE_ADMIN_INSECURE=insecure, FLYTE_CONSOLE_ENDPOINT=endpoint).console_endpoint == endpoint


def test_missing_certificate(world: World) -> None:
    """A certificate file that isn't there, or is a directory, is refused."""
    (world.directory / "tls").mkdir()
    message = world.refused("admin:\n  caCertFilePath: ca.pem\n")
    assert message == (
        f"FILE, line 2: admin.caCertFilePath names {world.directory / 'ca.pem'}, which does not exist: "
        "it should be the path of a PEM file"
    )
    message = world.refused("", FLYTE_ADMIN_CACERTFILEPATH="tls")
    assert message.endswith(
        f"CACERTFILEPATH: the file {world.directory / 'tls'} is a directory: it should be a PEM file"
    )


AUTHENTICATION = {
    "apiKey": "secret",
    "command": "[secret]",
    "proxyCommand": "[secret]",
    "clientId": "secret",
    "clientSecretLocation": "/secret",
    "clientSecretEnvVar": "SECRET",
    "scopes": "[secret]",
    "authType": "Pkce",
    "httpProxyURL": "http://me:secret@proxy",
}


@pytest.mark.parametrize("name", AUTHENTICATION)
def test_authentication_in_a_file(world: World, name: str) -> None:
    """Settings of authentication are refused, never ignored, and their values not repeated."""
    message = world.refused(f"admin:\n  endpoint: h\n  {name}: {AUTHENTICATION[name]}\n")
    assert message == (
        f"FILE, line 3: admin.{name} is a setting of authentication, which is not supported yet: remove it, and send "
        f"a token by Client(endpoint, headers=...)"
    )


@pytest.mark.parametrize(
    "variable",
    [
        *(f"FLYTE_ADMIN_{name.upper()}" for name in AUTHENTICATION),
        *("FLYTE_AUTH_COMMAND", "FLYTE_AUTH_PROXY_COMMAND", "FLYTE_AUTH_TYPE", "FLYTE_API_KEY", "UNION_API_KEY"),
    ],
)
def test_authentication_in_a_variable(world: World, variable: str) -> None:
    """Variables of authentication are refused as well, with a file and without; an empty one counts as not set."""
    for content in (None, "admin:\n  endpoint: h\n"):
        message = world.refused(content, **{variable: "secret"})
        assert message == (
            f"variable {variable} is a setting of authentication, which is not supported yet: unset it, and send a "
            f"token by Client(endpoint, headers=...)"
        )
        assert world.load(content, **{variable: ""})


def test_a_client_of_its_own_reads_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that happens to be set matters where the configuration is read, and nowhere else."""
    monkeypatch.setenv("FLYTE_API_KEY", "secret")
    assert flyteapps.Client("localhost:8090").settings.headers == {}
    with pytest.raises(ConfigError, match="FLYTE_API_KEY"):
        flyteapps.init_from_config()


def test_neighbours_of_authentication(world: World) -> None:
    """Keys that the SDK reads for itself alone, and keys of flytectl, are left alone."""
    content = "admin:\n  endpoint: h\n  disableKeyring: true\n  maxRetries: 3\n  authorizationHeader: x\n"
    assert world.load(content).endpoint == "h"


def test_named_file_is_missing(world: World) -> None:
    """A file that somebody named has to be there, and to be a file; the message says who named it."""
    (world.directory / "folder").mkdir()
    valid = ": name a YAML file, or none to search the usual places"
    assert world.refused(path="x.yaml") == f"the configuration file {world.directory / 'x.yaml'} does not exist{valid}"
    folder = f"configuration file {world.directory / 'folder'} is a directory: it should be a YAML file"
    assert world.refused(path="folder") == f"the {folder}"
    assert (
        world.refused(path="") == f"the configuration file {world.directory} is a directory: it should be a YAML file"
    )
    for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
        message = world.refused(**{variable: "/no/such/x.yaml"})
        assert message == f"variable {variable}: the configuration file /no/such/x.yaml does not exist{valid}"
        assert world.refused(**{variable: "folder"}) == f"variable {variable}: the {folder}"


def test_folder_in_place_of_a_file(world: World) -> None:
    """A directory called config.yaml, as container engines make for a mount that fails, is not taken for no file."""
    (world.directory / "config.yaml").mkdir()
    assert world.refused() == "the configuration file FILE is a directory: it should be a YAML file"


@pytest.mark.parametrize("path", [1, b"\xff", ["x"], object()])
def test_named_file_is_no_path(world: World, path: Any) -> None:
    """What is no path is refused."""
    assert world.refused(path=path).startswith("the configuration file ")


def test_impossible_paths(world: World) -> None:
    """A path that no system takes, one too long and a link in a circle are refused."""
    assert "is no path: " in world.refused(path="a\0b")
    assert "can't be read: " in world.refused(path="x" * 5000)
    link = world.directory / "config.yaml"
    link.symlink_to(link)
    assert world.refused().startswith("the configuration file FILE can't be read: ")
    link.unlink()
    assert (
        "is no path" in world.refused('admin:\n  caCertFilePath: "a\\0b"\n') or "control character" in world.refused()
    )


@pytest.mark.parametrize("call", ["stat", "read"])
def test_unreadable(world: World, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A file that may not be looked at, or not be read, is refused rather than passed over."""
    world.write(world.directory / "config.yaml", "")

    def denied(path: Any, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "stat", denied) if call == "stat" else (Path, "read_bytes", denied)))
        with pytest.raises(ConfigError) as refused:
            world.load()
    message = f"the configuration file {world.directory / 'config.yaml'} can't be read: Permission denied"
    assert str(refused.value) == message
    assert isinstance(refused.value.__cause__, PermissionError)


def test_no_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that is gone is an error of ours."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="the working directory can't be used"):
        Config.load()


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.one_of(
        st.text(),
        st.binary().map(lambda data: data.decode("latin-1")),
        st.lists(
            st.sampled_from(
                ["admin", "task", "project", "endpoint", ":", " ", "\n", "\n  ", "- ", "&a", "*a", "<<", "{", "}"]
            ),
            max_size=20,
        ).map("".join),
    )
)
def test_any_file(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    """Any content is a Config or a ConfigError."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        assert Config.load(path, {"HOME": "/nowhere"}).source == path
    except ConfigError as error:
        assert str(path) in error.message


def test_yaml_is_imported_late() -> None:
    """Without a file PyYAML is not imported."""
    program = (
        "import sys, flyteapps; flyteapps.Config.load(None, {'HOME': '/nowhere'}, '/'); print('yaml' in sys.modules)"
    )
    import flyteapps

    root = str(Path(flyteapps.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


# The SDK


SAME = [
    "",
    "admin:\n  endpoint: dns:///localhost:8090\n  insecure: true\ntask:\n  org: o\n  project: p\n  domain: d\n",
    "admin:\n  endpoint: https://h\n  insecure: false\n  insecureSkipVerify: yes\n",
    "admin: {endpoint: h}\nconsole: {endpoint: 'https://c'}\nimage: {builder: remote}\n",
    "base: &b {org: o, project: p}\ntask:\n  <<: *b\n  project: q\n",
    "c: &c {org: c}\na: &a {<<: *c, project: a}\nb: &b {org: b, project: b, domain: b}\ntask: {<<: [*a, *b]}\n",
    "admin:\ntask: {org: '', project: ~, domain: d}\n",
]


def sdk_view(path: Path) -> Config:
    """What the SDK reads, as a Config."""
    read = flyte.config.auto(str(path))
    platform = read.platform
    return Config(
        endpoint=platform.endpoint,
        insecure=platform.insecure,
        insecure_skip_verify=platform.insecure_skip_verify,
        ca_cert_file_path=platform.ca_cert_file_path,
        org=read.task.org,
        project=read.task.project,
        domain=read.task.domain,
        console_endpoint=platform.console_endpoint,
        source=path,
    )


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of Flyte's variables is set, and the SDK remembers no file."""
    for name in [name for name in os.environ if name.startswith(("FLYTE", "UCTL"))]:
        monkeypatch.delenv(name)
    sdk_reader.get_config_file.cache_clear()


@pytest.mark.usefixtures("no_variables")
@pytest.mark.parametrize("content", SAME)
def test_reads_what_the_sdk_reads(world: World, content: str) -> None:
    """A right file says to the SDK what it says to us, but that we tell an absent `insecure` from a false one."""
    path = world.write(world.home / "c.yaml", content)
    ours, sdk = world.load(path=path), sdk_view(path)
    assert ours.insecure or not sdk.insecure
    assert [getattr(ours, f.name) for f in fields(Config) if f.name != "insecure"] == [
        getattr(sdk, f.name) for f in fields(Config) if f.name != "insecure"
    ]


@pytest.mark.usefixtures("no_variables")
def test_differs_from_the_sdk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where we differ on purpose the SDK still does what our documentation says that it does."""

    def read(content: str) -> Config:
        sdk_reader.get_config_file.cache_clear()
        return sdk_view(world.write(world.home / "c.yaml", content))

    assert read("admin: {insecure: 'false'}\n").insecure == "false"  # a text, and so true
    assert read("admin: [\n").endpoint is None  # passed over, with a warning
    assert read("admin: {endpoint: 8090}\n").endpoint == 8090
    assert read("task: {project: p}\ntask: {}\n").project is None
    assert read("task: detect\n").project is None
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "")
    assert read("task: {project: p}\n").project is None  # an empty variable hides the key
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "q")
    assert read("task: {project: p}\n").project == "q"
    monkeypatch.setenv("HOME", str(world.home))
    monkeypatch.chdir(world.directory)
    sdk_reader.get_config_file.cache_clear()
    assert flyte.config.auto().task.project is None  # without a file variables are not looked at
    sdk_reader.get_config_file.cache_clear()


def test_console_of_a_configuration(world: World) -> None:
    """console.endpoint is where links lead; the SDK reads that key, and its links don't."""
    found = world.load("admin: {endpoint: h, insecure: true}\nconsole: {endpoint: 'c:81'}\n")
    assert found.endpoint is not None
    url = Console(found.endpoint, bool(found.insecure), found.console_endpoint).app_url("p", "d", "n")
    assert url == "http://c:81/v2/domain/d/project/p/apps/n"
