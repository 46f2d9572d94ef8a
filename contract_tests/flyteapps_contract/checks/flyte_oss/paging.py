"""The pages of List in flyte-oss: rows OSS-23, OSS-73 to OSS-75.

They are Kubernetes' own. A lenient plane may have no Kubernetes that pages: one in memory ignores limits and tokens.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.checks.support.oss import changed, resource
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Broken, NotOffered, Refused
from flyteapps_contract.session import Session, preparing

MAX_PAGES = 50
"""More pages than any chain here has."""
VERSION = "meta.k8s.io/v1"
INVALID = "invalid continue token: continue key is not valid: "


@check("OSS-23", needs=("projects",))
def pages_are_by_resource_name(s: Session) -> None:
    """`limit` apps a page, by resource name, each app once; a limit of 0 gives them all."""
    names = [app.metadata.id.name for app in _given(s, "cadbe")]
    expect_equal(s.names(list_pb2.ListRequest(limit=0)), names, "the apps with a limit of 0")
    query = list_pb2.ListRequest(limit=2)
    if _ignores_limits(s, query, names):
        return
    for start in range(0, len(names), 2):
        page = s.list(query)
        expect_equal([app.metadata.id.name for app in page.apps], names[start : start + 2], "the apps of a page")
        expect_equal(bool(page.token), start + 2 < len(names), "whether there is a next page")
        query.token = page.token


@check("OSS-23", needs=("projects",))
def a_full_page_has_a_token_where_any_app_follows(s: Session) -> None:
    """After a full page there is a next one if any app follows, of another project, too: that page may be empty."""
    names = [app.metadata.id.name for app in _given(s, "ab")]
    s.given(s.app(s.name("-z"), project=f"{s.project}-other"))
    query = list_pb2.ListRequest(limit=2)
    if _ignores_limits(s, query, names):
        return
    first = s.list(query)
    expect_equal([app.metadata.id.name for app in first.apps], names, "the apps of a full page")
    expect(first.token, "a full page should have a token where an app of another project follows")
    last = s.list(list_pb2.ListRequest(limit=2, token=first.token))
    expect_equal((len(last.apps), last.token), (0, ""), "the apps and the token of the page after all of the project's")


@check("OSS-73", needs=("projects",))
def the_pages_of_a_chain_are_one_snapshot(s: Session) -> None:
    """Pages show the apps as they were at the first one: what is written, created and deleted since is not seen."""
    apps = _given(s, "abcdef")
    names = [app.metadata.id.name for app in apps]
    query = list_pb2.ListRequest(limit=2)
    first = _paged(s, query)
    query.token = first.token
    s.delete(apps[2].metadata.id)
    s.update(changed(apps[3], "img:2"))
    s.create(s.app(f"{names[3]}-new"))
    s.delete(apps[4].metadata.id)
    s.create(changed(apps[4], "img:2"))
    shown = [*first.apps, *(app for page in _pages(s, query) for app in page)]
    expect_equal([app.metadata.id.name for app in shown], names, "the apps on the pages of a chain")
    images = {app.spec.container.image for app in shown}
    expect_equal(images, {"img:1"}, "the images of apps that were updated after the first page")
    now = {app.metadata.id.name: app.spec.container.image for app in s.list().apps}
    left = [name for name in (*names, f"{names[3]}-new") if name != names[2]]
    expect_equal(sorted(now), sorted(left), "the apps of a List without a token")
    expect_equal(now[names[3]], "img:2", "the image of an app that was updated, in a List without a token")


@check("OSS-74", needs=("projects",))
def a_token_is_that_of_kubernetes(s: Session) -> None:
    """A token is JSON in base64 for URLs, unpadded: a version, which grows with each write, and the last resource."""
    apps = _given(s, "abc")
    versions: list[int] = []
    for number, app in enumerate(apps[:2]):
        token = _paged(s, list_pb2.ListRequest(limit=number + 1)).token
        expect("=" not in token, f"a token should have no padding: {token}")
        found = _decoded(token)
        expect_equal(sorted(found), ["rv", "start", "v"], "the fields of a token")
        expect_equal(found["v"], VERSION, "the version of a token's format")
        expect_equal(found["start"], f"/{resource(app.metadata.id)}\0", "the place in a token")
        expect(isinstance(found["rv"], int) and found["rv"] > 0, f"rv should be a number over 0: {found['rv']!r}")
        versions.append(found["rv"])
        s.update(changed(app, "img:2"))
    expect(versions[0] < versions[1], f"a token that was given after a write should have a greater rv: {versions}")


@check("OSS-75", needs=("projects",))
def a_token_that_is_none_is_an_error(s: Session) -> None:
    """A token that isn't one is INTERNAL, and so is a padded one, of another version, of rv 0, or that leads up."""
    _given(s, "abc")
    good = _decoded(_paged(s, list_pb2.ListRequest(limit=1)).token)
    bad: dict[str, tuple[str, str]] = {
        "no base64": ("!", "illegal base64 data at input byte 0"),
        "padding": (f"{_encoded(good)}==", ""),
        "another version": (_encoded({**good, "v": "meta.k8s.io/v2"}), ""),
        "rv 0": (_encoded({**good, "rv": 0}), ""),
        "a start that leads up": (_encoded({**good, "start": "../../x"}), ""),
    }
    opening = f"failed to list KServices for {s.project}/{s.domain}: {INVALID}"
    for what, (token, words) in bad.items():
        with expect_refusal("INTERNAL", f"List with a token with {what}", opening=f"{opening}{words}"):
            s.list(list_pb2.ListRequest(limit=1, token=token))


def _given(s: Session, letters: Sequence[str]) -> list[model.App]:
    """Return apps that were created in the order of the letters, by resource name."""
    prefix = s.name()
    made = [s.given(s.app(f"{prefix}-{letter}")) for letter in letters]
    return [s.app(app.metadata.id.name) for app in sorted(made, key=lambda app: resource(app.metadata.id))]


def _paged(s: Session, query: list_pb2.ListRequest) -> rpc.ListResponse:
    """Return a full page that isn't the last. Raises NotOffered on a lenient plane that ignores limits."""
    page = s.list(query)
    if s.capabilities.lenient and len(page.apps) > query.limit and not page.token:
        raise NotOffered("the cluster behind the plane ignores limits, as one in memory does")
    expect_equal(len(page.apps), query.limit, "the apps of a full page")
    expect(page.token, "a full page that isn't the last should have a token")
    return page


def _pages(s: Session, query: list_pb2.ListRequest) -> Iterator[Sequence[model.App]]:
    """Yield the apps of each page from a token on."""
    for _ in range(MAX_PAGES):
        try:
            page = s.list(query)
        except Refused as error:
            raise Broken(f"the next page of a chain should be there: {error}") from error
        yield page.apps
        if not page.token:
            return
        query.token = page.token
    raise Broken(f"a chain of pages doesn't end after {MAX_PAGES} of them")


def _ignores_limits(s: Session, query: list_pb2.ListRequest, names: list[str]) -> bool:
    """Return whether a lenient plane gives all apps of the project at once, whatever the limit."""
    if not s.capabilities.lenient:
        return False
    with preparing("List"):
        page = s.list(query)
    return not page.token and [app.metadata.id.name for app in page.apps] == names


def _decoded(token: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise Broken(f"a token should be JSON in base64: {token}: {error}") from error
    expect(isinstance(found, dict), f"a token should be an object: {found}")
    return found


def _encoded(token: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(token, separators=(",", ":")).encode()).decode().rstrip("=")
