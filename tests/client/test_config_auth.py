"""Config: the keys and variables of authentication, and the credentials that they make."""

from __future__ import annotations

import base64
from typing import Any

import pytest

import flyteapps
from client.test_secrets import shown
from flyteapps import Client
from flyteapps.auth import ApiKey, ClientSecret, DeviceFlow, ExternalCommand, Passthrough, Pkce
from flyteapps.auth.configuration import AUTH_KEYS, NOT_SERVED, AuthConfig
from flyteapps.config import Config
from flyteapps.errors import ConfigError

from .configuration import Files

KEY = base64.b64encode(b"key.example.org:8090:me:very-secret:acme").decode()
TOKEN = "very-secret"


def auth_of(config: Config) -> Any:
    """Return the source of credentials of a configuration's client."""
    session = Client.from_config(config).settings.auth
    return session.auth if session is not None else None


def test_each_type_makes_its_credentials(files: Files) -> None:
    """The file's values get there."""
    files.write(files.directory / "secret", f"{TOKEN}\n")
    cases: dict[str, tuple[str, type[Any]]] = {
        "authType: ClientSecret, clientId: me, clientSecretLocation: secret": ("me", ClientSecret),
        "clientId: me, clientSecretLocation: secret": ("me", ClientSecret),
        "authType: Pkce, clientId: me, clientSecretLocation: secret": ("me", ClientSecret),  # as in the SDK
        "authType: ExternalCommand, command: [uctl, get-token]": ("uctl", ExternalCommand),
        "command: [uctl, get-token]": ("uctl", ExternalCommand),
        "authType: Passthrough": ("", Passthrough),
        "authType: Pkce": ("", Pkce),
        "authType: DeviceFlow": ("", DeviceFlow),
        f"apiKey: {KEY}, authType: Pkce": ("me", ApiKey),
    }
    for content, (text, kind) in cases.items():
        endpoint = "" if "apiKey" in content else "endpoint: h, "
        auth = auth_of(files.load(f"admin: {{{endpoint}{content}}}\n"))
        assert type(auth) is kind and text in repr(auth) and TOKEN not in repr(auth)


def test_without_a_type_a_login_of_before_counts(files: Files) -> None:
    """With TLS; it is looked for when the plane refuses a call, and no browser is opened."""
    auth = auth_of(files.load("admin: {endpoint: h}\n"))
    assert type(auth) is Pkce and auth.on_refusal and not auth._interactive  # pyright: ignore[reportPrivateUsage]
    assert auth_of(files.load("admin: {endpoint: h, insecure: true}\n")) is None


def test_a_secret_of_a_variable(files: Files) -> None:
    """The variable that the file names holds it; it precedes the file of a secret."""
    content = "admin: {endpoint: h, clientId: me, clientSecretEnvVar: ROBOT}\n"
    found = files.load(content, ROBOT=f"{TOKEN}\n").auth
    assert found is not None and found.client_secret == TOKEN and TOKEN not in repr(found)
    assert files.refused(content).endswith("names the variable ROBOT, which is not set: set it to the client's secret")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("uctl get-token --audience 'a b'", ["uctl", "get-token", "--audience", "a b"]),
        ('["uctl", "get-token", "a b"]', ["uctl", "get-token", "a b"]),
        ("uctl", ["uctl"]),
    ],
)
def test_commands_are_lists_json_or_quoted(files: Files, text: str, words: list[str]) -> None:
    """By a variable; in a file, too, where a list is usual."""
    for variable in ("FLYTE_AUTH_COMMAND", "FLYTE_ADMIN_COMMAND"):
        found = files.load("", **{variable: text}).auth
        assert found is not None and list(found.command) == words
    found = files.load("", FLYTE_AUTH_PROXY_COMMAND=text).auth
    assert found is not None and list(found.proxy_command) == words


def test_scopes(files: Files) -> None:
    """A list, JSON, or a text with commas or spaces."""
    for text in ("a,b", "a b", '["a", "b"]'):
        found = files.load("", FLYTE_ADMIN_SCOPES=text).auth
        assert found is not None and found.scopes == ("a", "b")


def test_a_variable_wins(files: Files) -> None:
    """And the better name wins over the derived one."""
    content = "admin: {endpoint: h, authType: DeviceFlow}\n"
    found = files.load(content, FLYTE_AUTH_TYPE="Passthrough", FLYTE_ADMIN_AUTHTYPE="Pkce").auth
    assert found is not None and found.auth_type == "Passthrough"


