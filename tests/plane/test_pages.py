"""The pages of List in the dialect of the open-source backend: what a test of the wire can't see, or would be slow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_fake.auth import Auth, User
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.flyte_oss.paging import versions
from flyteapps_fake.flyte_oss.paging.pages import TOO_OLD
from flyteapps_fake.flyte_oss.paging.tokens import Token, decode_token, encode_token
from flyteapps_fake.flyte_oss.services import Service

from .api import STOP, Api, app_id, new_app
from .conftest import Refusal


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane of the dialect on the manual clock."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as fresh:
        yield fresh


def listing(limit: int = 0, token: str = "", project: str = "proj") -> rpc.ListRequest:
    """Return a request for a page of a project."""
    request = rpc.ListRequest()
    request.project.name, request.project.domain = project, "dev"
    request.request.limit, request.request.token = limit, token
    return request


def created(plane: FakeControlPlane, *names: str, project: str = "proj") -> Api:
    """Return a client of the plane that has created stopped apps."""
    api = Api(plane)
    for name in names:
        api.stub.create(rpc.CreateRequest(app=new_app(name, state=STOP, project=project)))
    return api


def names(page: rpc.ListResponse) -> list[str]:
    """Return the names of the apps of a page."""
    return [app.metadata.id.name for app in page.apps]


def rest(api: Api, token: str, limit: int = 2) -> list[str]:
    """Return the names on all pages from a token on."""
    found: list[str] = []
    while token:
        page = api.stub.list(listing(limit, token))
        found += names(page)
        token = page.token
    return found


def of(**fields: Any) -> str:
    """Return a token with these fields."""
    whole = {"v": "meta.k8s.io/v1", "rv": 1, "start": "/a\0", **fields}
    text = json.dumps({name: value for name, value in whole.items() if value != "absent"})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def plain(text: str | bytes) -> str:
    """Return a text or bytes in base64."""
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode().rstrip("=")


BAD = {
    "nobody gave this": "illegal base64 data at input byte 6",
    "é": "illegal base64 data at input byte 0",
    "abcde": "illegal base64 data at input byte 4",
    plain('{"v":1}x') + "=": "illegal base64 data at input byte 11",
    plain("x"): "invalid character 'x' looking for beginning of value",
    plain("é"): "invalid character 'Ã' looking for beginning of value",
    plain('{"v":"é"}é'): "invalid character 'Ã' after top-level value",
    plain(b"\x85"): r"invalid character '\u0085' looking for beginning of value",
    plain(b"1\xff"): "invalid character 'ÿ' after top-level value",
    plain("'"): r"invalid character '\'' looking for beginning of value",
    plain('1"'): "invalid character '\"' after top-level value",
    plain("nope"): "invalid character 'o' in literal null (expecting 'u')",
    plain("{"): "unexpected end of JSON input",
    plain("{}{}"): "invalid character '{' after top-level value",
    plain("[1]"): "json: cannot unmarshal array into Go value of type storage.continueToken",
    plain("7"): "json: cannot unmarshal number into Go value of type storage.continueToken",
    plain("null"): "server does not recognize this encoded version ",
    of(v="v2"): "server does not recognize this encoded version v2",
    of(v=2): "json: cannot unmarshal number into Go struct field continueToken.v of type string",
    of(rv="1"): "json: cannot unmarshal string into Go struct field continueToken.rv of type int64",
    of(rv=1.5): "json: cannot unmarshal number 1.5 into Go struct field continueToken.rv of type int64",
    of(rv=True): "json: cannot unmarshal bool into Go struct field continueToken.rv of type int64",
    of(
        rv=1 << 63
    ): "json: cannot unmarshal number 9223372036854775808 into Go struct field continueToken.rv of type int64",
    plain('{"rv":1e0}'): "json: cannot unmarshal number 1e0 into Go struct field continueToken.rv of type int64",
    plain('{"rv":' + "1" * 5_000 + "}"): (
        f"json: cannot unmarshal number {'1' * 5_000} into Go struct field continueToken.rv of type int64"
    ),
    plain('{"v":1}'): "json: cannot unmarshal number into Go struct field continueToken.v of type string",
    plain('{"rv":NaN}'): "invalid character 'N' looking for beginning of value",
    plain("-Infinity"): "invalid character 'I' in numeric literal",
    of(rv=0): "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
    of(rv="absent"): "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
    of(start=""): "encoded start key empty (version meta.k8s.io/v1)",
    of(start="../../x"): "../../x",
    of(start="/a/../b"): "/a/../b",
    of(start="//a"): "//a",
}
"""Tokens that are none, by what is wrong with each, in the words of Kubernetes and Go."""


@pytest.mark.parametrize(("token", "words"), BAD.items(), ids=[words[:80] for words in BAD.values()])
def test_a_bad_token_is_refused_in_the_words_of_kubernetes(token: str, words: str) -> None:
    """The words say what is wrong with it, in base64, in JSON or in its fields."""
    with pytest.raises(ValueError, match="continue key is not valid") as raised:
        decode_token(token)
    assert str(raised.value) == f"invalid continue token: continue key is not valid: {words}"


def test_a_token_is_read_as_go_reads_it() -> None:
    """Unknown fields, names in another case, line ends, bits that are left, and no slash before the start are fine."""
    good = encode_token(7, "b").decode()
    assert decode_token(good) == decode_token(f"{good[:5]}\n{good[5:]}") == Token(7, "b\0")
    assert decode_token(plain('{"V":"meta.k8s.io/v1","RV":7,"Start":"b\\u0000","more":[]}')) == Token(7, "b\0")
    assert decode_token(of(rv=-1, start="/")) == Token(-1, "")


def test_a_refusal_names_the_list(plane: FakeControlPlane) -> None:
    """A bad token is INTERNAL, with the project and domain; nothing is read by it."""
    api = created(plane, "a")
    with Refusal(Code.INTERNAL) as refused:
        api.stub.list(listing(1, "!"))
    assert refused.message == (
        "failed to list KServices for proj/dev: invalid continue token: continue key is not valid: "
        "illegal base64 data at input byte 0"
    )


def test_the_pages_of_a_chain_are_as_of_its_first_one(plane: FakeControlPlane) -> None:
    """Pages show what was there, also if it is deleted, created anew or replaced by a colliding id meanwhile."""
    api = created(plane, "a", "b", "c", "d", "e-x", "f")
    first = api.stub.list(listing(2))
    for name in ("b", "d", "e-x"):
        api.stub.delete(rpc.DeleteRequest(app_id=app_id(name)))
    created(plane, "bb", "d", "g")
    created(plane, "e", project="x-proj")  # of the same resource name as e-x in proj
    assert (names(first), rest(api, first.token)) == (["a", "b"], ["c", "d", "e-x", "f"])
    assert names(api.stub.list(listing())) == ["a", "bb", "c", "d", "f", "g"]


def test_chains_of_several_versions_go_on_side_by_side(plane: FakeControlPlane) -> None:
    """Each token has its own version: what was there when its chain began."""
    api = created(plane, "a", "d")
    old = api.stub.list(listing(1)).token
    created(plane, "b")
    middle = api.stub.list(listing(1)).token
    api.stub.delete(rpc.DeleteRequest(app_id=app_id("d")))
    created(plane, "c")
    new = api.stub.list(listing(1)).token
    assert [rest(api, token, 9) for token in (old, middle, new)] == [["d"], ["b", "d"], ["b", "c"]]


def test_a_token_without_a_version_goes_on_from_the_present(plane: FakeControlPlane) -> None:
    """An rv below 0 is that of an inconsistent list: what follows the place now."""
    api = created(plane, "a", "b")
    assert rest(api, of(rv=-1, start="/a-proj-dev\0"), 9) == ["b"]


@pytest.mark.parametrize(("bound", "value"), [("MAX_CHANGES", 10), ("MAX_BYTES", 100)])
def test_a_chain_ends_once_too_much_was_written_since(
    bound: str, value: int, plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound its next page is INTERNAL, as Kubernetes words it; younger chains go on."""
    monkeypatch.setattr(versions, bound, value)
    api = created(plane, "a", "b", "c")
    old = api.stub.list(listing(1)).token
    for number in range(20):
        api.stub.update(rpc.UpdateRequest(app=new_app("c", image=f"img:{number}")))
    young = api.stub.list(listing(1)).token
    api.stub.delete(rpc.DeleteRequest(app_id=app_id("b")))
    with Refusal(Code.INTERNAL) as refused:
        api.stub.list(listing(1, old))
    assert refused.message == f"failed to list KServices for proj/dev: {TOO_OLD}"
    assert rest(api, young) == ["b", "c"]


