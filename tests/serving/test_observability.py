"""Observability of a server: metrics, health, reflection, traces, compressed answers."""

from __future__ import annotations

import gzip
import queue
import zlib
from typing import Any, cast

import grpc
import pytest
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client.parser import text_string_to_metric_families

from flyteapps_fake import FakeControlPlane

from .messages import create, get, watch
from .server_process import HTTP, ServerProcess, eventually

LIST = "/flyteidl2.app.AppService/List"


Key = tuple[str, frozenset[tuple[str, str]]]


def key(name: str, **labels: str) -> Key:
    return name, frozenset(labels.items())


def rpcs(method: str, code: str, service: str = "flyteidl2.app.AppService") -> Key:
    return key("flyteapps_rpcs_total", service=service, method=method, code=code)


def samples(port: int) -> dict[Key, float]:
    """Return the metrics of a server."""
    text = HTTP.get(f"http://127.0.0.1:{port}/metrics").text
    return {
        key(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_calls_by_code(server: ServerProcess) -> None:
    """Each answered call counts once, by service, method and code; its time goes into a histogram."""
    before = samples(server.port)
    with AppServiceClientSync(server.url) as client:
        client.create(create("counted"))
        client.get(get("counted"))
        with pytest.raises(Exception, match="not found"):
            client.get(get("not-there"))
    HTTP.post(server.url + "/a.B/C", content=b"", headers={"content-type": "application/json"})
    after = samples(server.console_port)

    def more(counted: Key) -> float:
        return after.get(counted, 0) - before.get(counted, 0)

    assert more(rpcs("Create", "OK")) == 1
    assert more(rpcs("Get", "OK")) == 1
    assert more(rpcs("Get", "NOT_FOUND")) == 1
    assert more(rpcs("other", "UNIMPLEMENTED", service="")) == 1
    labels = {"service": "flyteidl2.app.AppService", "method": "Get"}
    assert more(key("flyteapps_rpc_seconds_count", **labels)) == 2
    assert more(key("flyteapps_rpc_seconds_bucket", **labels, le="+Inf")) == 2
    assert more(key("flyteapps_apps")) == 1
    assert after[key("process_open_fds")] > 0


def test_metrics_know_open_streams(server: ServerProcess) -> None:
    """The gauge of open streams goes up and down with them."""
    with AppServiceClientSync(server.url) as client:
        client.create(create("gauged"))
        stream = client.watch(watch("gauged"))
        next(iter(stream))
        assert samples(server.port)[key("flyteapps_open_streams")] == 1
        assert samples(server.port)[key("flyteapps_plane_streams")] == 1
    del stream
    for gauge in (key("flyteapps_open_streams"), key("flyteapps_plane_streams")):
        eventually(lambda gauge=gauge: samples(server.port)[gauge] == 0, "the stream is still counted")
    assert samples(server.port)[rpcs("Watch", "CANCELED")] >= 1


def test_metrics_in_the_form_that_is_asked_for(server: ServerProcess) -> None:
    """Prometheus' own text, or OpenMetrics where the scraper prefers it."""
    plain = HTTP.get(f"{server.url}/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    newer = HTTP.get(f"{server.url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")


def test_health_with_details(server: ServerProcess) -> None:
    """/healthz says what is served, and how full it is."""
    for port in (server.port, server.console_port):
        details = HTTP.get(f"http://127.0.0.1:{port}/healthz").json()
        assert details["status"] == "SERVING"
        assert details["streams"]["limit"] == 20_000
        assert "flyteidl2.app.AppService" in details["services"]
        assert details["uptime_seconds"] >= 0 and details["version"]


def test_health_over_grpc(server: ServerProcess) -> None:
    """Check and Watch of gRPC's health service."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = cast("Any", health_pb2_grpc.HealthStub(channel))
        for name in ("", "flyteidl2.app.AppService", "grpc.health.v1.Health"):
            assert (
                stub.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
            )
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="no.such"))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND  # type: ignore[attr-defined]
        for name, status in (("", "SERVING"), ("no.such", "SERVICE_UNKNOWN")):
            call = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=20)
            assert next(call).status == health_pb2.HealthCheckResponse.ServingStatus.Value(status)
            call.cancel()


def test_health_watch_ends_with_the_server(kind: str) -> None:
    """A Watch of a server's health ends with UNAVAILABLE when the server ends."""
    server = ServerProcess("--server", kind)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = cast("Any", health_pb2_grpc.HealthStub(channel)).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        next(call)
        server.stop()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]


def test_reflection_by_grpcio(server: ServerProcess) -> None:
    """grpcio's reflection client finds the services, and describes what it finds."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        names = list(database.get_services())
        assert {"flyteidl2.app.AppService", "grpc.health.v1.Health"} <= set(names)
        for name in names:
            found = database.FindFileContainingSymbol(name)
            assert any(f"{found.package}.{service.name}" == name for service in found.service), name


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_answers_one_by_one(server: ServerProcess, version: str) -> None:
    """A reflection stream answers each question when it comes; what isn't there is answered by NOT_FOUND."""
    asked: queue.SimpleQueue[reflection_pb2.ServerReflectionRequest | None] = queue.SimpleQueue()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        method = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        answers = method(iter(asked.get, None), timeout=20)
        asked.put(reflection_pb2.ServerReflectionRequest(file_by_filename="flyteidl2/app/app_service.proto"))
        found = next(answers).file_descriptor_response.file_descriptor_proto
        names = {FileDescriptorProto.FromString(each).name for each in found}
        assert {"flyteidl2/app/app_service.proto", "buf/validate/validate.proto"} <= names
        asked.put(reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Thing"))
        assert next(answers).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        asked.put(None)
        assert list(answers) == []


def test_reflection_stub(server: ServerProcess) -> None:
    """The generated stub of v1alpha works, too."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = cast("Any", reflection_pb2_grpc.ServerReflectionStub(channel))
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=20)
        assert len(answer.list_services_response.service) >= 8


@pytest.fixture
def large(server: ServerProcess) -> payload.ListRequest:
    """A list whose answer is worth compressing."""
    request = create("large", stopped=True)
    request.app.metadata.id.project = "large"
    request.app.metadata.labels["padding"] = "x" * 40_000
    with AppServiceClientSync(server.url) as client:
        try:
            client.create(request)
        except Exception as error:
            assert "already exists" in str(error)
    listed = payload.ListRequest()
    listed.project.name, listed.project.domain, listed.project.organization = "large", "development", "flyte"
    return listed


def test_large_answers_are_compressed(server: ServerProcess, large: payload.ListRequest) -> None:
    """Connect, binary and JSON: gzip where the client takes it, and never where it doesn't."""
    for kind, content in (
        ("proto", large.SerializeToString()),
        ("json", b'{"project":{"name":"large","domain":"development"}}'),
    ):
        headers = {"content-type": f"application/{kind}"}
        for accepted, compressed in (
            ("gzip", True),
            ("br, gzip;q=0.5", True),
            ("identity", False),
            ("gzip;q=0", False),
        ):
            with HTTP.stream(
                "POST", server.url + LIST, content=content, headers=headers | {"accept-encoding": accepted}
            ) as answer:
                raw = b"".join(answer.iter_raw())
            encoding = answer.headers.get("content-encoding", "identity")
            assert (encoding == "gzip") is compressed, (kind, accepted)
            body = gzip.decompress(raw) if compressed else raw
            assert len(body) > 40_000 and (len(raw) < 10_000) is compressed


def test_small_answers_stay_plain(server: ServerProcess) -> None:
    """A small answer isn't compressed: on this machine it costs more than it saves."""
    headers = {"content-type": "application/json", "accept-encoding": "gzip"}
    answer = HTTP.post(server.url + LIST, json={"project": {"name": "none", "domain": "d"}}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding", "identity") == "identity"


def test_large_messages_are_compressed_in_frames(server: ServerProcess, large: payload.ListRequest) -> None:
    """gRPC-Web: the frame of a large message is compressed and says so, that of the trailers isn't."""
    message = large.SerializeToString()
    answer = HTTP.post(
        server.url + LIST,
        content=b"\0" + len(message).to_bytes(4, "big") + message,
        headers={"content-type": "application/grpc-web+proto", "grpc-accept-encoding": "gzip"},
    )
    assert answer.headers["grpc-encoding"] == "gzip"
    flags, size = answer.content[0], int.from_bytes(answer.content[1:5], "big")
    assert flags == 1
    listed = payload.ListResponse.FromString(zlib.decompress(answer.content[5 : 5 + size], 31))
    assert listed.apps[0].metadata.id.name == "large"
    assert answer.content[5 + size] == 0x80


def test_clients_take_compressed_answers(server: ServerProcess, large: payload.ListRequest) -> None:
    """grpcio and connectrpc, which accept gzip by themselves, read a compressed answer and a compressed event."""
    with AppServiceClientSync(server.url) as client, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = app_service_pb2_grpc.AppServiceStub(channel)
        assert stub.List(large).apps == client.list(large).apps
        request = payload.WatchRequest(project=large.project)
        call = stub.Watch(request, timeout=20)
        over_grpc = next(call)
        call.cancel()
        over_connect = next(iter(client.watch(request)))
        assert over_grpc.create_event.app == over_connect.create_event.app == client.list(large).apps[0]


def test_calls_are_traced() -> None:
    """With a provider of OpenTelemetry's SDK each call is a span, a child of its caller's."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with FakeControlPlane() as plane:
        server = plane.serve()
        with (
            AppServiceClientSync(server.url) as client,
            trace.get_tracer("test").start_as_current_span("caller") as caller,
        ):
            client.create(create("traced"))
            with pytest.raises(Exception, match="not found"):
                client.get(get("not-there"))
    made, refused = (span for span in exporter.get_finished_spans() if span.kind is trace.SpanKind.SERVER)
    assert made.name == "flyteidl2.app.AppService/Create"
    assert made.parent is not None and made.parent.is_remote
    assert made.parent.trace_id == caller.get_span_context().trace_id
    assert made.attributes is not None and made.attributes["flyteapps.app"] == "traced"
    assert refused.attributes is not None and refused.attributes["flyteapps.code"] == "NOT_FOUND"
    assert not refused.status.is_ok
