"""CONTRACT, section Get (GE-1 to GE-3)."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from .api import INVALID, NOT_FOUND, Api, new_app
from .conftest import Refusal


def by_ingress(api: Api, **urls: str) -> str:
    """Return the name of the app that owns the URLs."""
    return api.stub.get(rpc.GetRequest(ingress=model.Ingress(**urls))).app.metadata.id.name


def test_an_absent_app_is_not_found(api: Api) -> None:
    """GE-1: an id that isn't stored is NOT_FOUND, and the message names it."""
    api.create()
    for where in ({"project": "p2"}, {"domain": "d2"}):
        with Refusal(NOT_FOUND):
            api.get(**where)
    with Refusal(NOT_FOUND) as refused:
        api.get("absent")
    assert "absent" in refused.message


def test_a_read_sees_the_last_write(api: Api) -> None:
    """GE-1, GE-3: after every acknowledged write a Get returns what that write returned."""
    written = api.create()
    assert api.get() == written
    written.spec.container.image = "img:2"
    written = api.update(written)
    assert api.get() == written


def test_an_answer_is_the_callers_own(api: Api) -> None:
    """GE-1: changing a returned app changes nothing in the plane."""
    api.create().spec.container.image = "mine"
    api.get().spec.container.image = "mine"
    assert api.get().spec.container.image == "img:1"


@pytest.mark.parametrize(
    "variant",
    ["{url}", "{url}/", "{url}/path/x?q=1", "HTTP://{upper}", "http://{upper}/"],
)
def test_the_owner_of_a_url_is_found(api: Api, variant: str) -> None:
    """GE-2: scheme and host are case-insensitive, a trailing slash and what is under the URL are ignored."""
    api.create(name="other")
    url = api.create().status.ingress.public_url
    upper = url.removeprefix("http://").upper()
    assert by_ingress(api, public_url=variant.format(url=url, upper=upper)) == "demo"


def test_the_owner_of_a_cname_is_found(api: Api) -> None:
    """GE-2: the cname finds its app, alone or with the public URL of the same app."""
    app = new_app()
    app.spec.ingress.cname = "blue.example.com"
    ingress = api.create(app).status.ingress
    assert by_ingress(api, cname_url=ingress.cname_url) == "demo"
    assert by_ingress(api, public_url=ingress.public_url, cname_url=ingress.cname_url) == "demo"


def test_an_unknown_url_is_not_found(api: Api) -> None:
    """GE-2: a URL that no app owns, or whose app was deleted, is NOT_FOUND."""
    url = api.create(state=model.Spec.DESIRED_STATE_STOPPED).status.ingress.public_url
    with Refusal(NOT_FOUND):
        by_ingress(api, public_url="http://nobody.apps.localhost")
    api.delete()
    with Refusal(NOT_FOUND):
        by_ingress(api, public_url=url)


def test_an_unclear_ingress_is_invalid(api: Api) -> None:
    """GE-2: no URL at all, or URLs that do not lead to one app, are INVALID_ARGUMENT."""
    two = new_app("two")
    two.spec.ingress.cname = "two.example.com"
    api.create(two)
    one = api.create(name="one").status.ingress.public_url
    with Refusal(INVALID):
        by_ingress(api)
    with Refusal(INVALID):
        by_ingress(api, public_url=one, cname_url="https://two.example.com")
    with Refusal(INVALID):
        by_ingress(api, public_url=one, cname_url="https://nobody.example.com")


def test_a_cname_under_the_base_domain_is_found(api: Api) -> None:
    """GE-2: each of the app's own URLs leads to it, a cname that looks generated, too; port 0 is no port."""
    app = new_app()
    app.spec.ingress.cname = "vanity.apps.localhost"
    ingress = api.create(app).status.ingress
    for url in (model.Ingress(cname_url=ingress.cname_url), model.Ingress(public_url=ingress.public_url), ingress):
        assert api.stub.get(rpc.GetRequest(ingress=url)).app.metadata.id.name == "demo"
    with Refusal(NOT_FOUND):
        api.stub.get(rpc.GetRequest(ingress=model.Ingress(public_url=ingress.public_url + ":0")))