def test_a_token_of_a_version_to_come_is_past_its_deadline_at_once(plane: FakeControlPlane) -> None:
    """The backend would wait for that version until the caller's deadline: the answer is the same, and at once."""
    api = created(plane, "a", "b")
    with Refusal(Code.DEADLINE_EXCEEDED):
        api.stub.list(listing(1, of(rv=99)))


def test_versions_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    """With a state directory the version goes on, and a token counts as long as nothing was written since."""
    settings: dict[str, Any] = {"dialect": "flyte-oss", "clock": "manual", "state": tmp_path / "state"}
    with FakeControlPlane(**settings) as plane:
        token = created(plane, "a", "b", "c").stub.list(listing(1)).token
    with FakeControlPlane(**settings) as plane:
        api = Api(plane)
        assert rest(api, token) == ["b", "c"]
        again = api.stub.list(listing(1)).token
        assert again == token, "no change, no other version"
        api.stub.delete(rpc.DeleteRequest(app_id=app_id("c")))
        assert rest(api, again) == ["b", "c"], "a chain that was begun here"
    with FakeControlPlane(**settings) as plane, Refusal(Code.INTERNAL) as refused:
        Api(plane).stub.list(listing(1, token))
    assert "too old" in refused.message


def test_a_token_of_before_a_reset_shows_nothing_of_then(plane: FakeControlPlane) -> None:
    """A reset of a project is a change, too; what was there before it is on no page afterwards."""
    api = created(plane, "a", "b")
    created(plane, "z", project="other")
    token = api.stub.list(listing(1)).token
    plane.reset(project="proj")
    with Refusal(Code.INTERNAL) as refused:
        api.stub.list(listing(1, token))
    assert "too old" in refused.message


