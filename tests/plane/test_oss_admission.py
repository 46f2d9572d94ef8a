"""The refusals of the cluster behind the dialect flyte-oss, by its level: of names, selectors, sizes; in its words."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App, Identifier
from google.protobuf.struct_pb2 import Struct

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import TAIL_LOGS, WATCH
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.flyte_oss.kubernetes.selector import Selector
from flyteapps_fake.flyte_oss.names import resource_name

from .api import STOP, Api, new_app
from .conftest import Refusal

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
TOO_LONG = "must be no more than 63 bytes"
DNS_1035 = (
    "not a DNS 1035 label: [a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')]: metadata.name"
)
WEBHOOK = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: '
LEVELS = ("none", "api", "knative")
LONG = "n" * 64


@contextmanager
def cluster(level: str, **more: Any) -> Generator[Api]:
    """Yield a client of a plane whose cluster is of that level."""
    options: dict[str, Any] = {"dialect": "flyte-oss", "clock": "manual", "kubernetes": level, **more}
    with FakeControlPlane(**options) as plane:
        api = Api(plane)
        yield api
        api.close()


def app_of(name: str = "demo", project: str = "proj", domain: str = "dev", args: str = "") -> App:
    """Return an app of that id, with one argument."""
    app = new_app()
    app.metadata.id.CopyFrom(Identifier(org="acme", project=project, domain=domain, name=name))
    app.spec.container.args[:] = [args]
    return app


def refusal(api: Api, app: App, *, update: bool = False) -> str:
    """Return the message of the refused write."""
    with Refusal(Code.INTERNAL) as refused:
        if update:
            api.stub.update(rpc.UpdateRequest(app=app))
        else:
            api.stub.create(rpc.CreateRequest(app=app))
    return refused.message


def name(text: str) -> str:
    return f"metadata.name: Invalid value: {json.dumps(text, ensure_ascii=False)}: {SUBDOMAIN}"


def label(text: str, why: str = LABEL) -> str:
    return f"metadata.labels: Invalid value: {json.dumps(text, ensure_ascii=False)}: {why}"


REFUSED_NAMES: list[tuple[App, list[str]]] = [
    (app_of("a_b"), [name("a_b-proj-dev")]),
    (app_of(project="a_b"), [name("demo-a_b-dev")]),
    (app_of(domain="a_b"), [name("demo-proj-a_b")]),
    (app_of(domain=""), [name("demo-proj-")]),
    (app_of("-a"), [name("-a-proj-dev"), label("-a")]),
    (app_of("a-"), [label("a-")]),
    (app_of(project="-p"), [label("-p")]),
    (app_of(""), [name("-proj-dev")]),
    (app_of(" "), [name(" -proj-dev"), label(" ")]),
    (app_of("é"), [name("é-proj-dev"), label("é")]),
    (app_of(LONG), [label(LONG, TOO_LONG)]),
    (app_of(project=LONG), [label(LONG, TOO_LONG)]),
    (app_of(domain=LONG), [label(LONG, TOO_LONG)]),
    (app_of(f"-{LONG}"), [name(f"-{'n' * 53}-HASH"), label(f"-{LONG}", TOO_LONG), label(f"-{LONG}")]),
    (app_of("d" * 53 + ".d"), [name("d" * 53 + ".-HASH")]),
]
"""Apps that the API server refuses, and all of what it says of each."""


@pytest.mark.parametrize(("app", "found"), REFUSED_NAMES, ids=lambda each: repr(each)[:40] if each else "")
def test_the_api_server_refuses_a_name(app: App, found: list[str]) -> None:
    """It says at once all that is wrong; Knative is not asked then. A Kubernetes in memory takes the app."""
    resource = resource_name(app.metadata.id)
    found = [each.replace("HASH", resource[-8:]) for each in found]
    texts = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    invalid = f"Service.serving.knative.dev {json.dumps(resource, ensure_ascii=False)} is invalid: {texts}"
    for level in ("api", "knative"):
        with cluster(level) as api:
            assert refusal(api, app) == f"failed to create KService {resource}: {invalid}"
            assert refusal(api, app, update=True) == f"failed to create KService {resource}: {invalid}"
            assert api.plane.count() == 0
    with cluster("none") as api:
        api.stub.create(rpc.CreateRequest(app=app))
        assert api.plane.count() == 1


@pytest.mark.parametrize("app", [app_of("a.b"), app_of(project="1.2"), app_of("1a"), app_of("d" * 52 + ".dd")])
def test_knative_refuses_what_is_no_dns_1035_label(app: App) -> None:
    """A dot, and a digit first, are refused by Knative's webhook alone."""
    resource = resource_name(app.metadata.id)
    with cluster("knative") as api:
        assert refusal(api, app) == f"failed to create KService {resource}: {WEBHOOK}{DNS_1035}"
        assert api.plane.count() == 0
    with cluster("api") as api:
        api.stub.create(rpc.CreateRequest(app=app))