@pytest.mark.parametrize("variable", ["FLYTE_API_KEY", "UNION_API_KEY", "FLYTE_ADMIN_APIKEY"])
def test_an_api_key_names_the_endpoint(files: Files, variable: str) -> None:
    """Instead of the file's, with its org unless there is one; `insecure` of the file is about the other endpoint."""
    config = files.load("admin: {endpoint: h, insecure: true}\n", **{variable: KEY})
    assert (config.endpoint, config.org, config.insecure) == ("key.example.org:8090", "acme", None)
    client = Client.from_config(config)
    assert client.settings.endpoint == "https://key.example.org:8090"
    assert isinstance(client.settings.auth and client.settings.auth.auth, ApiKey)
    assert files.load("task: {org: mine}\n", **{variable: KEY}).org == "mine"


BAD: dict[str, tuple[str, dict[str, str], str]] = {
    "a type": ("authType: very-secret", {}, "authType should be one of Pkce, DeviceFlow, ClientSecret, "),
    "no command": ("authType: ExternalCommand", {}, "is ExternalCommand, and there is none: set admin.command"),
    "no secret": ("authType: ClientSecret, clientId: me", {}, "and there is no secret: set admin.clientSecretLocation"),
    "no id": ("clientSecretEnvVar: X", {"X": "very-secret"}, "needs a client: set admin.clientId"),
    "no secret file": ("clientId: a, clientSecretLocation: nowhere", {}, "nowhere, which does not exist"),
    "a mapping": ("command: {a: b}", {}, "command should be a command: a list of strings"),
    "nested lists": ("command: [[very-secret]]", {}, "command should be a command: a list of strings"),
    "an open quote": ("", {"FLYTE_AUTH_COMMAND": "x 'very-secret"}, "FLYTE_AUTH_COMMAND should be a command"),
    "no strings": ("", {"FLYTE_AUTH_COMMAND": '["very-secret", 3]'}, "FLYTE_AUTH_COMMAND should be a command"),
    "a header": ("authorizationHeader: 'very-secret: x'", {}, "should be the name of a header"),
    "a boolean": ("disableKeyring: perhaps", {}, "admin.disableKeyring is 'perhaps': it should be true or false"),
    "a key": ("apiKey: very-secret", {}, "admin.apiKey is no API key: it should be base64 of"),
    "a key's variable": ("", {"FLYTE_API_KEY": "very-secret"}, "variable FLYTE_API_KEY is no API key"),
    "two endpoints": (f"endpoint: h, apiKey: {KEY}", {}, "is for the endpoint key.example.org:8090, and "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings(files: Files, case: str) -> None:
    """Each is refused with its place, and without its value."""
    content, variables, text = BAD[case]
    files.write(files.directory / "config.yaml", f"admin: {{{content}}}\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(None, {"HOME": str(files.home), **variables}, files.directory)
    assert text in caught.value.message
    assert TOKEN not in shown(caught.value) and KEY not in shown(caught.value)


@pytest.mark.parametrize("key", NOT_SERVED)
def test_a_key_that_is_not_served(files: Files, key: str) -> None:
    """A key of authentication that is flytectl's alone is an error, and so is its variable."""
    name = key.partition(".")[2]
    assert "that is not served: remove it; " in files.refused(f"admin: {{endpoint: h, {name}: very-secret}}\n")
    variable = f"FLYTE_ADMIN_{name.upper()}"
    assert f"variable {variable} is a setting" in files.refused("", **{variable: "x"})


def test_keys_of_other_tools_are_left_alone(files: Files) -> None:
    """Keys that are not about authentication are nobody's error."""
    assert files.load("admin:\n  endpoint: h\n  maxRetries: 3\n  defaultServiceConfig: x\n").endpoint == "h"


def test_a_client_of_its_own_reads_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that happens to be set matters where the configuration is read, and nowhere else."""
    monkeypatch.setenv("FLYTE_API_KEY", "very-secret")
    assert flyteapps.Client("localhost:8090").settings.auth is None
    with pytest.raises(ConfigError, match="FLYTE_API_KEY"):
        flyteapps.init_from_config()


def test_a_table_of_the_docs_has_every_key(pages: str) -> None:
    """docs/login.md names every key and variable of the SDK, and those of flytectl that we know."""
    from flyte.config import _internal, _reader

    sdk = [
        (entry.yaml_entry.switch, entry.yaml_entry.env_names())
        for group in vars(_internal).values()
        if isinstance(group, type)
        for entry in vars(group).values()
        if isinstance(entry, _reader.ConfigEntry)
    ]
    assert len(sdk) > 20
    for switch, names in [*sdk, *AUTH_KEYS.items(), *((key, ()) for key in NOT_SERVED)]:
        [row] = [line for line in pages.splitlines() if line.startswith(f"| `{switch}` |")]
        assert all(f"`{name}`" in row for name in names), (switch, names)


@pytest.fixture
def pages() -> str:
    """The page with the table."""
    from import_graph import ROOT

    return (ROOT / "docs" / "login.md").read_text(encoding="utf-8")


def test_nothing_is_a_config_without_credentials() -> None:
    """The defaults make none."""
    assert AuthConfig().options(stored=False) == {}