def test_without_kubernetes_limits_and_tokens_are_ignored() -> None:
    """As in the recording's environment in memory: all apps come at once, whatever is asked."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual", kubernetes="none") as plane:
        page = created(plane, "a", "b", "c").stub.list(listing(1, "!"))
        assert (names(page), page.token) == (["a", "b", "c"], "")


def test_a_caller_pages_through_what_it_sees() -> None:
    """Neither a page nor its token shows that there are apps which the caller may not see."""
    users = [User("all", "admin"), User("some", visible=["proj"])]
    with FakeControlPlane(dialect="flyte-oss", clock="manual", auth=Auth(users=users)) as plane:
        for name, project in (("a", "proj"), ("b", "other"), ("c", "proj"), ("z", "other")):
            app = new_app(name, state=STOP, project=project)
            plane.stub().create(rpc.CreateRequest(app=app), headers={"authorization": f"Bearer {plane.token('all')}"})
        headers = {"authorization": f"Bearer {plane.token('some')}"}
        everything = rpc.ListRequest()
        everything.request.limit = 1
        pages: list[tuple[list[str], bool]] = []
        while True:
            page = plane.stub().list(everything, headers=headers)
            pages.append((names(page), bool(page.token)))
            if not page.token:
                break
            everything.request.token = page.token
        assert pages == [(["a"], True), (["c"], False)]


def test_a_page_costs_the_page(plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand apps, some written since, a page of ten reads some tens of them, first or last in a chain."""
    api = created(plane, *(f"app-{number:03d}" for number in range(1000)))
    first = api.stub.list(listing(10))
    for number in range(0, 1000, 100):
        api.stub.delete(rpc.DeleteRequest(app_id=app_id(f"app-{number:03d}")))
    looked: list[str] = []
    real = Service.is_in

    def is_in(self: Service, project: str, domain: str) -> bool:
        looked.append(self.resource)
        return real(self, project, domain)

    monkeypatch.setattr(Service, "is_in", is_in)
    for token in ("", first.token, of(rv=_version_of(first.token), start="/app-980-proj-dev\0")):
        looked.clear()
        assert len(api.stub.list(listing(10, token)).apps) == 10
        assert len(looked) < 50


def _version_of(token: str) -> int:
    return decode_token(token).version
