"""plane.serve(): real ports over the plane of this process, and grpcio's asyncio handlers."""

from __future__ import annotations

import threading
import time

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.servers.embedded import PATIENCE_SECONDS

from .asgi_calls import PATIENCE
from .messages import create, get, watch
from .raw_http2 import RawHttp2
from .test_edges import GRPC, WATCH, frame

ACTIVE = definition.Status.DEPLOYMENT_STATUS_ACTIVE


def test_both_ports_show_one_plane() -> None:
    """An app written by Connect is read by gRPC and in process, and a watch drives the auto clock to ACTIVE."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        with AppServiceClientSync(server.url) as client, grpc.insecure_channel(server.grpc_target) as channel:
            client.create(create("a"))
            stub = app_service_pb2_grpc.AppServiceStub(channel)
            call = stub.Watch(watch("a"), timeout=20)
            for event in call:
                app = event.update_event.updated_app if event.HasField("update_event") else event.create_event.app
                if app.status.conditions[-1].deployment_status == ACTIVE:
                    break
            call.cancel()
            assert plane.stub().get(get("a")).app == stub.Get(get("a")).app


def test_closing_ends_streams_with_unavailable() -> None:
    """close() ends the open streams of both ports with UNAVAILABLE, and the plane goes on in process."""
    with FakeControlPlane() as plane:
        server = plane.serve()
        plane.stub().create(create("a"))
        with AppServiceClientSync(server.url) as client, grpc.insecure_channel(server.grpc_target) as channel:
            over_connect = iter(client.watch(watch("a")))
            next(over_connect)
            over_grpc = app_service_pb2_grpc.AppServiceStub(channel).Watch(watch("a"))
            next(over_grpc)
            server.close()
            with pytest.raises(ConnectError) as connect_end:
                list(over_connect)
            with pytest.raises(grpc.RpcError) as grpc_end:
                list(over_grpc)
        assert connect_end.value.code == Code.UNAVAILABLE
        assert grpc_end.value.code() == grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        assert plane.stub().get(get("a")).app.metadata.id.name == "a"


def test_the_server_of_grpcio_starts_on_demand() -> None:
    """A served plane starts grpcio's threads when its port is first read, and not after it was closed."""

    def threads() -> list[str]:
        return [each.name for each in threading.enumerate() if "grpc" in each.name.lower()]

    with FakeControlPlane() as plane:
        before = threads()
        server = plane.serve()
        with AppServiceClientSync(server.url) as client:
            client.create(create("a"))
        assert threads() == before
        with grpc.insecure_channel(server.grpc_target) as channel:
            assert app_service_pb2_grpc.AppServiceStub(channel).Get(get("a")).app.metadata.id.name == "a"
        assert server.grpc_target == server.grpc_target
        unused = plane.serve()
        unused.close()
        with pytest.raises(RuntimeError, match="closed"):
            _ = unused.grpc_port


def test_closing_is_immediate_where_no_call_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that a client keeps are ended without grace, also one whose last stream the client has reset."""
    monkeypatch.setattr("flyteapps_fake.servers.hypercorn.server.GRACE_SECONDS", 10 * PATIENCE_SECONDS)
    with FakeControlPlane() as plane:
        server = plane.serve()
        with RawHttp2(server.port) as raw, AppServiceClientSync(server.url) as client:
            client.create(create("a"))
            raw.reset(raw.asked(WATCH, GRPC, frame(watch("a").SerializeToString())))
            until = time.monotonic() + PATIENCE
            while plane.open_streams():
                assert time.monotonic() < until
                time.sleep(0.01)
            started = time.monotonic()
            server.close()
            assert time.monotonic() - started < PATIENCE_SECONDS
