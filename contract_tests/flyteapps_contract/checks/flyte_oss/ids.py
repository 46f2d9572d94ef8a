"""The identity of an app in flyte-oss: rows OSS-4 to OSS-6, OSS-49, OSS-50, and the URL that follows, OSS-34."""

from __future__ import annotations

from urllib.parse import urlsplit

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.oss import given_received, listed, resource, until
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.session import Session


def _one_app(s: Session, first: model.App, second: model.App) -> None:
    """Broken unless the second replaces the first, of another id and image."""
    expect_equal(resource(first.metadata.id), resource(second.metadata.id), "the resource names of both ids")
    s.create(first)
    s.create(second)
    found = s.get(first.metadata.id)
    expect_equal(_place(found.metadata.id), _place(second.metadata.id), "the id that Get of the first id gives")
    expect_equal(found.spec, second.spec, "the spec that Get of the first id gives")
    s.delete(second.metadata.id)
    with expect_refusal("NOT_FOUND", "List of an app that was deleted"):
        s.get(second.metadata.id)
    expect(listed(s, second.metadata.id) is None, "after the second was deleted there should be no app")


def _place(app_id: model.Identifier) -> tuple[str, str, str]:
    return app_id.project, app_id.domain, app_id.name


@check("OSS-4")
def ids_that_differ_in_case_are_one_app(s: Session) -> None:
    """The second of two apps whose names differ in case replaces the first."""
    name = s.name("-case")
    _one_app(s, s.app(name.upper()), s.app(name, image="img:2"))


@check("OSS-4", needs=("projects",))
def ids_that_differ_in_hyphens_are_one_app(s: Session) -> None:
    """The second of two apps in whose ids the hyphens stand elsewhere replaces the first."""
    name = s.name()
    _one_app(s, s.app(name, project="b-c"), s.app(f"{name}-b", project="c", image="img:2"))


@check("OSS-5", needs=("projects",))
def a_long_resource_name_ends_in_a_hash(s: Session) -> None:
    """Up to 63 characters the resource name is the id in lower case; beyond, its start and a hash of the id."""
    spare = 63 - len(f"--{s.project}-{s.domain}") - len(s.name())
    for tail in ("", "m" * spare, "m" * (spare + 1), "M" * (spare + 1), "m" * 60):
        app_id = s.id(s.name("-") + tail)
        with expect_refusal("NOT_FOUND", "Get of an absent app", opening=f"KService {resource(app_id)} not found"):
            s.get(app_id)


@check("OSS-6")
def the_org_is_no_part_of_the_id(s: Session) -> None:
    """An app is found under another org than its own, and comes back with its own."""
    app = s.app(org="theirs")
    s.create(app)
    expect_equal(s.get(s.id(app.metadata.id.name, org="ours")).metadata.id, app.metadata.id, "the id of the app")


@check("OSS-6")
def an_app_without_an_org_is_of_flyte(s: Session) -> None:
    """An app that was created without an org comes back with org flyte; the response of Create has none."""
    app = s.app(org="")
    expect_equal(s.create(app).metadata.id.org, "", "the org in the response of Create")
    expect_equal(s.get(app.metadata.id).metadata.id.org, "flyte", "the org of an app that was created without one")


@check("OSS-34")
def the_url_is_of_the_resource_name(s: Session) -> None:
    """public_url's host is the resource name and the plane's domain, the same in the response and later."""
    _expect_urls_of_resources(s, [s.app(), s.app(s.name("-").ljust(63, "u")), s.app(s.name("-UP").upper())])


@check("OSS-34", needs=("lenient",))
def the_url_is_of_the_resource_name_at_any_length(s: Session) -> None:
    """Where no cluster checks it, a name may be longer than a label, and public_url's host is the resource name."""
    _expect_urls_of_resources(s, [s.app(), s.app(s.name("-").ljust(70, "u"))])


def _expect_urls_of_resources(s: Session, apps: list[model.App]) -> None:
    domains: set[str] = set()
    for app in apps:
        url = s.create(app).status.ingress.public_url
        if not url:
            raise NotOffered("the plane has no domain for public URLs")
        parts = urlsplit(url)
        expect(parts.scheme in ("http", "https"), f"public_url should be http or https, not {url}")
        label, _, domain = parts.netloc.partition(".")
        expect_equal(label, resource(app.metadata.id), f"the first label of {url}")
        domains.add(domain)
        expect_equal(s.get(app.metadata.id).status.ingress.public_url, url, "public_url as Get gives it")
    expect_equal(len(domains), 1, f"the number of domains: {domains}")


