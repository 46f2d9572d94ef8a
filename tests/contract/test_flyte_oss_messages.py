"""Messages drawn of flyte-oss: the stand-in is clean, before any cluster, and the model of their answers is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.core import tasks_pb2
from google.protobuf.struct_pb2 import Struct

from flyteapps_contract.explorations.flyte_oss.messages import search
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.model.flyte_oss.requests import IMAGE, due
from flyteapps_contract.targets.planes import PlanesTarget
from flyteapps_contract.verification import fresh_run
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import Kubernetes
from mutants import flyte_oss_messages

from . import standins
from .direct_link import DirectLink


def on_cluster(kubernetes: str) -> PlanesTarget:
    """Return planes in this process, before such a cluster."""

    def fresh() -> FakeControlPlane:
        return FakeControlPlane(dialect="flyte-oss", clock="manual", kubernetes=cast("Kubernetes", kubernetes))

    capabilities = replace(standins.OSS_CAPABILITIES, lenient=kubernetes == "none")
    return PlanesTarget(
        fresh,
        capabilities=capabilities,
        connect=lambda plane, _: DirectLink(cast("FakeControlPlane", plane).transport()),
        move=lambda plane, seconds: cast("FakeControlPlane", plane).advance(seconds),
    )


@pytest.mark.parametrize("kubernetes", ["none", "api", "knative"])
def test_the_stand_in_is_clean(kubernetes: str) -> None:
    """No message breaks a guarantee, whatever the cluster refuses."""
    _expect_clean(on_cluster(kubernetes), 40)


@pytest.mark.matrix
@pytest.mark.parametrize("target", [standins.oss_over_connect, standins.oss_over_grpc])
def test_a_served_stand_in_is_clean(target: Callable[[], PlanesTarget]) -> None:
    """So it is over the wire."""
    _expect_clean(target(), 30)


def _expect_clean(target: PlanesTarget, messages: int) -> None:
    found = search(target, fresh_run(target), SearchOptions(count=messages, seed=1))
    assert found.violation is None, f"{found.violation}\n{found.story}"
    assert found.tried == messages
    assert found.evidence["OSS-81"] >= messages // 4


@pytest.mark.matrix
def test_a_bug_is_found_and_made_small() -> None:
    """A message of few fields shows it; where a script can't send it, there is none."""
    target = standins.oss_direct()
    for mutant, calls, script in (
        (flyte_oss_messages.an_empty_part_of_a_spec_is_left_out, 2, True),
        (flyte_oss_messages.unknown_fields_of_a_container_are_lost, 2, False),
    ):
        with mutant():
            options = SearchOptions(count=1_000, seed=1, judged=frozenset({"OSS-81"}))
            found = search(target, fresh_run(target), options)
        assert found.violation is not None, mutant
        assert found.calls <= calls
        assert bool(found.script) == script


def app(name: str = "hello", **container: str) -> model.App:
    """Return a small app."""
    app = model.App(metadata=model.Meta(id=model.Identifier(project="p", domain="d", name=name)))
    app.spec.container.image = container.get("image", IMAGE)
    return app


def answers(method: str, sent: model.App, *, exists: bool = False, lenient: bool = False) -> tuple[str, ...]:
    """Return the codes that a write may get."""
    request = rpc.CreateRequest(app=sent) if method == "Create" else rpc.UpdateRequest(app=sent)
    return due(method, request, exists=exists, lenient=lenient).codes


def test_a_small_app_is_always_taken() -> None:
    """An app that a cluster has a reason to refuse may be refused, where there is one."""
    assert answers("Create", app()) == ("OK",)
    for odd in (app("under_score"), app("1st"), app("x" * 64), app(image="no image")):
        assert answers("Create", odd) == ("OK", "INTERNAL")
        assert answers("Create", odd, lenient=True) == ("OK",)
    scaled = app()
    scaled.spec.autoscaling.replicas.min = 5
    assert answers("Create", scaled) == ("OK", "INTERNAL")


def test_what_can_not_be_built_is_never_taken() -> None:
    """A container's quantity that is none, a pod without a spec, no payload; an update that stops needs none."""
    bad = app()
    bad.spec.container.resources.limits.add(name="CPU", value="lots")
    assert answers("Create", bad, lenient=True) == ("UNAVAILABLE",)
    bad.spec.container.resources.limits[0].name = tasks_pb2.Resources.GPU  # the backend leaves it out
    assert answers("Create", bad, lenient=True) == ("OK",)
    bad.spec.pod.SetInParent()
    assert answers("Create", bad, lenient=True) == ("INTERNAL",)
    bad.spec.pod.pod_spec.CopyFrom(Struct())
    assert answers("Create", bad, lenient=True) == ("OK", "INTERNAL")
    bad.spec.ClearField("pod")
    assert answers("Create", bad) == ("INVALID_ARGUMENT",)
    assert answers("Update", bad) == ("INTERNAL",)
    bad.spec.desired_state = model.Spec.DESIRED_STATE_STOPPED
    assert answers("Update", bad) == ("NOT_FOUND",)
    assert answers("Update", bad, exists=True) == ("OK",)