@pytest.mark.parametrize(
    "app",
    [
        app_of("A" * 63),
        app_of("a", project=""),
        app_of("a--b"),
        app_of(project="1", domain="2"),
        app_of("a" * 63, "p" * 63, "d" * 63),
    ],
)
def test_any_cluster_takes_a_name(app: App) -> None:
    """Upper case, no project, hyphens inside, and 63 bytes each are taken on each level."""
    for level in LEVELS:
        with cluster(level) as api:
            api.stub.create(rpc.CreateRequest(app=app))
            assert api.plane.count() == 1


def test_labels_come_in_an_order_that_is_drawn() -> None:
    """The errors of several labels come in an order that begins with any of them, the same with one seed."""

    def answer(seed: int, name: str) -> str:
        with cluster("api", seed=seed) as api:
            return refusal(api, app_of(name, "p-", "d_"))

    answers = [answer(seed, "n-") for seed in range(24)]
    assert {text.index(label("n-")) < text.index(label("p-")) for text in answers} == {True, False}
    assert answers == [answer(seed, "n-") for seed in range(24)]


def test_an_update_is_checked_for_its_labels() -> None:
    """The name of a service that exists can't change; the labels of another id of the same name are refused."""
    with cluster("knative") as api:
        first = app_of("a", project="", domain="b-dev")
        api.stub.create(rpc.CreateRequest(app=first))
        other = app_of("a", project="-b", args="other")
        assert resource_name(other.metadata.id) == resource_name(first.metadata.id)
        assert refusal(api, other) == (
            f'failed to update KService a--b-dev: Service.serving.knative.dev "a--b-dev" is invalid: {label("-b")}'
        )
        assert api.stub.get(rpc.GetRequest(app_id=first.metadata.id)).app.spec == first.spec


@pytest.mark.parametrize(
    ("bad", "why"), [("a/b", "may not contain '/'"), ("a%b", "may not contain '%'"),
                     ("%/", "may not contain '/' may not contain '%'")]
)  # fmt: skip
def test_nothing_can_be_asked_about_some_names(bad: str, why: str) -> None:
    """Create, Get, stop, Delete and TailLogs of a name with "/" or "%" are refused by the backend's own client."""
    app = app_of(bad)
    app_id = app.metadata.id
    reason = f'invalid resource name "{bad}-proj-dev": [{why}]'
    for level in ("api", "knative"):
        with cluster(level) as api:
            assert refusal(api, app) == f"failed to get KService {bad}-proj-dev: {reason}"
            assert refusal(api, app, update=True) == f"failed to get KService {bad}-proj-dev: {reason}"
            stop = new_app(state=STOP)
            stop.metadata.id.CopyFrom(app_id)
            assert refusal(api, stop, update=True) == f"failed to patch KService {bad}-proj-dev to stop: {reason}"
            with Refusal(Code.INTERNAL) as refused:
                api.stub.get(rpc.GetRequest(app_id=app_id))
            assert refused.message == f"failed to get KService {bad}-proj-dev: {reason}"
            with Refusal(Code.INTERNAL) as refused:
                api.stub.delete(rpc.DeleteRequest(app_id=app_id))
            assert refused.message == f"failed to delete KService {bad}-proj-dev: {reason}"
            with pytest.raises(RpcError) as failed:
                api.plane.open(Call(TAIL_LOGS, logs_rpc.TailLogsRequest(app_id=app_id)))
            assert failed.value.message == f"failed to get KService for app proj/dev/{bad}: {reason}"


