"""new_app: the message for what is given, and one sentence for what can't be meant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition

from client.conftest import Run
from flyteapps import Client, InvalidArgument, new_app


def test_a_name_and_an_image_are_enough() -> None:
    """Absent arguments stay absent: the plane's defaults count."""
    wanted = definition.App()
    wanted.metadata.id.name = "hello"
    wanted.spec.container.image = "example.org/hello:1"
    assert new_app("hello", image="example.org/hello:1") == wanted


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"command": ["a", "b"], "args": ("--c",)}, {"container": {"command": ["a", "b"], "args": ["--c"]}}),
    ({"env": {"A": "1", "B": ""}}, {"container": {"env": [{"key": "A", "value": "1"}, {"key": "B", "value": ""}]}}),
    ({"port": 8080}, {"container": {"ports": [{"container_port": 8080}]}}),
    ({"replicas": (0, 2)}, {"autoscaling": {"replicas": {"min": 0, "max": 2}}}),
    ({"replicas": [1, 1]}, {"autoscaling": {"replicas": {"min": 1, "max": 1}}}),
    ({"replicas": 3}, {"autoscaling": {"replicas": {"min": 3, "max": 3}}}),
    ({"scaledown_period": timedelta(minutes=5)}, {"autoscaling": {"scaledown_period": {"seconds": 300}}}),
    ({"scaledown_period": 1.5}, {"autoscaling": {"scaledown_period": {"seconds": 1, "nanos": 500_000_000}}}),
]


@pytest.mark.parametrize(("given", "spec"), FIELDS, ids=lambda each: ",".join(each))
def test_each_argument_has_its_field(given: dict[str, Any], spec: dict[str, Any]) -> None:
    """As the SDK's AppEnvironment fills the same fields."""
    wanted = definition.App(spec=definition.Spec(**spec))
    wanted.metadata.id.name, wanted.spec.container.image = "hello", "x"
    assert new_app("hello", image="x", **given) == wanted


def test_an_app_has_an_id_and_labels() -> None:
    """Project and domain where they are given, and copies of the labels."""
    labels = {"team": "red"}
    app = new_app("hello", image="x", labels=labels, project="p", domain="d")
    assert (app.metadata.id.project, app.metadata.id.domain, dict(app.metadata.labels)) == ("p", "d", labels)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "no good"}, "app name 'no good' may hold"),
    ({"name": 3}, "has to be a string"),
    ({"image": ""}, "image='' should be the name of an image"),
    ({"image": None}, "image=None should be the name of an image"),
    ({"image": 3}, "image=3 should be a string, and is of type int"),
    ({"command": "python -m x"}, "command='python -m x' should be a list of words, such as .'python', '-m', 'x'.:"),
    ({"args": [1]}, r"args=\[1\] should be a list of strings"),
    ({"args": 1}, "args=1 should be a list of strings"),
    ({"command": b"x"}, "command=b'x' should be a list of strings"),
    ({"env": ["A"]}, r"env=\['A'\] should be a mapping of strings to strings"),
    ({"env": {"A": 1}}, "env: 'A' and its value should be strings, and one is of type int"),
    ({"labels": {1: "a"}}, "labels: 1 and its value should be strings, and one is of type int"),
    ({"port": "80"}, "port='80' should be a whole number from 1 to 65535"),
    ({"port": 0}, "port=0 should be"),
    ({"port": 65_536}, "port=65536 should be"),
    ({"port": True}, "port=True should be"),
    ({"replicas": (2, 1)}, r"replicas=\(2, 1\) should be \(MIN, MAX\) with MIN at most MAX"),
    ({"replicas": (1, 2, 3)}, r"should be \(MIN, MAX\), or one number for both"),
    ({"replicas": "2"}, r"should be \(MIN, MAX\), or one number for both"),
    ({"replicas": -1}, "replicas=-1 should be a whole number from 0"),
    ({"replicas": (0, 2**32)}, "replicas=4294967296 should be"),
    ({"replicas": (0, 1.5)}, "replicas=1.5 should be"),
    ({"scaledown_period": 0}, "scaledown_period=0 should be a timedelta, or seconds, and more than 0"),
    ({"scaledown_period": "5m"}, "scaledown_period='5m' should be"),
    ({"scaledown_period": float("nan")}, "scaledown_period=nan should be"),
    ({"scaledown_period": float("inf")}, "scaledown_period=inf should be"),
    ({"scaledown_period": timedelta(seconds=-1)}, "should be a timedelta"),
    ({"project": 3}, "project=3 should be a string"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], message: str) -> None:
    """One InvalidArgument that names the argument; never an error of protobuf's."""
    with pytest.raises(InvalidArgument, match=message) as caught:
        new_app(**dict[str, Any](name="hello", image="x") | given)
    assert len(caught.value.violations) == 1


def test_no_value_of_a_variable_is_shown() -> None:
    """A variable may hold a secret."""
    with pytest.raises(InvalidArgument) as caught:
        new_app("hello", image="x", env={"TOKEN": b"secret"})  # pyright: ignore[reportArgumentType]
    assert "secret" not in str(caught.value)


def test_a_plane_takes_what_it_builds(client: Client, run: Run, dialect: str) -> None:
    """create takes the message, over every way to a plane of either dialect, and it becomes active."""
    message = new_app(
        "hello",
        image="example.org/hello:1",
        command=["python"],
        args=["-m", "http.server"],
        env={"A": "b"},
        port=8080,
        replicas=(1, 2),
        labels={"team": "red"},
        scaledown_period=60,
    )
    app = run(client.apps.create, message)
    assert run(app.watch).is_active()
    assert run(client.apps.get, "hello").pb2.spec.container == message.spec.container
