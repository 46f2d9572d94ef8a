"""Hosts of apps: row CR-6. Names of hosts are made of names of the session, so that no other run has them."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.model.apps import is_generated
from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.session import RUN, STOP, Run, Session, copy

LABEL_LENGTH = 63
STEPS = 80
"""Steps of a history of hosts."""
NOT_SUBDOMAINS = ("a b", "-a", "a.b", "a-", "a..b", ".", "a/b", "a:1", "http://a", "a" * (LABEL_LENGTH + 1))
NOT_CNAMES = (
    "a b.example.com",
    "-a.example.com",
    "a-.example.com",
    "a..example.com",
    ".example.com",
    "a" * (LABEL_LENGTH + 1) + ".example.com",
    ".".join(["a" * 60] * 5),
    "http://a.example.com",
    "a.example.com:80",
    "a.example.com/path",
)


def split(app: model.App) -> SplitResult:
    """Return the parts of an app's public_url; Broken where it has none."""
    url = app.status.ingress.public_url
    parts = urlsplit(url)
    expect(parts.scheme and parts.netloc, f"status.ingress.public_url of {app.metadata.id.name} is no URL: {url!r}")
    return parts


def label(app: model.App) -> str:
    """Return the subdomain in its public_url: the last segment of a path, else the first label of the host.

    Raises NotOffered where each app has a port of its own.
    """
    parts = split(app)
    segments = [segment for segment in parts.path.split("/") if segment]
    if _has_port(app):
        raise NotOffered("each app has a port of its own there, and no subdomain in its URL")
    return segments[-1] if segments else parts.netloc.partition(".")[0]


def _has_port(app: model.App) -> bool:
    """Return whether the app has a port of its own, and no subdomain in its URL."""
    parts = split(app)
    return parts.hostname == "localhost" and parts.path in ("", "/")


def expect_generated(subdomain: str, app: model.App, what: str) -> None:
    """Broken unless it is a subdomain that a plane generates for the app."""
    name = app.metadata.id.name
    expect(is_generated(subdomain, name), f"{what}: not {name.lower()}-HASH with 8 characters of a hash: {subdomain!r}")


def with_ingress(s: Session, name: str | None = None, **ingress: object) -> model.App:
    """Return a stopped app, not yet created, that sends an ingress."""
    app = s.app(name, state=STOP)
    app.spec.ingress.CopyFrom(model.IngressConfig(**ingress))  # type: ignore[arg-type]  # bool or str, by field
    return app


# ---- what is generated


@check("CR-6")
def a_generated_subdomain_is_name_and_hash(s: Session) -> None:
    """A generated subdomain is the lower-case name, a hyphen and 8 characters of a hash: one DNS label."""
    longest = s.name()
    for name in (s.name(), s.name("-MiXed"), longest + "x" * (30 - len(longest))):
        made = s.given(s.app(name, state=STOP))
        expect_generated(made.spec.ingress.subdomain, made, f"the generated subdomain of {name}")
    for app in (with_ingress(s, private=True), with_ingress(s, cname=f"{s.name()}.example.com")):
        expect_generated(label(s.given(app)), app, "the host of an app that sends an ingress without a subdomain")


@check("CR-6")
def names_that_differ_in_case_get_two_subdomains(s: Session) -> None:
    """Two ids that differ in case alone get different subdomains."""
    name = s.name("-case")
    lower, upper = s.given(s.app(name, state=STOP)), s.create(s.app(name.upper(), state=STOP))
    expect(lower.spec.ingress.subdomain != upper.spec.ingress.subdomain, f"{name} and {name.upper()} share a subdomain")


@check("CR-6", needs=("projects",))
def a_name_in_two_projects_gets_two_subdomains(s: Session) -> None:
    """One name in two projects gets different subdomains."""
    here = s.given(s.app(state=STOP))
    there = s.create(s.app(here.metadata.id.name, state=STOP, project=s.project + "-b"))
    expect(here.spec.ingress.subdomain != there.spec.ingress.subdomain, "the same name in two projects")


