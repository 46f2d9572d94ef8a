"""Wrong planes of the dialect `flyte-oss`, in the specs that Knative refuses."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from flyteidl2.app.app_definition_pb2 import App
from flyteidl2.app.app_payload_pb2 import UpdateRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.flyte_oss import names
from flyteapps_fake.flyte_oss.kubernetes import admission
from flyteapps_fake.flyte_oss.kubernetes.field_errors import joined
from flyteapps_fake.flyte_oss.kubernetes.spec_rules import violations
from flyteapps_fake.flyte_oss.kubernetes.specs import containers, pods, scaling, template
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import invalid
from flyteapps_fake.flyte_oss.writes import Writes

from .planting import around, mutant, same

Planted = AbstractContextManager[Any]


@mutant("OSS-60")
def any_text_is_an_image() -> Planted:
    return patch.object(containers, "is_reference", same(True))


@mutant("OSS-60")
def knative_keeps_two_ports() -> Planted:
    return patch.object(containers, "RESERVED_PORTS", frozenset({8012, 8022}))


@mutant("OSS-60")
def only_the_first_error_is_reported() -> Planted:
    def joined(errors: Any) -> str:
        return str(next(iter(errors))).partition("\n")[0]

    return patch.object(admission, "joined", joined)


@mutant("OSS-61")
def a_variable_may_be_called_port() -> Planted:
    return patch.object(containers, "RESERVED_VARIABLES", containers.RESERVED_VARIABLES - {"PORT"})


@mutant("OSS-61")
def a_variable_may_come_twice() -> Planted:
    return patch.object(admission, "schema_errors", same([]))


@mutant("OSS-61")
def the_backend_adds_no_variables() -> Planted:
    return patch.object(template, "ADDED_VARIABLES", ())


@mutant("OSS-62")
def a_window_may_be_short() -> Planted:
    return patch.object(scaling, "MIN_WINDOW_NS", scaling.MIN_WINDOW_NS // 2)


@mutant("OSS-62")
def a_timeout_may_be_negative() -> Planted:
    return patch.object(scaling, "TIMEOUTS", ())


@mutant("OSS-62")
def scaling_is_not_checked() -> Planted:
    return patch.object(scaling, "ANNOTATIONS", ())


@mutant("OSS-63")
def a_feature_that_is_off_is_an_invalid_value() -> Planted:
    return patch.object(pods, "forbidden", lambda field: invalid("", field))


@mutant("OSS-63")
def a_pod_without_containers_is_taken() -> Planted:
    rules = tuple(rule for rule in pods.PODS if rule.what != "a pod with an empty list of containers")
    return patch.object(pods, "PODS", rules)


@mutant("OSS-63")
def an_account_may_have_any_name() -> Planted:
    rules = tuple(rule for rule in pods.PODS if not rule.what.startswith("a service account"))
    return patch.object(pods, "PODS", rules)


@mutant("OSS-64")
def a_refused_update_is_stored() -> Planted:
    def deploy(real: Any, self: Writes, app: App) -> Any:
        try:
            return (yield from real(self, app))
        except RpcError as error:
            service = self._cluster.services.get(names.resource_name(app.metadata.id))
            if service is not None and "denied the request" in error.message:
                self._cluster.put(replace(service, spec=encode(app.spec)))
            raise

    return around(Writes, "_deploy", deploy)


@mutant("OSS-64")
def a_stop_is_a_deploy_to_knative() -> Planted:
    def update(real: Any, self: Writes, request: UpdateRequest) -> Any:
        if refusal := joined(violations(request.app)):
            raise RpcError(Code.INTERNAL, f"failed to update KService: admission webhook {refusal}")
        return (yield from real(self, request))

    return around(Writes, "update", update)
