"""The cluster behind flyte-oss, which refuses what the backend takes: rows OSS-55 to OSS-59."""

from __future__ import annotations

from flyteapps_contract.checks.support.oss import given_watched, resource, shown, silent
from flyteapps_contract.checks.support.oss_clusters import (
    API,
    DNS_1035,
    KNATIVE,
    SUBDOMAIN,
    Case,
    expect_alike,
    is_refused,
    judge,
    refuse_update,
)
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import STOP, Session, copy

MAX_LABEL_BYTES = 63
CUT = 54
"""Bytes of a long resource name before its hyphen and hash."""
FITS_BYTES, TOO_LONG_BYTES, TOO_LARGE_BYTES = 190_000, 200_000, 2_000_000
"""Bytes of an argument: of a spec that fits in an annotation, of one that doesn't, of one that no request may have."""

LABEL = "a valid label must be an empty string or consist of"
TOO_LONG = "must be no more than 63 bytes"


@check("OSS-55")
def names_are_labels_of_a_cluster(s: Session) -> None:
    """A name that a cluster can't have is INTERNAL in the words of the cluster, and nothing is created; or all are."""
    long_name = s.name("-").ljust(CUT - 1, "d") + ".d"
    judge(
        s,
        [
            Case(API, s.app(s.name("_a")), SUBDOMAIN),
            Case(API, s.app("-" + s.name()), SUBDOMAIN),
            Case(API, s.app(s.name("-")), LABEL),
            Case(API, s.app(s.name(" a")), SUBDOMAIN),
            Case(API, s.app(s.name("é")), SUBDOMAIN),
            Case(API, s.app(s.name("-").ljust(MAX_LABEL_BYTES + 1, "n")), TOO_LONG),
            *([Case(API, s.app(long_name), SUBDOMAIN)] if "." in resource(s.id(long_name)) else ()),
            Case(KNATIVE, s.app(s.name(".a")), DNS_1035),
            Case(KNATIVE, s.app("1" + s.name()), DNS_1035),
        ],
    )


@check("OSS-55", needs=("projects",))
def projects_and_domains_are_labels_of_a_cluster(s: Session) -> None:
    """A project or a domain that a cluster can't have is refused in the same words; or all are taken."""
    judge(
        s,
        [
            Case(API, s.app(project=f"{s.project}_a"), SUBDOMAIN),
            Case(API, s.app(project=f"{s.project}-".ljust(MAX_LABEL_BYTES + 1, "p")), TOO_LONG),
            Case(API, s.app(project=f"-{s.project}"), LABEL),
            Case(API, s.app(domain=""), SUBDOMAIN),
        ],
    )


@check("OSS-56")
def a_slash_is_no_part_of_a_name(s: Session) -> None:
    """Create, Get, stop and Delete of an id with "/" are INTERNAL, each in its words; or it is an id as others."""
    app = s.app(s.name("/b"))
    name = resource(app.metadata.id)
    reason = f"KService {name}: invalid resource name \"{name}\": [may not contain '/']"
    if not is_refused(s, app, f"failed to get {reason}"):
        s.delete(app.metadata.id)
        return
    with expect_refusal("INTERNAL", "Get of an id with a slash", opening=f"failed to get {reason}"):
        s.get(app.metadata.id)
    with expect_refusal("INTERNAL", "Delete of an id with a slash", opening=f"failed to delete {reason}"):
        s.delete(app.metadata.id)
    stop = copy(app)
    stop.spec.desired_state = STOP
    opening = "failed to patch " + reason.replace(f"{name}:", f"{name} to stop:", 1)
    with expect_refusal("INTERNAL", "an update that stops an id with a slash", opening=opening):
        s.update(stop)


@check("OSS-57", needs=("projects",))
def list_selects_by_a_text(s: Session) -> None:
    """List of a project that is no label is INTERNAL: the cluster selects by a text, in which it isn't escaped."""
    refusals = [is_refused(s, s.app(s.name("_a")), "failed to create KService ", SUBDOMAIN)]
    for project, says in (
        ("-p", "unable to parse requirement: "),
        (f"{s.project}/b", "unable to parse requirement: "),
        ("p" * (MAX_LABEL_BYTES + 1), "unable to parse requirement: "),
        ("a b", "found 'b', expected: ',' or 'end of string'"),
    ):
        try:
            found = s.names(project=s.scope(project))
        except Refused as error:
            opening = f"failed to list KServices for {project}/{s.domain}: {says}"
            expect_equal(error.code, "INTERNAL", f"the code of List of project {project!r}")
            expect(error.message.startswith(opening), f"List of project {project!r} should begin {opening!r}: {error}")
            refusals.append(True)
        else:
            expect_equal(found, [], f"the apps of project {project!r}")
            refusals.append(False)
    expect_alike(s, refusals, API)


@check("OSS-58")
def a_cluster_bounds_the_size_of_a_spec(s: Session) -> None:
    """A spec of 190 kB is taken; of 200 kB, and of 2 MB, it is INTERNAL in the cluster's words, or both are taken."""
    app = s.app()
    app.spec.container.args[:] = ["x" * FITS_BYTES]
    s.create(app)
    cases = [Case(API, s.app(s.name("_a")), SUBDOMAIN)]
    for size, says in (
        (TOO_LONG_BYTES, "metadata.annotations: Too long: may not be more than 262144 bytes"),
        (TOO_LARGE_BYTES, "Request entity too large: limit is 3145728"),
    ):
        cases.append(Case(API, s.app(), says))
        cases[-1].app.spec.container.args[:] = ["x" * size]
    judge(s, cases)


@check("OSS-59", needs=("cluster",))
def what_a_cluster_refuses_changes_nothing(s: Session) -> None:
    """After an update that the cluster refused, the app is as it was, no event comes, and the next update is taken."""
    app, watcher = given_watched(s)
    before = shown(s, app.metadata.id)
    refused = copy(app)
    refused.ClearField("status")
    refused.spec.container.args[:] = ["x" * TOO_LONG_BYTES]
    taken = "the cluster takes a spec of 200 kB, and refuses nothing that is known"
    refuse_update(s, refused, "", "a spec of 200 kB", taken)
    silent(s, watcher)
    expect_equal(shown(s, app.metadata.id).spec, before.spec, "the spec after an update that was refused")
    refused.spec.container.args[:] = ["serve", "again"]
    s.update(refused)
    expect_equal(shown(s, app.metadata.id).spec, refused.spec, "the spec after the next update")
