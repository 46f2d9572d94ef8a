"""new_app: the message of an app with one container, as `App.create` takes it.

Rules of this file: it fills in a message, and checks types and what would otherwise be an error of protobuf's; what a
plane takes is the plane's to say. For what it doesn't fill in, the message it returns can be changed, or made by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, cast

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.errors import InvalidArgument, Violation
from flyteapps.settings import bad_name, is_name

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
    identifier.project, identifier.domain = _text(project, "project"), _text(domain, "domain")
    if not image:
        _refuse("image", image, 'should be the name of an image, such as "example.org/hello:1"')
    container.image = _text(image, "image")
    container.command.extend(_words(command, "command"))
    container.args.extend(_words(args, "args"))
    for key, value in _texts(env, "env").items():
        container.env.add(key=key, value=value)
    if port is not None:
        container.ports.add(container_port=_number(port, "port", 1, MAX_PORT))
    if replicas is not None:
        least, most = _range(replicas)
        app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = least, most
    if scaledown_period is not None:
        app.spec.autoscaling.scaledown_period.FromTimedelta(_period(scaledown_period))
    app.metadata.labels.update(_texts(labels, "labels"))
    return app


def _refuse(what: str, value: object, should: str) -> NoReturn:
    raise InvalidArgument(f"{what}={value!r} {should}", violations=[Violation(what, should)])


def _text(value: object, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(what, value, f"should be a string, and is a {type(value).__name__}")
    return value


def _words(value: object, what: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        _refuse(what, value, f"should be a list of words, such as {value.split()!r}: no shell takes it apart")
    words: list[object] = list(cast("Sequence[object]", value)) if isinstance(value, Sequence) else [None]
    if not all(isinstance(each, str) for each in words):
        _refuse(what, cast("object", value), "should be a list of strings")
    return cast("list[str]", words)


def _texts(value: object, what: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        _refuse(what, value, "should be a mapping of strings to strings")
    pairs = cast("Mapping[object, object]", value)
    for key, each in pairs.items():
        if not isinstance(key, str) or not isinstance(each, str):  # the value may be secret: it isn't shown
            kind = type(each if isinstance(key, str) else key).__name__
            should = f"should be strings, and one is a {kind}"
            raise InvalidArgument(f"{what}: {key!r} and its value {should}", violations=[Violation(what, should)])
    return cast("dict[str, str]", dict(pairs))


def _number(value: object, what: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        _refuse(what, value, f"should be a whole number from {least} to {most}")
    return value


def _range(value: Any) -> tuple[int, int]:
    pair: Any = (value, value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(pair, tuple | list) or len(cast("Any", pair)) != 2:
        _refuse("replicas", value, "should be (MIN, MAX), or one number for both")
    least, most = (_number(each, "replicas", 0, MAX_REPLICAS) for each in cast("Any", pair))
    if least > most:
        _refuse("replicas", value, "should be (MIN, MAX) with MIN no more than MAX")
    return least, most


def _period(value: Any) -> timedelta:
    should = "should be a timedelta, or seconds, and more than 0"
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        _refuse("scaledown_period", value, should)
    try:
        period = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):  # infinite, or not a number
        _refuse("scaledown_period", value, should)
    if period <= timedelta(0):
        _refuse("scaledown_period", value, should)
    return period
