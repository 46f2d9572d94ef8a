"""Small differences from the SDK: either there are none, or docs/migration.md names them, and one sentence says what
is wrong."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from flyte._utils import sanitize_endpoint
from flyte.remote import App as SdkApp
from flyte.remote._app import _status_filter  # pyright: ignore[reportPrivateUsage]  # compared with ours
from flyteidl2.app import app_definition_pb2 as definition

import flyteapps
from client.conftest import SCOPE, Run, client_of
from flyteapps import App, Client, ConfigError, Console, InvalidArgument
from flyteapps.default import use
from flyteapps_fake.control_plane import FakeControlPlane

dialect = "standard"


@pytest.fixture
def plane() -> Any:
    """A fresh plane of the standard dialect."""
    with FakeControlPlane() as fresh:
        yield fresh


def test_init_can_be_awaited(plane: FakeControlPlane, tmp_path: Path) -> None:
    """`init.aio` and `init_from_config.aio` make the default client, as `init` and `init_from_config` do."""
    (tmp_path / "config.yaml").write_text("admin: {endpoint: h:1}\ntask: {project: p}\n")
    try:
        made = asyncio.run(flyteapps.init.aio(transport=plane.transport(), **SCOPE))
        assert isinstance(made, Client) and App.create(flyteapps.new_app("a", image="x")).client is made
        read = asyncio.run(flyteapps.init_from_config.aio(tmp_path / "config.yaml", domain="d"))
        assert (read.settings.project, read.settings.domain) == ("p", "d")
        assert flyteapps.init_from_config(tmp_path / "config.yaml").settings.project == "p"
    finally:
        use(None)
    assert list(inspect.signature(flyteapps.init).parameters) == list(inspect.signature(Client).parameters)
    assert flyteapps.init.__doc__ and "default client" in flyteapps.init.__doc__


@pytest.mark.parametrize("nothing", ["", (), [], None])
def test_no_status_is_every_status(nothing: Any, plane: FakeControlPlane, run: Run) -> None:
    """An empty `in_status` filters nothing, as in the SDK."""
    client = client_of(plane, "direct")
    client.apps.create(flyteapps.new_app("a", image="x"))
    assert [each.name for each in run.items(client.apps.listall, in_status=nothing)] == ["a"]


BAD_LISTINGS: list[tuple[dict[str, Any], str]] = [
    ({"in_status": "nope"}, "in_status='nope': unknown status. Known: .*active"),
    ({"in_status": ("",)}, "in_status=''"),
    ({"in_status": 7}, "in_status=7"),
    ({"in_status": [7]}, "in_status=7"),
    ({"sort_by": ("name",)}, r"sort_by=\('name',\): should be \(KEY, \"asc\"\)"),
    ({"sort_by": "name"}, "sort_by='name'"),
    ({"sort_by": ("name", "asc", "asc")}, "sort_by="),
    ({"sort_by": ("name", "up")}, "sort_by="),
    ({"sort_by": ("name", ["asc"])}, "sort_by="),
    ({"sort_by": (1, "asc")}, "sort_by="),
    ({"limit": -1}, "limit=-1: a whole number"),
    ({"limit": "5"}, "limit='5'"),
    ({"limit": 2.5}, "limit=2.5"),
    ({"limit": True}, "limit=True"),
    ({"project": 3}, "3"),
    ({"domain": 3}, "3"),
    ({"token": 3}, "3"),
    ({"created_by_subject": 3}, "3"),
]


@pytest.mark.parametrize(("given", "message"), BAD_LISTINGS, ids=lambda each: str(each)[:30])
def test_a_bad_listing_is_one_sentence(given: dict[str, Any], message: str, plane: FakeControlPlane, run: Run) -> None:
    """InvalidArgument, which is a ValueError, and never an error of Python's or protobuf's own."""
    with pytest.raises(InvalidArgument, match=message):
        run.items(client_of(plane, "direct").apps.listall, **given)


def test_the_sdk_refuses_what_we_refuse() -> None:
    """An unknown status is a ValueError there as well, an empty one in a tuple too."""
    for status in ("nope", ("",)):
        with pytest.raises(ValueError, match=r"Unknown|no value|has no"):
            _status_filter(status)


BAD_TYPES: list[tuple[str, tuple[Any, ...], str]] = [
    ("create", ({"name": "a"},), "app should be the message flyteidl2.app.App, and is a dict: flyteapps.new_app()"),
    ("create", (App(definition.App()),), "app should be the message flyteidl2.app.App, and is a App: pass its pb2"),
    ("update", (definition.Spec(), "why"), "updated_app_proto should be the message flyteidl2.app.App"),
    ("replace", ("a", definition.App(), "why"), "updated_app_spec should be the message flyteidl2.app.Spec"),
    ("get", ("a", 3), "project=3"),
    ("delete", ("a", "p", 3), "domain=3"),
    ("get", (3,), "app name 3 has to be a string"),
    ("update", (definition.App(), 3), "reason=3 should be a string"),
    ("replace", ("a", definition.Spec(), 3), "reason=3 should be a string"),
    ("replace", ("a", definition.Spec(), "why", ["a"]), "labels=['a'] should be a mapping"),
]


@pytest.mark.parametrize(("method", "args", "message"), BAD_TYPES, ids=lambda each: str(each)[:30])
def test_a_bad_type_is_one_sentence(
    method: str, args: tuple[Any, ...], message: str, plane: FakeControlPlane, run: Run
) -> None:
    """An invalid argument is rejected before the call."""
    with pytest.raises(InvalidArgument) as caught:
        run(getattr(client_of(plane, "direct").apps, method), *args)
    assert message in str(caught.value)


@pytest.mark.parametrize("position", range(3))
def test_a_link_needs_names(position: int) -> None:
    """app_url(..., None) says which name is missing; the SDK writes None into the link."""
    names: list[Any] = ["p", "d", "n"]
    names[position] = None
    what = ("project", "domain", "app_name")[position]
    with pytest.raises(InvalidArgument, match=f"{what}=None should be a string"):
        Console("h:1").app_url(*names)


def test_http_means_without_tls() -> None:
    """A documented difference: the SDK drops the scheme, and then asks `insecure` alone."""
    assert Client("http://h").settings.endpoint == "http://h"
    assert sanitize_endpoint("http://h") == "dns:///h"


@pytest.mark.parametrize("method", [name for name in vars(SdkApp) if not name.startswith("_")])
def test_every_method_of_the_sdk_is_here(method: str) -> None:
    """With its parameters, in its order; what we have beyond them comes after."""
    assert hasattr(App, method)
    theirs = inspect.getattr_static(SdkApp, method)
    function = getattr(theirs, "fn", None) or getattr(theirs, "__wrapped__", theirs)
    function = getattr(function, "__func__", function)
    if isinstance(theirs, property) or not inspect.isfunction(function):
        return
    wanted = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
    ours = [each for each in inspect.signature(getattr(App, method)).parameters if each != "self"]
    assert ours[: len(wanted)] == wanted


def test_a_missing_ca_file_is_a_config_error(tmp_path: Path) -> None:
    """A documented difference: it names who named the file; the SDK raises FileNotFoundError."""
    with pytest.raises(ConfigError, match=r"ca_cert: .*no\.pem can't be read"):
        Client("https://h", ca_cert=tmp_path / "no.pem")
