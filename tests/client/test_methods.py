"""Our table of methods against flyteidl2's own clients, and our enums against the .proto files."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from connectrpc.method import MethodInfo
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_logs_payload_pb2 as logs
from flyteidl2.app.app_logs_service_connect import AppLogsServiceClientSync
from flyteidl2.app.app_service_connect import AppServiceClientSync

from flyteapps import DeploymentStatus, DesiredState, Substate
from flyteapps.flows import methods


class Recording:
    """Notes the method that a generated client calls."""

    method: MethodInfo[Any, Any]

    def execute_unary(self, *, request: Any, method: MethodInfo[Any, Any], **_: Any) -> None:
        self.method = method

    def execute_server_stream(self, *, request: Any, method: MethodInfo[Any, Any], **_: Any) -> None:
        self.method = method


class Apps(Recording, AppServiceClientSync):  # pyright: ignore[reportIncompatibleMethodOverride]
    pass


class Logs(Recording, AppLogsServiceClientSync):  # pyright: ignore[reportIncompatibleMethodOverride]
    pass


@pytest.mark.parametrize("name", ["create", "get", "update", "delete", "list", "watch"])
def test_our_methods_are_those_of_flyteidl2(name: str) -> None:
    """Name, service, messages, and whether it has side effects."""
    client = Apps("http://localhost")  # pyright: ignore[reportUnknownMemberType]
    ours: MethodInfo[Any, Any] = getattr(methods, name.upper())
    getattr(client, name)(ours.input())
    assert dataclasses.asdict(client.method) == dataclasses.asdict(ours)


def test_so_is_that_for_logs() -> None:
    """The one of the other service."""
    client = Logs("http://localhost")  # pyright: ignore[reportUnknownMemberType]
    client.tail_logs(logs.TailLogsRequest())
    assert dataclasses.asdict(client.method) == dataclasses.asdict(methods.tail_logs())


def test_our_enums_are_those_of_the_proto_files() -> None:
    """Every name and every number; an unknown number is kept."""
    assert {f"DEPLOYMENT_STATUS_{each.name}": each.value for each in DeploymentStatus} == dict(
        definition.Status.DeploymentStatus.items()
    )
    assert {f"DESIRED_STATE_{each.name}": each.value for each in DesiredState} == dict(
        definition.Spec.DesiredState.items()
    )
    names = {each.name: each.value for each in Substate}
    names["SUBSTATE_UNSPECIFIED"] = names.pop("UNSPECIFIED")
    assert names == dict(definition.Status.Substate.items())
    assert DeploymentStatus(99).name == "UNKNOWN_99"
    assert DeploymentStatus(99) == 99
