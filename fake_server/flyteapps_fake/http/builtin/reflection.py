"""gRPC's server reflection, v1 and v1alpha, so that tools such as grpcurl need no .proto files.

grpcio's own servicer answers. v1 and v1alpha have the same messages under two names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, cast

from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2

from flyteapps_fake.core.operations import Operation
from flyteapps_fake.http.endpoints import Duplex

SERVICE_FILES = (
    "flyteidl2.app.app_logs_service_pb2",
    "flyteidl2.app.app_service_pb2",
    "flyteidl2.artifact.artifact_service_pb2",
    "flyteidl2.auth.identity_pb2",
    "flyteidl2.cluster.service_pb2",
    "flyteidl2.dataproxy.dataproxy_service_pb2",
    "flyteidl2.imagebuilder.service_pb2",
    "flyteidl2.project.project_service_pb2",
    "flyteidl2.secret.secret_pb2",
    "flyteidl2.task.task_service_pb2",
    "flyteidl2.workflow.run_service_pb2",
)
"""The modules that describe the services; the server itself needs their messages alone."""
V1, V1ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"


def reflection_endpoints(services: Iterable[str]) -> Iterator[Duplex]:
    """Yield the two versions, which list those services and themselves."""
    listed = (
        *services,
        V1ALPHA,
    )  # not V1: grpcio has no descriptor of it, so that a client that lists would fail to resolve it

    @cache
    def servicer() -> Any:
        for module in SERVICE_FILES:
            import_module(module)
        from grpc_reflection.v1alpha.reflection import ReflectionServicer  # imports grpcio, which isn't needed before

        return ReflectionServicer(listed)

    def answer(request: Message) -> Iterable[Message]:
        return cast("Iterable[Message]", servicer().ServerReflectionInfo(iter((request,)), None))

    for name in (V1, V1ALPHA):
        messages = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
        yield Duplex(Operation(name, "ServerReflectionInfo", *messages, streaming=True), answer)
