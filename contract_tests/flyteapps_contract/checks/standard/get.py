"""Get: rows GE-1 to GE-3. The apps are stopped, so that what was last written is what a client last wrote."""

from __future__ import annotations

from urllib.parse import urlsplit

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.standard import hosts
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.session import STOP, Session, copy, preparing

WRITES = 5
"""Updates in a row; a cached answer shows at the first."""


# ---- GE-1


@check("GE-1")
def get_gives_the_app_as_last_written(s: Session) -> None:
    """Get by id gives the app as the last Create or Update returned it."""
    app = s.given_stopped(labels={"a": "b"})
    s.given_stopped()
    expect_equal(s.get(app.metadata.id), app, "Get after Create")
    for image, labels in (("img:2", {"a": "c"}), ("img:3", dict[str, str]())):
        app = s.given_update(s.app(app.metadata.id.name, image=image, state=STOP, labels=labels))
        expect_equal(s.get(app.metadata.id), app, "Get after Update")


@check("GE-1")
def get_gives_a_running_app_as_written(s: Session) -> None:
    """Get by id gives the metadata and the spec of an app that runs as they were last written."""
    app = s.given()
    for number in range(2):
        found = s.get(app.metadata.id)
        expect_equal(found.metadata, app.metadata, "the metadata in Get")
        expect_equal(found.spec, app.spec, "the spec in Get")
        app = s.given_update(s.app(app.metadata.id.name, image=f"img:{number + 2}"))


@check("GE-1")
def get_of_an_absent_id_is_not_found(s: Session) -> None:
    """Get of an id that never was, or is no more, is NOT_FOUND, and brings nothing into being."""
    near = s.given_stopped()
    deleted = s.given_stopped()
    s.given_deleted(deleted)
    absent = [s.id(), deleted.metadata.id, s.id(near.metadata.id.name + "x"), s.id(near.metadata.id.name[:-1] + "-x")]
    with s.unchanged(near, absent=absent):
        for app_id in absent:
            with expect_refusal("NOT_FOUND", f"Get of the absent {app_id.name}"):
                s.get(app_id)


@check("GE-1")
def get_changes_nothing(s: Session) -> None:
    """A Get, by id or by URL, leaves the app as it was."""
    app = s.given_stopped()
    with s.unchanged(app):
        s.get(app.metadata.id)
        with preparing("Get by URL"):
            s.get_by_ingress(public_url=app.status.ingress.public_url)


# ---- GE-2


@check("GE-2")
def get_by_url_gives_its_owner(s: Session) -> None:
    """Get by public_url, by cname_url or by both gives the app that owns them, as Get by id does."""
    with_cname, plain = _given_cname(s), s.given_stopped()
    for app in (with_cname, plain):
        url = app.status.ingress.public_url
        expect_equal(s.get_by_ingress(public_url=url), app, f"Get by {url}")
    cname_url = with_cname.status.ingress.cname_url
    expect_equal(s.get_by_ingress(cname_url=cname_url), with_cname, f"Get by {cname_url}")
    both = s.get_by_ingress(public_url=with_cname.status.ingress.public_url, cname_url=cname_url)
    expect_equal(both, with_cname, "Get by both URLs of an app")


@check("GE-2")
def a_url_is_read_as_a_url(s: Session) -> None:
    """Scheme and host of a URL are case-insensitive; a trailing slash and what is under the URL are ignored."""
    app = _given_cname(s)
    for field in ("public_url", "cname_url"):
        public: str = getattr(app.status.ingress, field)
        parts = urlsplit(public)
        url = parts._replace(path=parts.path.rstrip("/")).geturl()
        capitals = parts._replace(netloc=parts.netloc.upper()).geturl()
        for form in (
            url.replace(parts.scheme, parts.scheme.upper(), 1),
            capitals,
            url,
            url + "/",
            url + "/a/b",
            url + "/a/",
        ):
            expect_equal(s.get_by_ingress(**{field: form}), app, f"Get by {field} {form}")


@check("GE-2")
def a_url_with_capitals_in_its_host_is_found(s: Session) -> None:
    """A subdomain or cname that was sent with capitals is found in lower case."""
    app = s.app(state=STOP)
    app.spec.ingress.subdomain, app.spec.ingress.cname = s.name("-SUB"), s.name("-CNAME.example.com")
    made = s.given(app)
    expect_equal(s.get_by_ingress(public_url=made.status.ingress.public_url.lower()), made, "Get by public_url")
    expect_equal(s.get_by_ingress(cname_url=made.status.ingress.cname_url.lower()), made, "Get by cname_url")


