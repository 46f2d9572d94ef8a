"""The built-in scenarios and situations, read from builtin.yaml when the first app of the process starts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from flyteapps_fake.simulation.files.located import Value, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios, parse_situations
from flyteapps_fake.simulation.scenarios import Scenario, Steps

FILE = "builtin.yaml"

STOP = "stop"
"""The situation of an app that should stop."""
REJECTED = "rejected"
"""The situation of an app that no cluster could run."""
MISSING_SECRET = "missing-secret"
"""The situation of an app that mounts a missing secret."""
UNKNOWN = "unknown"
"""The situation of an app that names an unknown scenario, which fails at once and lists the known ones."""
IDLE = "idle"
"""The situation of an app without a request during its scaledown_period."""
WAKE = "wake"
"""The situation of an app at zero that receives a request."""


@cache
def builtin_scenarios(dialect: str = "standard") -> Mapping[str, Scenario]:
    """Return the scenarios that a dialect has, by name."""
    every = parse_scenarios(Value(FILE, fields={"scenarios": _part("scenarios")}))
    return {each.name: each for each in every if each.dialect in ("", dialect)}


def situation(name: str) -> Steps:
    """Return the steps of a situation."""
    return _situations()[name]


@cache
def _situations() -> Mapping[str, Steps]:
    return parse_situations(_part("situations"))


def _part(name: str) -> Value:
    fields = _file().fields
    assert fields is not None
    return fields[name]


@cache
def _file() -> Value:
    return from_text(files("flyteapps_fake.simulation.files").joinpath(FILE).read_text(encoding="utf-8"), FILE)
