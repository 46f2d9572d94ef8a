"""Config: the keys and the variables, and the errors for invalid ones."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from flyte.config import _internal as sdk_keys
from flyte.config import _reader as sdk_reader
from hypothesis import given, settings
from hypothesis import strategies as st

import flyteapps
from flyteapps.auth.configuration import AUTH_KEYS
from flyteapps.config import Config
from flyteapps.errors import ConfigError

from .configuration import Files

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


def test_every_key(files: Files) -> None:
    """Every key is read, and what belongs to other tools is left alone, tags of theirs included."""
    files.write(files.directory / "ca.pem", "")
    assert files.load(FULL) == Config(
        endpoint="dns:///localhost:8090",
        insecure=True,
        insecure_skip_verify=False,
        ca_cert_file_path=str(files.directory / "ca.pem"),
        org="acme",
        project="123",
        domain="development",
        console_endpoint="https://console.example.com",
        source=files.directory / "config.yaml",
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
def test_variable_wins(files: Files, variable: str) -> None:
    """A variable overrides its key, and no other, also where there is no file; an empty one leaves the key as it is."""
    field, text, value = VARIABLES[variable]
    assert files.load(**{variable: text}) == Config(**{field: value})
    content = FULL.replace("  caCertFilePath: ca.pem\n", "")
    plain, other = files.load(content), files.load(content, **{variable: text})
    assert getattr(other, field) == value != getattr(plain, field)
    assert [f.name for f in fields(Config) if getattr(plain, f.name) != getattr(other, f.name)] == [field]
    assert files.load(content, **{variable: ""}) == plain


def test_names_are_the_sdks() -> None:
    """The keys and the variables are those of the SDK, aliases included."""
    from flyteapps import config

    ours: dict[str, tuple[str, ...]] = dict.fromkeys(config._KEYS, ())  # pyright: ignore[reportPrivateUsage]
    ours |= AUTH_KEYS
    # not in its table: init_from_api_key reads it
    assert ours.pop("admin.apiKey") == ("FLYTE_API_KEY", "UNION_API_KEY")
    for name in ("audience", "authorizationHeader", "tokenUrl"):  # flytectl's
        assert ours.pop(f"admin.{name}") == ()
    sdk = {
        entry.yaml_entry.switch: entry.yaml_entry.aliases
        for group in (sdk_keys.Platform, sdk_keys.Credentials, sdk_keys.Task)
        for entry in vars(group).values()
        if isinstance(entry, sdk_reader.ConfigEntry)
    }
    assert ours == sdk


def test_ca_file(files: Files) -> None:
    """The certificate's path starts from the working directory, wherever the file of the setting is; ~ is home."""
    files.write(files.home / "ca.pem", "")
    ca = files.write(files.directory / "tls" / "ca.pem", "")
    content = "admin:\n  caCertFilePath: tls/ca.pem\n"
    elsewhere = files.write(files.home / "c.yaml", content)
    assert files.load(path=elsewhere).ca_cert_file_path == str(ca)
    assert files.load(FLYTE_ADMIN_CACERTFILEPATH=str(ca)).ca_cert_file_path == str(ca)
    assert files.load(FLYTE_ADMIN_CACERTFILEPATH="~/ca.pem").ca_cert_file_path == str(files.home / "ca.pem")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("true", "True", "TRUE", "yes", "on", "1", '"true"', '"1"', "'YES'")),
        *((text, False) for text in ("false", "False", "no", "off", "Off", "0", '"false"', "'0'", "'No'")),
        *((text, None) for text in ("", "~", "null", '""')),
    ],
)
def test_booleans(files: Files, text: str, value: bool | None) -> None:
    """Booleans are read in every spelling of YAML and in quotes; nothing says nothing."""
    assert files.load(f"admin:\n  insecure: {text}\n").insecure is value
    plain = text.strip("'\"")
    if plain not in ("~", "null"):
        assert files.load("", FLYTE_ADMIN_INSECURE=plain).insecure is value


@pytest.mark.parametrize("text", ["maybe", "2", "1.0", "y", "truee", "[true]", "{a: true}", "!mine true", "' true'"])
def test_no_boolean(files: Files, text: str) -> None:
    """Another value is rejected, with its place and the valid ones."""
    message = files.refused(f"admin:\n  endpoint: h\n  insecure: {text}\n")
    assert message.startswith("FILE, line 3: admin.insecure is ") and message.endswith(": it should be true or false")
    message = files.refused("", FLYTE_ADMIN_INSECURESKIPVERIFY="maybe")
    assert message == "variable FLYTE_ADMIN_INSECURESKIPVERIFY is 'maybe': it should be true or false"