def test_what_cannot_be_built_is_refused_before_its_name() -> None:
    """The backend builds the service first."""
    with cluster("knative") as api:
        app = app_of("a/b")
        app.spec.pod.SetInParent()
        assert refusal(api, app).startswith("failed to build KService for app a/b-proj-dev: ")


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("a>10", "1000", True),
        ("a<1000", "10", True),
        ("a>5", "007", True),
        ("a<0", "-1", True),
        ("a>0", "9223372036854775808", False),
        ("a>0", "x", False),
    ],
)
def test_numbers_are_compared_as_int64(text: str, value: str, matches: bool) -> None:  # a row
    """A label is compared with a number where it is one itself."""
    assert Selector(text).matches({"a": value}) is matches


KEY = "values[0][flyte.org/project]: Invalid value: "
PARSE = "unable to parse requirement: "


@pytest.mark.parametrize(
    ("project", "why"),
    [
        ("-p", f'{PARSE}{KEY}"-p": {LABEL}'),
        ("a/b", f'{PARSE}{KEY}"a/b": {LABEL}'),
        (LONG, f'{PARSE}{KEY}"{LONG}": {TOO_LONG}'),
        (f"{LONG}é", f'{PARSE}{KEY}"{LONG}é": {TOO_LONG}; {LABEL}'),
        ("a b", "found 'b', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,b c", f"{PARSE}found 'c', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,=", "found '=', expected: identifier after ','"),
        ("==", f"{PARSE}found '=', expected: identifier"),
        ("a,b>x", f"{PARSE}values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
        (
            "a,b<9223372036854775808",
            f"{PARSE}values[0]: Invalid value: \"9223372036854775808\": for 'Gt', 'Lt' operators, the value must be an "
            "integer",
        ),
        ("a,!", f"{PARSE}found '', expected: identifier"),
        ("a,-b", f"{PARSE}<nil>: Invalid value: \"-b\": name part must consist of alphanumeric characters, '-', '_' or "
                 "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
                 "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"),
        ("a,b in c", f"{PARSE}found 'c' expected: '('"),
        ("a,b in (c", f"{PARSE}found '', expected: ',' or ')'"),
        ("a\nb", "found 'b', expected: ',' or 'end of string'"),
        ("a)", "found ')', expected: ',' or 'end of string'"),
    ],
)  # fmt: skip
def test_a_list_of_what_is_no_label_is_refused(project: str, why: str) -> None:
    """List, and a Watch's snapshot, select by a text; in memory no text is parsed, and nothing is found."""
    message = f"failed to list KServices for {project}/dev: {why}"
    request = rpc.ListRequest()
    request.project.name, request.project.domain = project, "dev"
    request.request.token = "no token"
    watch = rpc.WatchRequest(app_id=Identifier(project=project, domain="dev", name="demo"))
    for level in ("api", "knative"):
        with cluster(level) as api:
            with Refusal(Code.INTERNAL) as refused:
                api.stub.list(request)
            assert refused.message == message
            with pytest.raises(RpcError) as failed:
                api.plane.open(Call(WATCH, watch))
            assert failed.value.message == message
    request.request.token = ""
    with cluster("none") as api:
        api.create()
        assert not api.stub.list(request).apps


@pytest.mark.parametrize(
    ("project", "names"),
    [
        ("proj", ["a", "b", "c"]),
        (" proj\t", ["a", "b", "c"]),
        (" ", ["d"]),
        ("proj,flyte.org/app-name=b", ["b"]),
        ("proj,flyte.org/app-name!=b", ["a", "c"]),
        ("proj,flyte.org/app-name in (a,c)", ["a", "c"]),
        ("proj,flyte.org/app-name notin (a,,)", ["b", "c"]),
        ("proj,flyte.org/app-stopped", ["c"]),
        ("proj,!flyte.org/app-stopped", ["a", "b"]),
        ("proj,flyte.org/app-name>1", []),
        ("proj,other", []),
        ("notin", []),
    ],
)
def test_a_list_selects_by_what_is_written_into_its_text(project: str, names: list[str]) -> None:
    """A comma in a project's name begins another requirement, and blanks around it are none of it."""
    request = rpc.ListRequest()
    request.project.name, request.project.domain = project, "dev"
    with cluster("api") as api:
        for each in "abc":
            api.stub.create(rpc.CreateRequest(app=app_of(each)))
        stop = new_app(state=STOP)
        stop.metadata.id.CopyFrom(app_of("c").metadata.id)
        api.stub.update(rpc.UpdateRequest(app=stop))
        api.stub.create(rpc.CreateRequest(app=app_of("d", project="")))
        assert [each.metadata.id.name for each in api.stub.list(request).apps] == names


def test_logs_of_a_name_that_is_no_label() -> None:
    """TailLogs selects the pods by a text, too."""
    with cluster("knative") as api:
        request = logs_rpc.TailLogsRequest(app_id=app_of("a b").metadata.id)
        with pytest.raises(RpcError) as failed:
            api.plane.open(Call(TAIL_LOGS, request))
        text = "failed to list pods for app proj/dev/a b: found 'b-proj-dev', expected: ',' or 'end of string'"
        assert failed.value.message == text


ANNOTATIONS = "metadata.annotations: Too long: may not be more than 262144 bytes"
OTHER_BYTES = sum(
    map(len, ("flyte.org/spec-sha", "flyte.org/app-id", "flyte.org/app-org", "flyte.org/spec", "proj/dev/demo", "acme"))
)
LARGEST_SPEC = (262_144 - OTHER_BYTES - len("0123456789abcdef")) // 4 * 3


def sized(spec_bytes: int) -> App:
    """Return an app whose encoded spec has that many bytes."""
    app = app_of(args="x" * spec_bytes)
    beyond = len(encode(app.spec)) - spec_bytes
    app.spec.container.args[0] = "x" * (spec_bytes - beyond)
    assert len(encode(app.spec)) == spec_bytes
    return app


def test_a_spec_has_to_fit_in_an_annotation() -> None:
    """The limit counts the keys and values of the annotations that the backend writes, the spec in base64."""
    largest, larger = sized(LARGEST_SPEC), sized(LARGEST_SPEC + 1)
    invalid = f'Service.serving.knative.dev "demo-proj-dev" is invalid: {ANNOTATIONS}'
    for level in ("api", "knative"):
        with cluster(level) as api:
            assert refusal(api, larger) == f"failed to create KService demo-proj-dev: {invalid}"
            api.stub.create(rpc.CreateRequest(app=largest))
            assert refusal(api, larger, update=True) == f"failed to update KService demo-proj-dev: {invalid}"
            assert api.stub.get(rpc.GetRequest(app_id=largest.metadata.id)).app.spec == largest.spec
    with cluster("none") as api:
        api.stub.create(rpc.CreateRequest(app=larger))


@pytest.mark.parametrize("pod", [False, True])
def test_a_request_has_a_limit(pod: bool) -> None:
    """A request holds the spec in base64, and its payload once more: about 1.3 MB of it are too large."""

    def app(size: int) -> App:
        large = app_of(args="x" * size)
        if pod:
            spec = Struct()
            spec.update({"containers": [{"image": "img:1", "args": ["x" * size]}]})
            large.spec.pod.pod_spec.CopyFrom(spec)
        return large

    too_large = "failed to create KService demo-proj-dev: Request entity too large: limit is 3145728"
    with cluster("knative") as api:
        assert refusal(api, app(1_340_000)).endswith(ANNOTATIONS)
        assert refusal(api, app(1_355_000)) == too_large
        assert refusal(api, app(2_400_000)) == too_large
        assert refusal(api, app_of("a_b", args="x" * 2_000_000)).endswith("too large: limit is 3145728")


def test_a_request_is_larger_by_what_is_escaped() -> None:
    """Go writes each `<` of JSON as six characters."""
    with cluster("api") as api:
        assert "Request entity too large" in refusal(api, app_of(args="<" * 450_000))
        assert refusal(api, app_of(args="[" * 450_000)).endswith(ANNOTATIONS)


def test_a_refused_write_changes_nothing() -> None:
    """No event, no other state, the cached answer stays, and the next write goes as it would have gone."""
    with cluster("knative") as api, cluster("knative") as other:
        for each in (api, other):
            each.stub.create(rpc.CreateRequest(app=app_of()))
            each.plane.advance(3)
        cached = api.stub.get(rpc.GetRequest(app_id=app_of().metadata.id))
        stream = api.watch(app_id=app_of().metadata.id)
        stream.drain()
        refusal(api, app_of(args="x" * 200_000), update=True)
        refusal(api, app_of("a_b"))
        assert stream.drain() == []
        assert api.stub.get(rpc.GetRequest(app_id=app_of().metadata.id)) == cached
        for each in (api, other):
            each.stub.update(rpc.UpdateRequest(app=app_of(args="next")))
            each.plane.advance(3)
        lists = [each.stub.list(rpc.ListRequest()) for each in (api, other)]
        assert lists[0] == lists[1]