@check("CR-6")
def a_created_again_id_gets_another_subdomain(s: Session) -> None:
    """An id that is created again is another incarnation: another generated subdomain, of the same shape."""
    old = s.given_stopped()
    s.given_deleted(old)
    new = s.given(s.app(old.metadata.id.name, state=STOP))
    expect_generated(new.spec.ingress.subdomain, new, "the subdomain of a re-created app")
    expect(new.spec.ingress.subdomain != old.spec.ingress.subdomain, "a re-created app has the old subdomain")


@check("CR-6", needs=("fresh",))
def planes_with_one_seed_generate_alike(s: Session) -> None:
    """Two planes with the same settings generate the same subdomain for one id."""
    app = s.app(state=STOP)
    with Session(s.plane.another(), Run(prefix=s.run.prefix, org=s.run.org, project=s.project)) as other:
        expected = other.given(app).spec.ingress.subdomain
    expect_equal(s.given(app).spec.ingress.subdomain, expected, "the generated subdomain on a second plane")


# ---- URLs


@check("CR-6")
def public_urls_differ_in_the_subdomain_alone(s: Session) -> None:
    """public_url is SCHEME://SUBDOMAIN.BASE_DOMAIN[:PORT] or SCHEME://HOST[:PORT]/.../SUBDOMAIN/, alike for all."""
    generated = s.given(s.app(state=STOP))
    own = s.create(with_ingress(s, subdomain=s.name("-own")))
    longest = s.name("-")
    long = s.create(with_ingress(s, subdomain=longest + "a" * (LABEL_LENGTH - len(longest))))
    label(generated)
    before, subdomain, after = split(generated).geturl().partition(generated.spec.ingress.subdomain)
    expect(subdomain, f"public_url lacks the generated subdomain: {generated.status.ingress.public_url}")
    by_host = before.endswith("://") and after.startswith(".")
    by_path = before.count("/") > 2 and before.endswith("/") and after in ("", "/")
    expect(by_host or by_path, f"the subdomain is no label and no segment: {generated.status.ingress.public_url}")
    for app in (generated, own, long):
        url = before + app.spec.ingress.subdomain + after
        for answer in (app, s.get(app.metadata.id)):
            expect_equal(answer.status.ingress.public_url, url, "status.ingress.public_url")


@check("CR-6")
def a_port_of_its_own_is_one_apps(s: Session) -> None:
    """Where public_url is http://localhost with a port, it is the app's alone and is kept by its updates."""
    one, two = s.given(s.app(state=STOP)), s.given(s.app(state=STOP))
    if not _has_port(one):
        raise NotOffered("public URLs have no ports of their own there")
    ports = [split(each).port for each in (one, two)]
    expect(ports[0] != ports[1], f"two apps have one port: {ports[0]}")
    wanted = copy(one)
    wanted.spec.container.image = "img:2"
    expect_equal(split(s.given_update(wanted)).port, ports[0], "the port after an update")


@check("CR-6")
def a_public_url_is_kept(s: Session) -> None:
    """public_url is kept across updates and stops, also where an update sends an ingress without a subdomain."""
    app = s.given(s.app())
    url = split(app).geturl()
    for state, image in ((RUN, "img:2"), (STOP, "img:2"), (STOP, "img:3"), (RUN, "img:3")):
        wanted = s.app(app.metadata.id.name, image=image, state=state)
        expect_equal(s.given_update(wanted).status.ingress.public_url, url, f"public_url after {image}, state {state}")
        expect_equal(s.get(app.metadata.id).status.ingress.public_url, url, "public_url in Get")
    private = with_ingress(s, app.metadata.id.name, private=True)
    expect_equal(s.given_update(private).status.ingress.public_url, url, "public_url after ingress { private }")


@check("CR-6")
def a_cname_url_is_there_if_a_cname_is(s: Session) -> None:
    """cname_url is https://CNAME if one is set, at Create or by Update, else empty."""
    cname = f"{s.name()}.example.com"
    made = s.given(with_ingress(s, cname=cname))
    for answer in (made, s.get(made.metadata.id)):
        expect_equal(answer.status.ingress.cname_url, f"https://{cname}", "cname_url of an app with a cname")
    app = s.given(s.app(state=STOP))
    expect_equal(app.status.ingress.cname_url, "", "cname_url of an app without a cname")
    for other in (f"{s.name()}.example.com", f"{s.name()}.example.org", ""):
        wanted = copy(app)
        wanted.metadata.revision = 0
        wanted.spec.ingress.cname = other
        url = f"https://{other}" if other else ""
        expect_equal(s.given_update(wanted).status.ingress.cname_url, url, "cname_url after an update of the cname")