@pytest.mark.parametrize(
    "content",
    ["", "# nothing\n", "---\n", "null\n", "{}\n", "admin:\n", "admin: {}\ntask: ~\n", "\ufeff", "other: [1]\n"],
)
def test_empty(files: Files, content: str) -> None:
    """A file without anything of ours has no settings."""
    assert files.load(content) == Config(source=files.directory / "config.yaml")


def test_empty_values(files: Files) -> None:
    """A key without a value, or with an empty one, says nothing, authentication included."""
    content = "admin: {endpoint: , clientId: '', command: [], scopes: ~}\ntask: {org: '', project: ~, domain: }\n"
    assert files.load(content) == Config(source=files.directory / "config.yaml")


def test_yaml_at_length(files: Files) -> None:
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
    found = files.load("\ufeff" + content.replace("\n", "\r\n"))
    assert (found.project, found.domain, found.org) == ("p1", "own", "o2")
    assert (found.endpoint, found.console_endpoint) == ("localhost:1", "localhost:1")


def test_merges_in_a_circle(files: Files) -> None:
    """Merged keys that go round in a circle, or double at each step, end."""
    circle = "task: &t\n  project: p\n  <<: *t\n"
    assert files.load(circle).project == "p"
    bomb = "x0: &x0 {project: p}\n" + "".join(f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}]}}\n" for n in range(1, 60))
    assert files.load(bomb + "task: *x59\n").project == "p"


BAD_FILES = [
    ("a: [\n", "FILE, line 2: is not YAML: expected the node content, but found '<stream end>'"),
    ("a: b\n\tc: d\n", "FILE, line 2: is not YAML: found character '\\t' that cannot start any token"),
    ("a: b\n- x\n", "FILE, line 2: is not YAML: expected <block end>, but found '-'"),
    ("a: *x\n", "FILE, line 1: is not YAML: found undefined alias 'x'"),
    ("a: b\n---\nc: d\n", "FILE, line 2: is not YAML: but found another document"),
    ("a: b\nc: \x01\n", "FILE, line 2: is not YAML: special characters are not allowed"),
    ('a: "\\UFFFFFFFF"\n', "FILE: is not YAML: "),
    ("%YAML " + "9" * 5000 + ".1\n---\na: b\n", "FILE: is not YAML: "),
    ("[\n" * 2000, "FILE: is nested too deeply"),
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
def test_bad_file(files: Files, content: str | bytes, message: str) -> None:
    """A bad file is refused with its path, the line, the key, and what would be valid."""
    assert files.refused(content).startswith(message)


@pytest.mark.parametrize(("endpoint", "insecure"), [("http://h", "false"), ("https://h", "true")])
def test_contradiction(files: Files, endpoint: str, insecure: str) -> None:
    """A scheme that contradicts admin.insecure is refused, and both settings are named, wherever they are."""
    message = files.refused(f"admin:\n  endpoint: {endpoint}\n  insecure: {insecure}\n")
    assert message.startswith(f"FILE, line 2: admin.endpoint '{endpoint}' contradicts insecure={insecure.title()}")
    assert message.endswith("; FILE, line 3: admin.insecure sets insecure")
    message = files.refused(f"admin:\n  insecure: {insecure}\n", FLYTE_ADMIN_ENDPOINT=endpoint)
    assert message.startswith(f"variable FLYTE_ADMIN_ENDPOINT '{endpoint}' contradicts")
    assert message.endswith("; FILE, line 2: admin.insecure sets insecure")
    message = files.refused(f"admin:\n  endpoint: {endpoint}\n", FLYTE_ADMIN_INSECURE=insecure)
    assert message.endswith("; variable FLYTE_ADMIN_INSECURE sets insecure")
    assert files.load("", FLYTE_ADMIN_INSECURE=insecure, FLYTE_CONSOLE_ENDPOINT=endpoint).console_endpoint == endpoint


def test_missing_certificate(files: Files) -> None:
    """A certificate file that isn't there, or is a directory, is refused."""
    (files.directory / "tls").mkdir()
    message = files.refused("admin:\n  caCertFilePath: ca.pem\n")
    assert message == (
        f"FILE, line 2: admin.caCertFilePath names {files.directory / 'ca.pem'}, which does not exist: "
        "it should be the path of a PEM file"
    )
    message = files.refused("", FLYTE_ADMIN_CACERTFILEPATH="tls")
    assert message.endswith(
        f"CACERTFILEPATH: the file {files.directory / 'tls'} is a directory: it should be a PEM file"
    )


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

    root = str(Path(flyteapps.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
