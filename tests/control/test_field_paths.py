"""Paths in recorded requests: the value at each is that of the request's JSON, though the request isn't converted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest
from google.protobuf.json_format import MessageToDict

from flyteapps_fake.control.calls.field_paths import MISSING, value_at

from .calls import create


def request() -> CreateRequest:
    """Return a request with fields of every kind."""
    made = create()
    app = made.app
    app.metadata.labels.update({"a": "1", "a.b": "2", "c.d.e": "", "0": "x"})
    app.metadata.revision = 2**40
    app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
    app.spec.autoscaling.scaledown_period.FromSeconds(90)
    app.spec.pod.pod_spec.update({"containers": [{"name": "x", "env": {"k.l": [1, None, True]}}]})
    app.spec.pod.primary_container_name = "x"
    app.spec.inputs.items.add(name="n", string_value="")
    app.spec.inputs.items.add(name="m").artifact_id.key.name = "k"
    app.spec.links.add(path="/docs")
    app.status.conditions.add(message="now").last_transition_time.FromSeconds(5)
    return made


def paths(value: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path of each value in JSON's data, with the value."""
    if names:
        yield names, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from paths(each, (*names, str(name)))


def test_each_path_leads_to_the_value_in_json() -> None:
    """Messages, lists, maps with dots in keys, enums, large numbers and well-known types; from the app on, too."""
    made = request()
    shown = MessageToDict(made, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    found = list(paths(shown))
    assert len(found) > 60
    for names, value in found:
        assert value_at(made, ".".join(names)) == value, names
        if names[0] == "app" and len(names) > 1:
            assert value_at(made, ".".join(names[1:])) == value, names


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "app.nothing",
        "spec.security_context",
        "spec.container.image",
        "spec.inputs.items.2",
        "spec.inputs.items.x",
        "spec.inputs.items.0.artifact_id",
        "spec.inputs.items.0.name.further",
        "metadata.labels.b",
        "metadata.labels.a.c",
        "metadata.revision.0",
        "spec.pod.pod_spec.containers.1",
        "spec.links.9999999999",
    ],
)
def test_a_path_that_leads_nowhere(path: str) -> None:
    """A field that isn't set, and has no value without being set, is not there."""
    assert value_at(request(), path) is MISSING