# ---- taken


@check("CR-6")
def a_taken_host_is_refused_at_create(s: Session) -> None:
    """Creating an app with another's subdomain, sent or generated, or cname, in any case: FAILED_PRECONDITION."""
    subdomain, cname = s.name("-sub"), f"{s.name()}.example.com"
    owner = s.given(with_ingress(s, subdomain=subdomain, cname=cname))
    generated = s.given_stopped()
    taken = [
        with_ingress(s, subdomain=subdomain),
        with_ingress(s, subdomain=subdomain.upper()),
        with_ingress(s, subdomain=generated.spec.ingress.subdomain),
        with_ingress(s, cname=cname),
        with_ingress(s, cname=cname.upper()),
        with_ingress(s, subdomain=s.name(), cname=cname),
    ]
    with s.unchanged(owner, generated, absent=[app.metadata.id for app in taken]):
        for app in taken:
            with expect_refusal("FAILED_PRECONDITION", f"Create with a host that is taken: {_shown(app)}"):
                s.create(app)


@check("CR-6")
def a_taken_host_is_refused_at_update(s: Session) -> None:
    """Updating an app to another's subdomain or cname: FAILED_PRECONDITION; to its own it is none."""
    subdomain, cname = s.name("-sub"), f"{s.name()}.example.com"
    owner, app = s.given(with_ingress(s, subdomain=subdomain, cname=cname)), s.given_stopped()
    name = app.metadata.id.name
    with s.unchanged(owner, app):
        for wanted in (with_ingress(s, name, subdomain=subdomain), with_ingress(s, name, cname=cname)):
            with expect_refusal("FAILED_PRECONDITION", f"Update to a host that is taken: {_shown(wanted)}"):
                s.update(wanted)
    own = with_ingress(s, owner.metadata.id.name, subdomain=subdomain, cname=cname, private=True)
    s.update(own)


@check("CR-6")
def a_generated_host_is_taken_too(s: Session) -> None:
    """The host that was generated for an app whose ingress is set can't be another's subdomain."""
    owner = s.given(with_ingress(s, private=True))
    app = with_ingress(s, subdomain=label(owner))
    with s.unchanged(owner, absent=[app.metadata.id]), expect_refusal("FAILED_PRECONDITION", "Create with that host"):
        s.create(app)


@check("CR-6")
def a_host_is_free_once_its_app_lets_go(s: Session) -> None:
    """A subdomain and a cname can be taken once their app is deleted, a cname also once its app was updated."""
    subdomain, cname = s.name("-sub"), f"{s.name()}.example.com"
    s.given_deleted(s.given(with_ingress(s, subdomain=subdomain, cname=cname)))
    second = s.create(with_ingress(s, subdomain=subdomain, cname=cname))
    expect_equal(label(second), subdomain, "the host of the app that took it")
    s.given_update(with_ingress(s, second.metadata.id.name, subdomain=subdomain))
    third = s.create(with_ingress(s, cname=cname))
    expect_equal(third.status.ingress.cname_url, f"https://{cname}", "cname_url of the app that took the cname")


@check("CR-6")
def a_host_that_passed_on_is_the_other_apps(s: Session) -> None:
    """A cname that A let go and B took stays B's, whatever becomes of A: updated, deleted, created again."""
    cname = f"{s.name()}.example.com"
    first = s.given(with_ingress(s, cname=cname))
    name = first.metadata.id.name
    s.given_update(with_ingress(s, name, private=True))
    second = s.given(with_ingress(s, cname=cname))
    third = with_ingress(s, cname=cname)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("was taken", lambda: None),
        ("was taken, and its first app updated", lambda: s.given_update(s.app(name, image="img:2", state=STOP))),
        ("was taken, and its first app deleted", lambda: s.given_deleted(first)),
        ("was taken, and its first app created again", lambda: s.given(s.app(name, state=STOP))),
    ]
    for what, step in steps:
        step()
        with expect_refusal("FAILED_PRECONDITION", f"Create with a cname that {what}"):
            s.create(third)
        expect_equal(s.get_by_ingress(cname_url=f"https://{cname}"), second, f"Get by a cname that {what}")


