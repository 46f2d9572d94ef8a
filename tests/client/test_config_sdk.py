"""Config beside the SDK: the same file read by both, and the differences."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import flyte.config
import pytest
from flyte.config import _reader as sdk_reader

from flyteapps.auth.configuration import AuthConfig
from flyteapps.config import Config
from flyteapps.console import Console
from flyteapps.support.secret import Secret

from .configuration import Files

SAME = [
    "",
    "admin:\n  endpoint: dns:///localhost:8090\n  insecure: true\ntask:\n  org: o\n  project: p\n  domain: d\n",
    "admin:\n  endpoint: https://h\n  insecure: false\n  insecureSkipVerify: yes\n",
    "admin: {endpoint: h}\nconsole: {endpoint: 'https://c'}\nimage: {builder: remote}\n",
    "base: &b {org: o, project: p}\ntask:\n  <<: *b\n  project: q\n",
    "c: &c {org: c}\na: &a {<<: *c, project: a}\nb: &b {org: b, project: b, domain: b}\ntask: {<<: [*a, *b]}\n",
    "admin: {endpoint: h, authType: ExternalCommand, command: [uctl, get-token], proxyCommand: [iap, --now]}\n",
    "admin: {endpoint: h, authType: DeviceFlow, clientId: me, scopes: [a, b], disableKeyring: true}\n",
    "admin: {endpoint: h, command: [], httpProxyURL: 'http://p:3128', authType: Passthrough}\n",
    "admin:\ntask: {org: '', project: ~, domain: d}\n",
]


def sdk_view(path: Path) -> Config:
    """Return the settings that the SDK reads, as a Config."""
    read = flyte.config.auto(str(path))
    platform = read.platform
    auth = AuthConfig(
        auth_type=None if platform.auth_mode == "Pkce" else platform.auth_mode,  # its default
        client_id=platform.client_id,
        client_secret=None,
        command=tuple(Secret(each) for each in platform.command or ()),
        proxy_command=tuple(Secret(each) for each in platform.proxy_command or ()),
        scopes=tuple(platform.scopes),
        http_proxy_url=None if platform.http_proxy_url is None else Secret(platform.http_proxy_url),
        disable_keyring=platform.disable_keyring,
    )
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
        auth=None if auth == AuthConfig() else auth,
    )


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of Flyte's variables is set, and the SDK remembers no file."""
    for name in [name for name in os.environ if name.startswith(("FLYTE", "UCTL"))]:
        monkeypatch.delenv(name)
    sdk_reader.get_config_file.cache_clear()


@pytest.mark.usefixtures("no_variables")
@pytest.mark.parametrize("content", SAME)
def test_reads_what_the_sdk_reads(files: Files, content: str) -> None:
    """A right file says to the SDK what it says to us, but that we tell an absent `insecure` from a false one."""
    path = files.write(files.home / "c.yaml", content)
    ours, sdk = files.load(path=path), sdk_view(path)
    assert ours.insecure or not sdk.insecure
    assert [getattr(ours, f.name) for f in fields(Config) if f.name != "insecure"] == [
        getattr(sdk, f.name) for f in fields(Config) if f.name != "insecure"
    ]


@pytest.mark.usefixtures("no_variables")
def test_differs_from_the_sdk(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK still does what our documentation says of the intended differences."""

    def read(content: str) -> Config:
        sdk_reader.get_config_file.cache_clear()
        return sdk_view(files.write(files.home / "c.yaml", content))

    assert read("admin: {insecure: 'false'}\n").insecure == "false"  # a text, and so true
    assert read("admin: [\n").endpoint is None  # passed over, with a warning
    assert read("admin: {endpoint: 8090}\n").endpoint == 8090
    assert read("task: {project: p}\ntask: {}\n").project is None
    assert read("task: detect\n").project is None
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "")
    assert read("task: {project: p}\n").project is None  # an empty variable hides the key
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "q")
    assert read("task: {project: p}\n").project == "q"
    monkeypatch.setenv("HOME", str(files.home))
    monkeypatch.chdir(files.directory)
    sdk_reader.get_config_file.cache_clear()
    assert flyte.config.auto().task.project is None  # without a file variables are not looked at
    sdk_reader.get_config_file.cache_clear()


def test_console_of_a_configuration(files: Files) -> None:
    """console.endpoint is where links lead; the SDK reads that key, and its links don't."""
    found = files.load("admin: {endpoint: h, insecure: true}\nconsole: {endpoint: 'c:81'}\n")
    assert found.endpoint is not None
    url = Console(found.endpoint, bool(found.insecure), found.console_endpoint).app_url("p", "d", "n")
    assert url == "http://c:81/v2/domain/d/project/p/apps/n"
