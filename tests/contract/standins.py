"""The stand-in as targets of the contract suite: in process, over Connect, over gRPC; each check gets its own plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import cast

import grpc
from flyteidl2.app.app_service_connect import AppServiceClient

from flyteapps_contract.targets.connect import ConnectLink
from flyteapps_contract.targets.grpc_channel import GrpcLink
from flyteapps_contract.targets.grpc_servicer import ServicerLink
from flyteapps_contract.targets.planes import InProcess, PlanesTarget
from flyteapps_contract.targets.target import ADMIN, BLIND, VIEWER, Capabilities, Link
from flyteapps_contract.targets.wire import Wire
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth, User
from flyteapps_fake.grpc.servicer import SyncServicer

from .direct_link import DirectLink

SHARED = ("shared", "east", "west")
CAPABILITIES = Capabilities(
    fresh=True, clock=True, failing={"flyteapps.dev/scenario": "image-pull-error"}, shared=SHARED, lease_seconds=60.0
)


PUBLIC_PORT = 8080
"""The port in the public URLs of served planes: with those of their servers, equal planes would answer otherwise."""


def fresh() -> FakeControlPlane:
    """Return a plane on the manual clock, with a pool that two clusters serve."""
    return FakeControlPlane(clock="manual", pools={SHARED[0]: SHARED[1:]})


def fresh_to_serve() -> FakeControlPlane:
    """Return the same, whose public URLs are paths on one port."""
    return FakeControlPlane(clock="manual", pools={SHARED[0]: SHARED[1:]}, ingress_port=PUBLIC_PORT)


OSS_CAPABILITIES = Capabilities(
    fresh=True,
    clock=True,
    failing={"flyteapps.dev/scenario": "image-pull-error"},
    conflicting={"flyteapps.dev/scenario": "write-conflict"},
    dialect="flyte-oss",
)


def fresh_oss() -> FakeControlPlane:
    """Return a plane of the open-source backend's dialect, on a cluster with Knative, on the manual clock."""
    return FakeControlPlane(dialect="flyte-oss", clock="manual", ingress_port=PUBLIC_PORT)


def fresh_racing_oss() -> FakeControlPlane:
    """Return the same with writes that take 5 ms, on the auto clock, which goes there while clients wait."""
    return FakeControlPlane(dialect="flyte-oss", clock="auto", ingress_port=PUBLIC_PORT, write_seconds=0.005)


LENIENT_OSS_CAPABILITIES = replace(OSS_CAPABILITIES, lenient=True)


def fresh_lenient_oss() -> FakeControlPlane:
    """Return the same without a cluster that checks what is written."""
    return FakeControlPlane(dialect="flyte-oss", clock="manual", ingress_port=PUBLIC_PORT, kubernetes="none")


USERS = [User(ADMIN, "admin"), User(VIEWER), User(BLIND, visible=["none-*"])]
AUTHENTICATED = replace(CAPABILITIES, authenticated=True, issues_tokens=True)


def fresh_with_callers() -> FakeControlPlane:
    """Return a plane on the manual clock whose callers need credentials."""
    return FakeControlPlane(clock="manual", pools={SHARED[0]: SHARED[1:]}, auth=Auth(users=USERS))


def _issue(plane: InProcess, caller: str, expires_in: float | None, claims: Mapping[str, object]) -> str:
    return cast("FakeControlPlane", plane).token(caller, expires_in, **claims)


def _revoke(plane: InProcess, token: str) -> None:
    cast("FakeControlPlane", plane).revoke_token(token)


def _as_admin(plane: InProcess) -> dict[str, str]:
    """Return the headers of a caller with all rights, whose token outlives each check."""
    return {"authorization": f"Bearer {_issue(plane, ADMIN, 1e8, {})}"}


def _direct_as_admin(plane: InProcess, stack: ExitStack) -> Link:
    return ConnectLink(plane.async_stub(), _as_admin(plane))


def _over_connect_as_admin(plane: InProcess, stack: ExitStack) -> Link:
    server = cast("FakeControlPlane", plane).serve()
    link = ConnectLink(AppServiceClient(server.url), _as_admin(plane))
    link.wire = Wire(server.url.removeprefix("http://"))
    return link


def _over_grpc_as_admin(plane: InProcess, stack: ExitStack) -> Link:
    server = cast("FakeControlPlane", plane).serve()
    return GrpcLink(grpc.insecure_channel(server.grpc_target), _as_admin(plane))


def _authenticated(name: str, connect: Callable[[InProcess, ExitStack], Link], **more: bool) -> PlanesTarget:
    return PlanesTarget(
        fresh_with_callers,
        name=name,
        capabilities=replace(AUTHENTICATED, **more),
        connect=connect,
        move=_move,
        shut=_shut,
        issue=_issue,
        revoke=_revoke,
    )


def authenticated() -> PlanesTarget:
    """Return planes in this process whose callers need credentials."""
    return _authenticated("in process, authenticated", _direct_as_admin)