@check("GE-2")
def a_url_of_nobody_is_not_found(s: Session) -> None:
    """A URL that no app owns is NOT_FOUND, also one whose app was deleted or has given it up."""
    near, deleted, moved = s.given_stopped(), _given_cname(s), _given_cname(s)
    s.given_deleted(deleted)
    s.given_update(_other_cname(s, moved))
    url, scheme = near.status.ingress.public_url, hosts.split(near).scheme
    with s.unchanged(near):
        for urls in (
            {"public_url": url.replace(hosts.label(near), s.name())},
            {"public_url": f"{scheme}://{s.name()}.example.com"},
            {"cname_url": f"https://{s.name()}.example.com"},
            {"vpc_url": f"https://{s.name()}.example.com"},
            {"public_url": deleted.status.ingress.public_url},
            {"cname_url": deleted.status.ingress.cname_url},
            {"cname_url": moved.status.ingress.cname_url},
        ):
            with expect_refusal("NOT_FOUND", f"Get by {urls}"):
                s.get_by_ingress(**urls)


@check("GE-2")
def a_url_that_moved_finds_its_new_owner(s: Session) -> None:
    """A cname that one app gave up and another took finds the other."""
    first = _given_cname(s)
    url = first.status.ingress.cname_url
    with preparing("Get by the URL before it moves"):
        s.get_by_ingress(cname_url=url)
    s.given_update(_other_cname(s, first))
    heir = s.app(state=STOP)
    heir.spec.ingress.cname = first.spec.ingress.cname
    made = s.given(heir)
    expect_equal(s.get_by_ingress(cname_url=url), made, "Get by the URL that moved")


@check("GE-2")
def an_ingress_without_one_owner_is_invalid(s: Session) -> None:
    """An empty Ingress, or URLs that do not resolve to one app, is INVALID_ARGUMENT."""
    one, two = _given_cname(s), _given_cname(s)
    public, cname = one.status.ingress.public_url, two.status.ingress.cname_url
    nobody = f"https://{s.name()}.example.com"
    with s.unchanged(one, two):
        for urls in (
            {},
            {"public_url": public, "cname_url": cname},
            {"public_url": public, "cname_url": nobody},
            {"public_url": public, "vpc_url": nobody},
            {"public_url": nobody, "cname_url": cname},
        ):
            with expect_refusal("INVALID_ARGUMENT", f"Get by {urls}"):
                s.get_by_ingress(**urls)


# ---- GE-3


@check("GE-3")
def a_get_sees_every_acknowledged_write(s: Session) -> None:
    """Get by id sees a Create, each of several updates and a Delete as soon as they are acknowledged."""
    app = s.app(state=STOP)
    for _ in range(2):
        _expect_absent(s, app)
        written = s.given(app)
        expect_equal(s.get(app.metadata.id), written, "Get right after Create")
        for number in range(WRITES):
            written = s.given_update(_image(app, f"img:{number + 2}"))
            expect_equal(s.get(app.metadata.id), written, "Get right after Update")
        s.given_deleted(written)
    _expect_absent(s, app)


@check("GE-3")
def a_get_by_url_sees_every_acknowledged_write(s: Session) -> None:
    """Get by URL sees a Create, each of several updates and a Delete as soon as they are acknowledged."""
    app = _with_cname(s)
    url = f"https://{app.spec.ingress.cname}"
    for _ in range(2):
        with expect_refusal("NOT_FOUND", "Get by the URL of an app that is not there"):
            s.get_by_ingress(cname_url=url)
        written = s.given(app)
        expect_equal(s.get_by_ingress(cname_url=url), written, "Get by URL right after Create")
        for number in range(WRITES):
            written = s.given_update(_image(app, f"img:{number + 2}"))
            expect_equal(s.get_by_ingress(cname_url=url), written, "Get by URL right after Update")
        s.given_deleted(written)


def _expect_absent(s: Session, app: model.App) -> None:
    with expect_refusal("NOT_FOUND", "Get of an app that is not there"):
        s.get(app.metadata.id)


def _image(app: model.App, image: str) -> model.App:
    changed = copy(app)
    changed.spec.container.image = image
    return changed


def _with_cname(s: Session) -> model.App:
    """Return a stopped app, not yet created, with a cname of its own."""
    app = s.app(state=STOP)
    app.spec.ingress.cname = f"{s.name()}.example.com"
    return app


def _given_cname(s: Session) -> model.App:
    """Return a stopped app with a cname of its own and the URL that belongs to it."""
    app = s.given(_with_cname(s))
    with preparing("Create with a cname"):
        expect(app.status.ingress.cname_url, "the app has no cname_url")
    return app


def _other_cname(s: Session, app: model.App) -> model.App:
    """Return the app with another cname."""
    changed = copy(app)
    changed.spec.ingress.cname = f"{s.name()}.example.com"
    return changed
