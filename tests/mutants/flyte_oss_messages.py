"""Wrong planes of the dialect `flyte-oss`: what becomes of requests that no directed check sends."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.flyte_oss import writes
from flyteapps_fake.flyte_oss.dialect import FlyteOss
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.payloads import check_payload
from flyteapps_fake.flyte_oss.pending_writes import Steps
from flyteapps_fake.flyte_oss.services import DEFAULT_ORG, Service
from flyteapps_fake.flyte_oss.writes import Writes

from .planting import all_of, around, mutant

Planted = AbstractContextManager[Any]


def as_shown(change: Callable[[Spec], object]) -> Planted:
    """Alter the spec of each app as it is shown."""

    def app(real: Any, self: Service, *arguments: Any) -> App:
        shown = real(self, *arguments)
        change(shown.spec)
        return shown

    return around(Service, "app", app)


@mutant("OSS-81")
def unknown_fields_of_a_container_are_lost() -> Planted:
    def change(spec: Spec) -> None:
        if spec.HasField("container"):
            spec.container.DiscardUnknownFields()

    return as_shown(change)


@mutant("OSS-81")
def an_empty_part_of_a_spec_is_left_out() -> Planted:
    def change(spec: Spec) -> None:
        for field, value in spec.ListFields():
            if field.name in ("autoscaling", "timeouts") and not value.ByteSize():
                spec.ClearField(field.name)  # type: ignore[arg-type]  # the name of one of its fields

    return as_shown(change)


@mutant("OSS-81")
def long_arguments_are_cut() -> Planted:
    def change(spec: Spec) -> None:
        for texts in (spec.container.args, spec.container.command) if spec.HasField("container") else ():
            texts[:] = [each[:30] for each in texts]

    return as_shown(change)


@mutant("OSS-81")
def an_unknown_desired_state_is_none() -> Planted:
    def change(spec: Spec) -> None:
        if spec.desired_state not in Spec.DesiredState.values():
            spec.desired_state = Spec.DESIRED_STATE_UNSPECIFIED

    return as_shown(change)


@mutant("OSS-81")
def a_write_that_panics_has_removed_the_app() -> Planted:
    def write(real: Any, self: Writes, request: Any) -> Steps[App]:
        try:
            return (yield from real(self, request))
        except RpcError as error:
            service = self._cluster.services.get(resource_name(request.app.metadata.id))
            if error.code is Code.UNAVAILABLE and service is not None:
                self._operator.drop(service.resource)
                self._cluster.remove(service)
            raise

    return all_of(around(Writes, "create", write), around(Writes, "update", write))


@mutant("OSS-1")
def the_path_of_a_link_is_checked() -> Planted:
    def checked(resource: str, spec: Spec) -> None:
        if any("://" not in each.path for each in spec.links):
            raise RpcError(Code.INVALID_ARGUMENT, "links: path is no URI")
        check_payload(resource, spec)

    return patch.object(writes, "check_payload", checked)


@mutant("OSS-3")
def only_requested_quantities_are_checked() -> Planted:
    def checked(resource: str, spec: Spec) -> None:
        other = Spec()
        other.CopyFrom(spec)
        if other.HasField("container"):
            del other.container.resources.limits[:]
        check_payload(resource, other)

    return patch.object(writes, "check_payload", checked)


@mutant("OSS-20")
def the_app_of_another_org_is_not_deleted() -> Planted:
    def delete(real: Any, self: Writes, request: Any) -> Steps[Identifier]:
        if request.app_id.org not in ("", DEFAULT_ORG):
            return request.app_id
        return (yield from real(self, request))

    return around(Writes, "delete", delete)


@mutant("OSS-11")
def create_gives_back_no_unknown_fields() -> Planted:
    def create(real: Any, self: FlyteOss, request: Any) -> Steps[bytes]:
        encoded = yield from real(self, request)
        answer = request.__class__.FromString(encoded)
        answer.DiscardUnknownFields()
        return answer.SerializeToString()

    return around(FlyteOss, "_create", create)
