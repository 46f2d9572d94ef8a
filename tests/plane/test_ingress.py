"""The two forms of public URLs, who owns them, and the names that no app may take (CR-6, GE-2)."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_fake.control_plane import FakeControlPlane

from .api import INVALID, NOT_FOUND, Api, new_app
from .conftest import Refusal


def blue(cname: str = "") -> model.App:
    app = new_app()
    app.spec.ingress.subdomain, app.spec.ingress.cname = "Blue", cname
    return app


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"ingress_port": 8080}, "http://localhost:8080/apps/blue/"),
        ({"ingress_port": 8443, "ingress_scheme": "https"}, "https://localhost:8443/apps/blue/"),
        ({"ingress_port": 8080, "ingress_host": "plane.example"}, "http://plane.example:8080/apps/blue/"),
        ({"ingress_port": 8080, "ingress_host": "::1"}, "http://[::1]:8080/apps/blue/"),
        ({}, "http://blue.apps.localhost"),
        ({"ingress": "host", "ingress_port": 8080}, "http://blue.apps.localhost:8080"),
        (
            {"ingress": "host", "ingress_port": 8443, "ingress_scheme": "https", "base_domain": "example.org"},
            "https://blue.example.org:8443",
        ),
    ],
)
def test_a_public_url_follows_the_settings(settings: dict[str, Any], url: str) -> None:
    """A path where there is a port, a host name where that is asked for or nothing is served; the cname's is https."""
    with FakeControlPlane(clock="manual", **settings) as plane:
        ingress = Api(plane).create(blue("blue.example.com")).status.ingress
        assert (ingress.public_url, ingress.cname_url) == (url, "https://blue.example.com")


@pytest.mark.parametrize("ingress", ["path", "host"])
@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080/apps/blue/",
        "http://localhost:8080/apps/blue",
        "HTTP://LOCALHOST:8080/apps/blue/deep/path?q=1",
        "http://127.0.0.1:8080/apps/blue/",
        "http://[::1]:8080/apps/blue/",
        "http://blue.apps.localhost:8080",
        "http://BLUE.apps.localhost:8080/apps/other/",
        "https://blue.example.com/apps/other/",
    ],
)
def test_get_knows_both_forms(ingress: Any, url: str) -> None:
    """With either form shown, Get by ingress finds an app by its path and by its host."""
    with FakeControlPlane(clock="manual", ingress=ingress, ingress_port=8080) as plane:
        api = Api(plane)
        api.create(blue("blue.example.com"))
        api.create(name="other")
        found = api.stub.get(rpc.GetRequest(ingress=model.Ingress(public_url=url))).app
        assert found.metadata.id.name == "demo"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080/apps/BLUE/",
        "http://localhost:8080/apps/%62lue/",
        "http://localhost:8080/apps//blue/",
        "http://localhost:8080/apps/../apps/blue/",
        "http://localhost:8080/apps/blue.apps/",
        "http://localhost:8080/APPS/blue/",
        "http://localhost:8080/apps/",
        "http://localhost:8080/",
        "http://localhost:8081/apps/blue/",
        "http://plane.example:8080/apps/blue/",
        "http://apps.localhost.:8080/apps/\u212a/",
    ],
)
def test_a_path_is_one_label_as_it_stands(url: str) -> None:
    """A path other than exactly /apps/SUBDOMAIN on the plane's own host and port leads to no app."""
    with FakeControlPlane(clock="manual", ingress_port=8080) as plane:
        api = Api(plane)
        api.create(blue())
        with Refusal(NOT_FOUND if url.isascii() else INVALID):
            api.stub.get(rpc.GetRequest(ingress=model.Ingress(public_url=url)))


@pytest.mark.parametrize(
    "cname",
    [
        *("localhost", "LOCALHOST", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "10.0.0.1", "a.0x1"),
        *("apps.localhost", "plane.example", "Box.example"),
    ],
)
def test_the_planes_own_names_are_reserved(cname: str) -> None:
    """No app gets a cname under which the plane's servers answer for themselves, or that is an address."""
    settings: dict[str, Any] = {"ingress_host": "plane.example", "own_hosts": ["box.example"]}
    with FakeControlPlane(clock="manual", **settings) as plane:
        api = Api(plane)
        with Refusal(INVALID) as refused:
            api.create(blue(cname))
        assert "the plane's own host" in refused.message
        api.create(new_app("other"))
        wanted = new_app("other")
        wanted.spec.ingress.cname = cname
        with Refusal(INVALID):
            api.update(wanted)
        under = new_app("under")
        under.spec.ingress.cname = "www.box.example"
        assert api.create(under).status.ingress.cname_url == "https://www.box.example"


def test_a_subdomain_makes_no_name_of_the_planes_own() -> None:
    """Where the plane's own host is below the base domain, no app gets that host by its subdomain."""
    settings: dict[str, Any] = {"base_domain": "plane.example", "ingress_host": "www.plane.example"}
    with FakeControlPlane(clock="manual", **settings) as plane:
        app = new_app()
        app.spec.ingress.subdomain = "WWW"
        with Refusal(INVALID) as refused:
            Api(plane).create(app)
        assert "app.spec.ingress.subdomain" in refused.message


def test_an_odd_url_leads_to_no_app() -> None:
    """A URL whose host clients disagree about, such as one after a user's name, is NOT_FOUND."""
    with FakeControlPlane(clock="manual", ingress_port=99) as plane:
        api = Api(plane)
        url = api.create(blue()).status.ingress.public_url
        assert api.stub.get(rpc.GetRequest(ingress=model.Ingress(public_url=url))).app.metadata.id.name == "demo"
        with Refusal(NOT_FOUND):
            odd = model.Ingress(public_url=url.replace("localhost", "evil.example@localhost"))
            api.stub.get(rpc.GetRequest(ingress=odd))


def test_a_served_plane_names_its_port() -> None:
    """Apps that are created once a plane is served have the port; those of before are found under both URLs."""
    for dialect in ("standard", "flyte-oss"):
        with FakeControlPlane(dialect=dialect, clock="manual") as plane:
            Api(plane).create(name="early", project="proj")
            port = plane.serve().port
            plane.serve()
            url = Api(plane).create(blue()).status.ingress.public_url
            assert f":{port}" in url, "of the first server"
    with FakeControlPlane(clock="manual", ingress_port=99) as plane:
        plane.serve()
        assert Api(plane).create(blue()).status.ingress.public_url == "http://localhost:99/apps/blue/"


@pytest.mark.parametrize(
    ("setting", "value"), [("ingress", "hosts"), ("ingress_host", ""), ("ingress_host", "a b"), ("ingress_host", "a/b")]
)
def test_a_wrong_setting_is_refused_by_name(setting: str, value: str) -> None:
    """The settings of public URLs are checked when the plane is made."""
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(ValueError, match=setting):
        FakeControlPlane(**settings)
