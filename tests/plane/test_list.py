"""CONTRACT, section List (LI-1 to LI-5, LI-7)."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2, list_pb2

from .api import INVALID, STOP, Api, new_app, project
from .conftest import Refusal

ASC, DESC = list_pb2.Sort.ASCENDING, list_pb2.Sort.DESCENDING


def where(function: str, field: str, *values: str) -> list_pb2.Filter:
    """Return a filter."""
    return list_pb2.Filter(function=function, field=field, values=values)


def _label(item: list_pb2.Filter) -> str:
    """Return a filter's name in a test's id."""
    return f"{item.field}-{list_pb2.Filter.Function.Name(item.function)}"


def page(api: Api, token: str = "", limit: int = 2, **more: Any) -> tuple[list[str], str]:
    """Return the names on one page, and the token of the next."""
    answer = api.list(list_pb2.ListRequest(limit=limit, token=token, **more))
    return [a.metadata.id.name for a in answer.apps], answer.token


@pytest.fixture
def three(api: Api) -> Api:
    """Three apps: `web-a` (red, runs), `web-B` (blue, stopped), `job` (no label, another creator and domain)."""
    first = new_app("web-a")
    first.metadata.labels["team"] = "red"
    second = new_app("web-B", state=STOP)
    second.metadata.labels["team"] = "Blue"
    third = new_app("job", domain="prod", project="other", state=STOP)
    third.spec.creator.user.id.subject = "ada"
    for app in (first, second, third):
        api.create(app)
        api.settle()
    return api


def test_scopes(three: Api) -> None:
    """LI-1: by org, by project and domain, by the cluster that has the app now."""
    cluster = three.get("web-a").status.assigned_cluster
    assert three.names(org="acme") == ["web-a", "web-B", "job"]
    assert three.names(project=project()) == ["web-a", "web-B"]
    assert three.names(project=project("other", "prod")) == ["job"]
    assert three.names(project=project("other")) == []
    assert three.names(cluster_id=identifier_pb2.ClusterIdentifier(name=cluster)) == ["web-a"]
    assert three.names(cluster_id=identifier_pb2.ClusterIdentifier(name="nobody")) == []


def test_scope_by_consumed_artifact(api: Api) -> None:
    """LI-1: apps with an input of that artifact; an empty version means any."""
    for name, version in (("a", "v1"), ("b", "v2")):
        app = new_app(name)
        item = app.spec.inputs.items.add(name="model")
        item.artifact_id.key.project, item.artifact_id.key.domain, item.artifact_id.key.name = "proj", "dev", "m"
        item.artifact_id.version = version
        api.create(app)
    api.create(name="c")

    def consumers(name: str, version: str) -> list[str]:
        artifact = rpc.ConsumedArtifactFilter(project="proj", domain="dev", name=name, version=version)
        return api.names(artifact=artifact)

    assert consumers("m", "") == ["a", "b"]
    assert consumers("m", "v2") == ["b"]
    assert consumers("m", "v3") == consumers("n", "") == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([where("EQUAL", "name", "job")], ["job"]),
        ([where("NOT_EQUAL", "name", "job")], ["web-a", "web-B"]),
        ([where("CONTAINS", "name", "b-")], ["web-a", "web-B"]),
        ([where("CONTAINS", "name", "B-")], []),
        ([where("CONTAINS_CASE_INSENSITIVE", "name", "B-")], ["web-a", "web-B"]),
        ([where("ENDS_WITH", "name", "-B")], ["web-B"]),
        ([where("NOT_ENDS_WITH", "name", "-B")], ["web-a", "job"]),
        ([where("VALUE_IN", "name", "job", "web-a", "x")], ["web-a", "job"]),
        ([where("VALUE_NOT_IN", "name", "job", "web-a")], ["web-B"]),
        ([where("EQUAL", "project", "other")], ["job"]),
        ([where("EQUAL", "domain", "dev")], ["web-a", "web-B"]),
        ([where("EQUAL", "created_by", "ada")], ["job"]),
        ([where("EQUAL", "created_by", "anonymous")], ["web-a", "web-B"]),
        ([where("EQUAL", "labels.team", "red")], ["web-a"]),
        ([where("NOT_EQUAL", "labels.team", "red")], ["web-B", "job"]),
        ([where("CONTAINS", "labels.team", "e")], ["web-a", "web-B"]),
        ([where("CONTAINS_CASE_INSENSITIVE", "labels.team", "bL")], ["web-B"]),
        ([where("ENDS_WITH", "labels.team", "d")], ["web-a"]),
        ([where("NOT_ENDS_WITH", "labels.team", "d")], ["web-B", "job"]),
        ([where("VALUE_IN", "labels.team", "red", "Blue")], ["web-a", "web-B"]),
        ([where("VALUE_NOT_IN", "labels.team", "red")], ["web-B", "job"]),
        ([where("EXISTS", "labels.team")], ["web-a", "web-B"]),
        ([where("NOT_EXISTS", "labels.team")], ["job"]),
        ([where("EQUAL", "status_phase", "DEPLOYMENT_STATUS_ACTIVE")], ["web-a"]),
        ([where("NOT_EQUAL", "status_phase", "DEPLOYMENT_STATUS_ACTIVE")], ["web-B", "job"]),
        ([where("VALUE_IN", "status_phase", "DEPLOYMENT_STATUS_ACTIVE", "DEPLOYMENT_STATUS_FAILED")], ["web-a"]),
        ([where("VALUE_NOT_IN", "status_phase", "DEPLOYMENT_STATUS_STOPPED")], ["web-a"]),
        ([where("EQUAL", "desired_state", "DESIRED_STATE_STOPPED")], ["web-B", "job"]),
        ([where("EQUAL", "name", "job"), where("EQUAL", "created_by", "anonymous")], []),
        ([where("EXISTS", "labels.team"), where("EQUAL", "desired_state", "DESIRED_STATE_STOPPED")], ["web-B"]),
    ],
    ids=lambda v: "+".join(v if not v or isinstance(v[0], str) else [_label(f) for f in v]) or "none",
)
def test_filters(three: Api, filters: list[list_pb2.Filter], expected: list[str]) -> None:
    """LI-2: each field with each of its functions; all filters must hold."""
    assert three.names(*filters) == expected


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
def test_filters_of_times(three: Api, field: str) -> None:
    """LI-2: RFC 3339 with any offset, compared as instants."""
    middle = three.get("web-B").status.created_at.ToDatetime().isoformat() + "+00:00"
    stamp = three.get("web-B").status.created_at.ToJsonString()
    assert three.names(where("LESS_THAN", field, stamp)) == ["web-a"]
    assert three.names(where("LESS_THAN_OR_EQUAL", field, stamp)) == ["web-a", "web-B"]
    assert three.names(where("GREATER_THAN", field, stamp)) == ["job"]
    assert three.names(where("GREATER_THAN_OR_EQUAL", field, stamp)) == ["web-B", "job"]
    assert three.names(where("EQUAL", field, stamp)) == ["web-B"]
    assert three.names(where("NOT_EQUAL", field, stamp)) == ["web-a", "job"]
    assert three.names(where("GREATER_THAN", field, "1970-01-01T05:30:00+05:30"))
    assert three.names(where("LESS_THAN", field, middle)) in (["web-a"], ["web-a", "web-B"])


@pytest.mark.parametrize(
    "bad",
    [
        where("EQUAL", "nothing", "x"),
        where("EQUAL", "", "x"),
        where("EQUAL", "labels.", "x"),
        where("GREATER_THAN", "name", "x"),
        where("CONTAINS", "status_phase", "ACTIVE"),
        where("EQUAL", "status_phase", "ACTIVE"),
        where("EQUAL", "status_phase", "7"),
        where("EQUAL", "desired_state", "nonsense"),
        where("CONTAINS", "created_at", "2026"),
        where("EQUAL", "created_at", "yesterday"),
        where("EQUAL", "name"),
        where("EQUAL", "name", "a", "b"),
        where("VALUE_IN", "name"),
        where("EXISTS", "name"),
        where("EXISTS", "labels.team", "x"),
        list_pb2.Filter(function=99, field="name", values=["x"]),  # type: ignore[arg-type]  # no such number
    ],
    ids=lambda f: f"{f.field}-{f.function}-{len(f.values)}",
)
def test_other_filters_are_invalid(three: Api, bad: list_pb2.Filter) -> None:
    """LI-2: another field or function, a value of the wrong type or count: INVALID_ARGUMENT."""
    with Refusal(INVALID):
        three.names(bad)


def test_raw_filters_are_invalid(api: Api) -> None:
    """LI-2: raw_filters are not understood, and it is said."""
    with Refusal(INVALID):
        api.list(list_pb2.ListRequest(raw_filters=["eq(name,x)"]))


def test_without_a_sort_the_oldest_comes_first(three: Api) -> None:
    """LI-3: created_at ascending."""
    assert three.names() == ["web-a", "web-B", "job"]


@pytest.mark.parametrize(
    ("key", "ascending"),
    [
        ("created_at", ["web-a", "web-B", "job"]),
        ("updated_at", ["web-B", "job", "web-a"]),
        ("name", ["job", "web-B", "web-a"]),
        ("revision", ["job", "web-B", "web-a"]),
        ("status_phase", ["web-a", "job", "web-B"]),
    ],
)
def test_sort_keys(three: Api, key: str, ascending: list[str]) -> None:
    """LI-3: every key in both directions; a Sort without one is descending."""
    app = three.get("web-a")
    app.spec.container.image = "img:2"
    three.update(app)
    three.settle()
    assert three.names(sort_by=list_pb2.Sort(key=key, direction=ASC)) in (ascending, _by_id(ascending, key))
    falling = three.names(sort_by=list_pb2.Sort(key=key))
    assert falling == three.names(sort_by=list_pb2.Sort(key=key, direction=DESC))
    assert (falling[-1] if key != "revision" else falling[0]) == (ascending[0] if key != "revision" else "web-a")


def _by_id(names: list[str], key: str) -> list[str]:
    """Return the order in which the tie of `job` (project other) and `web-B` (project proj) falls differently."""
    if key not in ("revision", "status_phase"):
        return names
    a, b = names.index("job"), names.index("web-B")
    names = list(names)
    names[a], names[b] = names[b], names[a]
    return names


def test_sort_by_fields_wins(three: Api) -> None:
    """LI-3: the new list of sort fields is used, the deprecated one is not; several keys are applied in order."""
    request = list_pb2.ListRequest(
        sort_by=list_pb2.Sort(key="created_at", direction=ASC),
        sort_by_fields=[list_pb2.Sort(key="status_phase", direction=DESC), list_pb2.Sort(key="name", direction=DESC)],
    )
    assert [a.metadata.id.name for a in three.list(request).apps] == ["web-B", "job", "web-a"]


def test_an_unknown_sort_key_is_invalid(api: Api) -> None:
    """LI-3: INVALID_ARGUMENT, in either field."""
    with Refusal(INVALID):
        api.names(sort_by=list_pb2.Sort(key="nothing"))
    with Refusal(INVALID):
        api.list(list_pb2.ListRequest(sort_by_fields=[list_pb2.Sort(key="labels.team")]))


def test_limits(api: Api) -> None:
    """LI-4: 0 means 100, and more than 1,000 acts as 1,000."""
    for i in range(1001):
        api.create(name=f"a{i}", state=STOP)
    for limit, length in ((0, 100), (1, 1), (1000, 1000), (5000, 1000)):
        names, token = page(api, limit=limit)
        assert len(names) == length and token
    assert page(api, limit=5000, token=page(api, limit=1000)[1]) == (["a1000"], "")


def test_pages_are_chained(api: Api) -> None:
    """LI-4: following the tokens gives every app once, and the last page has none."""
    for i in range(5):
        api.create(name=f"a{i}", state=STOP)
    first, token = page(api)
    second, token2 = page(api, token)
    third, end = page(api, token2)
    assert first + second + third == ["a0", "a1", "a2", "a3", "a4"]
    assert token and token2 and end == ""


def test_a_page_ends_before_3_mib(api: Api) -> None:
    """LI-4: large apps make short pages, with one app at least."""
    for i in range(4):
        api.create(new_app(f"a{i}", image="i" * (1_200_000), state=STOP))
    first, token = page(api, limit=100)
    second, end = page(api, token, limit=100)
    assert (first, second, end) == (["a0", "a1"], ["a2", "a3"], "")


@pytest.mark.parametrize("key", ["created_at", "name"])
@pytest.mark.parametrize("direction", [ASC, DESC], ids=["asc", "desc"])
def test_pages_under_writes(api: Api, key: str, direction: int) -> None:
    """LI-4: an app that is there throughout appears exactly once, whatever is created and deleted meanwhile."""
    for i in range(10):
        api.create(name=f"a{i}", state=STOP)
    seen: list[str] = []
    token, step = "", 0
    while True:
        sort = list_pb2.Sort(key=key, direction=direction)  # type: ignore[arg-type]  # an enum value is a plain int
        names, token = page(api, token, sort_by=sort)
        seen += names
        if not token:
            break
        if seen[-1].startswith("a") and seen[-1] in ("a1", "a3", "a5", "a7"):
            api.delete(seen[-1])
        if step < 8:
            api.create(name=f"new{step}", state=STOP)
            api.create(name=f"0new{step}", state=STOP)
        step += 1
        assert step < 50
    kept = [f"a{i}" for i in (0, 2, 4, 6, 8, 9)]
    assert [seen.count(name) for name in kept] == [1] * len(kept)


def test_bad_tokens_are_invalid(api: Api) -> None:
    """LI-4: a forged token, or one of another query, is INVALID_ARGUMENT."""
    for i in range(5):
        api.create(name=f"a{i}", state=STOP)
    _, token = page(api)
    forged = ("abc", "0", token[:-2], token + "x", token[::-1])
    for bad in forged:
        with Refusal(INVALID):
            page(api, bad)
    with Refusal(INVALID):
        page(api, token, sort_by=list_pb2.Sort(key="name"))
    with Refusal(INVALID):
        page(api, token, filters=[where("EQUAL", "project", "proj")])
    with Refusal(INVALID):
        api.list(list_pb2.ListRequest(limit=2, token=token), project=project())


def test_a_token_of_another_plane_is_invalid(api: Api) -> None:
    """LI-4: a token does not outlive its plane's state."""
    for i in range(3):
        api.create(name=f"a{i}", state=STOP)
    with Refusal(INVALID):
        page(api, "Zm9yZ2Vk")


