"""plane.serve(): real ports over the plane of this process, and grpcio's asyncio handlers."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.grpc.asyncio_servicer import AioServicer
from flyteapps_fake.http.loop_driver import LoopDriver

from .messages import create, get, watch

ACTIVE = definition.Status.DEPLOYMENT_STATUS_ACTIVE


def test_both_ports_show_one_plane() -> None:
    """What is written by Connect is read by gRPC and in process, and a watch drives the auto clock to ACTIVE."""
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


async def test_the_asyncio_handlers() -> None:
    """grpcio's asyncio server answers over the plane, refuses by status and ends its streams when told to."""
    async with FakeControlPlane() as plane:
        driver = LoopDriver(plane)
        driver.start()
        server = grpc.aio.server()
        servicer = AioServicer(plane)
        server.add_generic_rpc_handlers(tuple(servicer.handlers()))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = app_service_pb2_grpc.AppServiceStub(channel)
                await stub.Create(create("a"))
                with pytest.raises(grpc.RpcError) as caught:
                    await stub.Create(create("a"))
                assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS  # type: ignore[attr-defined]
                call = stub.Watch(watch("a"))
                async for event in call:
                    app = event.update_event.updated_app if event.HasField("update_event") else event.create_event.app
                    if app.status.conditions[-1].deployment_status == ACTIVE:
                        break
                servicer.end("the server is shutting down")
                with pytest.raises(grpc.RpcError) as ended:
                    await asyncio.wait_for(anext(aiter(call)), 10)
                assert ended.value.code() == grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        finally:
            await server.stop(0)
            driver.stop()