@check("CR-6")
def hosts_pass_from_app_to_app(s: Session) -> None:
    """Of three apps that want the same hosts, each host is that of one or free, after each of their writes."""
    history, draw = _Hosts(s), random.Random(0)
    for _ in range(STEPS):
        history.go_on(draw)


class _Hosts:
    """A history of three ids that want two cnames and a subdomain: created, updated, deleted, created again."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self._names = [s.name() for _ in range(3)]
        self._cnames = [f"{s.name()}.example.com" for _ in range(2)]
        self._subdomain = s.name("-sub")
        self._apps: dict[str, model.App] = {}
        self._urls: dict[str, dict[str, str]] = {cname: {"cname_url": f"https://{cname}"} for cname in self._cnames}
        """By host, how it is asked for; that of the subdomain once an app has shown it."""

    def go_on(self, draw: random.Random) -> None:
        """Take a step, and look who has each host."""
        s, name = self._s, draw.choice(self._names)
        app = self._apps.get(name)
        if app is not None and draw.random() < 1 / 3:
            what = f"Delete of {name}"
            s.given_deleted(app)
            del self._apps[name]
        else:
            what = self._write(name, app, draw)
        for host, urls in self._urls.items():
            owner = next((each for each in self._apps.values() if host in _hosts_of(each)), None)
            if owner is not None:
                expect_equal(s.get_by_ingress(**urls), owner, f"Get by {urls} after {what}")
            else:
                with expect_refusal("NOT_FOUND", f"Get by {urls}, a host that is free, after {what}"):
                    s.get_by_ingress(**urls)

    def _write(self, name: str, app: model.App | None, draw: random.Random) -> str:
        """Create or update the app; refused it is where another one has a host of its."""
        subdomain = draw.choice(("", self._subdomain)) if app is None else app.spec.ingress.subdomain
        cname = draw.choice(("", *self._cnames))
        sent = with_ingress(self._s, name, subdomain=subdomain, cname=cname, private=True)
        sent.spec.container.image = f"img:{draw.random()}"
        what = f"{'Create' if app is None else 'Update'} of {name} with {_shown(sent)}"
        write = self._s.create if app is None else self._s.update
        if any(_hosts_of(sent) & _hosts_of(each) for each in self._apps.values() if each.metadata.id.name != name):
            with expect_refusal("FAILED_PRECONDITION", f"{what}, where a host is taken"):
                write(sent)
            return f"{what} was refused"
        written = self._apps[name] = write(sent)
        if subdomain and not _has_port(written):
            self._urls[subdomain] = {"public_url": written.status.ingress.public_url}
        return what


def _hosts_of(app: model.App) -> set[str]:
    return {app.spec.ingress.subdomain, app.spec.ingress.cname} - {""}


# ---- not a DNS name


@check("CR-6")
def what_is_no_dns_name_is_refused(s: Session) -> None:
    """A subdomain or a cname that isn't a DNS name is INVALID_ARGUMENT at Create, and nothing is created."""
    bad = [with_ingress(s, subdomain=text) for text in NOT_SUBDOMAINS]
    bad += [with_ingress(s, cname=text) for text in NOT_CNAMES]
    with s.unchanged(absent=[app.metadata.id for app in bad]):
        for app in bad:
            with expect_refusal("INVALID_ARGUMENT", f"Create with {_shown(app)}"):
                s.create(app)


@check("CR-6")
def what_is_no_dns_name_is_refused_at_update(s: Session) -> None:
    """A subdomain or a cname that isn't a DNS name is INVALID_ARGUMENT at Update, too, and nothing changes."""
    app = s.given_stopped()
    name = app.metadata.id.name
    bad = [with_ingress(s, name, subdomain=text) for text in NOT_SUBDOMAINS[:3]]
    bad += [with_ingress(s, name, cname=text) for text in NOT_CNAMES[:3]]
    with s.unchanged(app):
        for wanted in bad:
            with expect_refusal("INVALID_ARGUMENT", f"Update to {_shown(wanted)}"):
                s.update(wanted)


def _shown(app: model.App) -> str:
    ingress = app.spec.ingress
    return f"subdomain {ingress.subdomain!r}, cname {ingress.cname!r}"