def authenticated_over_connect() -> PlanesTarget:
    """Return the same behind the front, on real ports."""
    return _authenticated("Connect, authenticated", _over_connect_as_admin, http=True)


def authenticated_over_grpc() -> PlanesTarget:
    """Return the same behind grpcio's servicer, on real ports."""
    return _authenticated("gRPC, authenticated", _over_grpc_as_admin)


def _move(plane: InProcess, seconds: float) -> None:
    cast("FakeControlPlane", plane).advance(seconds)


def _shut(plane: InProcess) -> None:
    cast("FakeControlPlane", plane).end_streams("the plane is shutting down")


def _direct(plane: InProcess, stack: ExitStack) -> Link:
    return DirectLink(cast("FakeControlPlane", plane).transport())


def _over_connect(plane: InProcess, stack: ExitStack) -> Link:
    server = cast("FakeControlPlane", plane).serve()
    link = ConnectLink(AppServiceClient(server.url))
    link.wire = Wire(server.url.removeprefix("http://"))
    return link


def _over_grpc(plane: InProcess, stack: ExitStack) -> Link:
    server = cast("FakeControlPlane", plane).serve()
    return GrpcLink(grpc.insecure_channel(server.grpc_target))


def _to_servicer(plane: InProcess, stack: ExitStack) -> Link:
    return ServicerLink(SyncServicer(cast("FakeControlPlane", plane)))


def in_process() -> PlanesTarget:
    """Return planes in this process, on the manual clock, with the public URLs of served ones: responses are equal."""
    return PlanesTarget(fresh_to_serve, name="in process", capabilities=CAPABILITIES, move=_move, shut=_shut)


def direct() -> PlanesTarget:
    """Return the same without a reader that runs ahead: for what doesn't fill a stream's buffer, and is to be fast."""
    return PlanesTarget(fresh, name="in process", capabilities=CAPABILITIES, connect=_direct, move=_move, shut=_shut)


def over_connect() -> PlanesTarget:
    """Return the same behind the front, on real ports."""
    capabilities = replace(CAPABILITIES, http=True, raw_grpc=True)
    return PlanesTarget(
        fresh_to_serve, name="Connect", capabilities=capabilities, connect=_over_connect, move=_move, shut=_shut
    )


def over_grpc() -> PlanesTarget:
    """Return the same behind grpcio's servicer, on real ports."""
    return PlanesTarget(
        fresh_to_serve, name="gRPC", capabilities=CAPABILITIES, connect=_over_grpc, move=_move, shut=_shut
    )


def in_grpcio_testing() -> PlanesTarget:
    """Return the same servicer in grpcio's test server, without a port."""
    return PlanesTarget(
        fresh, name="grpcio-testing", capabilities=CAPABILITIES, connect=_to_servicer, move=_move, shut=_shut
    )


def oss_in_process() -> PlanesTarget:
    """Return planes of the open-source backend's dialect in this process, on the manual clock."""
    return PlanesTarget(fresh_oss, name="flyte-oss in process", capabilities=OSS_CAPABILITIES, move=_move)


def oss_direct() -> PlanesTarget:
    """Return the same without a reader that runs ahead."""
    return PlanesTarget(
        fresh_oss, name="flyte-oss in process", capabilities=OSS_CAPABILITIES, connect=_direct, move=_move
    )


def oss_racing() -> PlanesTarget:
    """Return planes of that dialect whose writes take time, in which writers at once meet."""
    capabilities = replace(OSS_CAPABILITIES, clock=False)
    return PlanesTarget(fresh_racing_oss, name="flyte-oss, racing", capabilities=capabilities, connect=_direct)


def drawn_on(dialect: str) -> PlanesTarget:
    """Return the planes on which much is drawn of a dialect."""
    return oss_direct() if dialect == OSS_CAPABILITIES.dialect else direct()


def lenient_oss_in_process() -> PlanesTarget:
    """Return planes of that dialect without a cluster that checks what is written."""
    return PlanesTarget(
        fresh_lenient_oss, name="flyte-oss, lenient, in process", capabilities=LENIENT_OSS_CAPABILITIES, move=_move
    )


def oss_over_connect() -> PlanesTarget:
    """Return planes of that dialect behind the front, on real ports."""
    capabilities = replace(OSS_CAPABILITIES, http=True)
    return PlanesTarget(
        fresh_oss, name="flyte-oss over Connect", capabilities=capabilities, connect=_over_connect, move=_move
    )


def lenient_oss_over_connect() -> PlanesTarget:
    """Return the same without a cluster that checks what is written."""
    capabilities = replace(LENIENT_OSS_CAPABILITIES, http=True)
    return PlanesTarget(
        fresh_lenient_oss,
        name="flyte-oss, lenient, over Connect",
        capabilities=capabilities,
        connect=_over_connect,
        move=_move,
    )


def oss_over_grpc() -> PlanesTarget:
    """Return planes of that dialect behind grpcio's servicer, on real ports."""
    return PlanesTarget(
        fresh_oss, name="flyte-oss over gRPC", capabilities=OSS_CAPABILITIES, connect=_over_grpc, move=_move
    )
