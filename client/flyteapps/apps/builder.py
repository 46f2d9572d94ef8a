"""new_app: the message of an app with one container, as `App.create` takes it.

Rules of this file: it fills in a message, and checks types and whatever protobuf would reject with an error of its own;
the rules of a plane are left to the plane. Other fields can be set on the message that it returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.settings import bad_name, is_name
from flyteapps.support.arguments import refuse, text, texts

MAX_REPLICAS = 2**32 - 1
"""Replicas are a uint32."""

MAX_PORT = 65_535


def new_app(
    name: str,
    *,
    image: str,
    command: Sequence[str] | None = None,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    port: int | None = None,
    replicas: int | tuple[int, int] | None = None,
    labels: Mapping[str, str] | None = None,
    scaledown_period: timedelta | float | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> definition.App:
    """Return the message of an app that runs one container, for `App.create`.

    `command`, `args`: lists of words, instead of the image's own. `env`: variables. `port`: where the container
    listens; None is the plane's default. `replicas`: (MIN, MAX) to scale between, or one number for both; with MIN 0
    the app scales to zero when it is idle for `scaledown_period` (a timedelta, or seconds). `project`, `domain`: None
    is the client's. Raises InvalidArgument, which names the argument and says what it should be.
    """
    if not is_name(name):
        raise bad_name(name)
    app = definition.App()
    identifier, container = app.metadata.id, app.spec.container
    identifier.name = name
    identifier.project, identifier.domain = text(project, "project"), text(domain, "domain")
    if not image:
        refuse("image", image, 'should be the name of an image, such as "example.org/hello:1"')
    container.image = text(image, "image")
    container.command.extend(_words(command, "command"))
    container.args.extend(_words(args, "args"))
    for key, value in texts(env, "env").items():
        container.env.add(key=key, value=value)
    if port is not None:
        container.ports.add(container_port=_number(port, "port", 1, MAX_PORT))
    if replicas is not None:
        minimum, maximum = _range(replicas)
        app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = minimum, maximum
    if scaledown_period is not None:
        app.spec.autoscaling.scaledown_period.FromTimedelta(_period(scaledown_period))
    app.metadata.labels.update(texts(labels, "labels"))
    return app


def _words(value: object, what: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        refuse(what, value, f"should be a list of words, such as {value.split()!r}: no shell splits it")
    words: list[object] = list(cast("Sequence[object]", value)) if isinstance(value, Sequence) else [None]
    if not all(isinstance(each, str) for each in words):
        refuse(what, cast("object", value), "should be a list of strings")
    return cast("list[str]", words)


def _number(value: object, what: str, minimum: int, maximum: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        refuse(what, value, f"should be a whole number from {minimum} to {maximum}")
    return value


def _range(value: Any) -> tuple[int, int]:
    pair: Any = (value, value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(pair, tuple | list) or len(cast("Any", pair)) != 2:
        refuse("replicas", value, "should be (MIN, MAX), or one number for both")
    minimum, maximum = (_number(each, "replicas", 0, MAX_REPLICAS) for each in cast("Any", pair))
    if minimum > maximum:
        refuse("replicas", value, "should be (MIN, MAX) with MIN at most MAX")
    return minimum, maximum


def _period(value: Any) -> timedelta:
    should = "should be a timedelta, or seconds, and more than 0"
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        refuse("scaledown_period", value, should)
    try:
        period = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):  # infinite, or not a number
        refuse("scaledown_period", value, should)
    if period <= timedelta(0):
        refuse("scaledown_period", value, should)
    return period