@check("OSS-34")
def the_ingress_of_the_spec_has_no_effect(s: Session) -> None:
    """spec.ingress is stored as sent, and public_url is what it would be without."""
    app = s.app()
    app.spec.ingress.subdomain = "mine"
    app.spec.ingress.cname = "not a name"
    made = s.create(app)
    expect("mine" not in made.status.ingress.public_url, f"public_url is {made.status.ingress.public_url}")
    stored = s.get(app.metadata.id)
    expect_equal(stored.status.ingress, made.status.ingress, "the ingress that Get gives")
    expect_equal(stored.spec.ingress, app.spec.ingress, "spec.ingress")


@check("OSS-49", needs=("projects", "lenient"))
def an_id_with_slashes_comes_back_split(s: Session) -> None:
    """PROJECT/DOMAIN/NAME is split at its first two slashes, in Get and List; the URL is of the id that is shown."""
    name = s.name()
    app = s.app(name, project=f"{s.project}/sub")
    made = s.create(app)
    expect_equal(made.metadata.id, app.metadata.id, "the id in the response of Create")
    shown = s.id(f"{s.domain}/{name}", domain="sub")
    found = s.get(app.metadata.id)
    expect_equal(_place(found.metadata.id), _place(shown), "the id that Get shows")
    scope = s.scope(app.metadata.id.project)
    scope.domain = app.metadata.id.domain
    places = [_place(each.metadata.id) for each in s.list(project=scope).apps]
    expect(_place(shown) in places, f"List of the project that was sent should show {_place(shown)}, not {places}")
    if url := found.status.ingress.public_url:
        label = url.partition("://")[2].rpartition(f".{_domain_of(made, app.metadata.id)}")[0]
        expect_equal(label, resource(shown), f"what is before the domain in {url}")


def _domain_of(made: model.App, app_id: model.Identifier) -> str:
    return made.status.ingress.public_url.partition(f"://{resource(app_id)}.")[2]


@check("OSS-49", needs=("projects", "lenient"))
def ids_of_one_text_share_an_answer(s: Session) -> None:
    """Of two ids with one PROJECT/DOMAIN/NAME the second is answered with the cached app of the first."""
    name = s.name()
    first = s.app(name, project=f"{s.project}/sub")
    second = s.app(f"{s.domain}/{name}", domain="sub", image="img:2")
    s.create(first)
    s.create(second)
    expect_equal(s.get(first.metadata.id).spec, first.spec, "the spec of the first id")
    expect_equal(s.get(second.metadata.id).spec, first.spec, "the spec of the second id, as it is cached")
    s.create(second)
    expect_equal(s.get(second.metadata.id).spec, second.spec, "the spec of the second id once it was written")


@check("OSS-49", needs=("projects", "lenient"))
def an_id_with_slashes_is_watched_by_its_shown_name(s: Session) -> None:
    """Watch of the name that is shown has the events of the app, Watch of the name that was sent has none of them."""
    app = s.app(project=f"{s.project}/sub", image="img:slashes")
    sent = s.id(app.metadata.id.name)
    by_shown = given_received(s, s.id(f"{s.domain}/{sent.name}"))
    by_sent = given_received(s, sent)
    s.create(app)
    until(s, by_shown, lambda seen: seen.app.spec == app.spec, "the event of an app that is shown with that name")
    last = s.app(sent.name, image="img:last")
    s.create(last)
    found = until(s, by_sent, lambda seen: seen.app.spec == last.spec, "the event of an app of the name that was sent")
    expect(
        all(seen.app.spec != app.spec for seen in found), "a watch of the name that was sent should not show the app"
    )


@check("OSS-50", needs=("projects", "lenient"))
def letters_beyond_ascii_are_lowered_one_by_one(s: Session) -> None:
    """A capital I with a dot becomes an i, a capital sigma at the end of a word the one in its middle."""
    for tail in ("\u0130\u0130x", "\u039f\u03a3", "\u00dcX", "\u1e9e"):
        app_id = s.id(s.name("-") + tail)
        with expect_refusal("NOT_FOUND", f"Get of {tail}", opening=f"KService {resource(app_id)} not found"):
            s.get(app_id)


@check("OSS-50", needs=("projects", "lenient"))
def a_resource_name_is_cut_by_bytes(s: Session) -> None:
    """Up to 63 bytes of UTF-8 the resource name is the id; beyond, its first 54 bytes and a hash of the id."""
    letter = "\u00fc"
    start = s.name("-")
    start += "x" * (len(start) % 2)
    spare = 63 - len(f"{start}-{s.project}-{s.domain}")
    for count in (spare // 2, spare // 2 + 1, 40):
        app_id = s.id(start + letter * count)
        with expect_refusal("NOT_FOUND", "Get of an absent app", opening=f"KService {resource(app_id)} not found"):
            s.get(app_id)