def test_the_total_counts_all_matches(three: Api) -> None:
    """LI-5: of the whole filtered scope, not of the page; without the flag 0."""
    request = list_pb2.ListRequest(limit=1, filters=[where("EXISTS", "labels.team")])
    assert three.list(request, include_total_count=True).total_count == 2
    assert three.list(request).total_count == 0


def test_identities_without_enrichment(three: Api) -> None:
    """LI-7: disable_identity_enrichment leaves the ids and drops what enriches them, which is there without it."""
    rich = new_app("rich")
    rich.spec.creator.user.id.subject = "ada"
    rich.spec.creator.user.spec.email = "ada@example.org"
    three.create(rich)
    assert [app.spec.creator.user.spec.email for app in three.list().apps if app.metadata.id.name == "rich"] != [""]
    for app in three.list(disable_identity_enrichment=True).apps:
        user = app.spec.creator.user
        assert user.id.subject in ("anonymous", "ada")
        assert not user.HasField("spec") and not user.roles
        for condition in app.status.conditions:
            assert not condition.actor.user.HasField("spec")


def test_a_listed_app_is_the_stored_one(three: Api) -> None:
    """LI-1: what List returns is what Get returns."""
    apps: list[model.App] = list(three.list(project=project()).apps)
    assert apps == [three.get("web-a"), three.get("web-B")]


def test_a_state_that_has_no_name_breaks_no_list(api: Api) -> None:
    """LI-2, ID-3: an app with a desired state of a later version is stored, and matches no name."""
    app = new_app("later")
    app.spec.desired_state = 99  # type: ignore[assignment]  # open enums take any number
    api.create(app)
    assert api.names(where("EQUAL", "desired_state", "DESIRED_STATE_ACTIVE")) == []
    assert api.names(where("NOT_EQUAL", "desired_state", "DESIRED_STATE_ACTIVE")) == ["later"]


def test_digits_of_other_scripts_make_no_time(api: Api) -> None:
    """LI-2: RFC 3339 knows ASCII digits alone."""
    with Refusal(INVALID):
        api.names(where("EQUAL", "created_at", "2026-01-01T00:00:00.\u0661Z"))
