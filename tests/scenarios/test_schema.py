"""docs/scenarios.schema.json, for editors: it accepts what the parser accepts, and refuses each mistake of shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml
from import_graph import ROOT

from flyteapps_fake.simulation.files.format import json_schema

from . import test_responses
from .test_format import MISTAKES as OF_FORMAT

MISTAKES = {**OF_FORMAT, **test_responses.MISTAKES}

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "scenarios.schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
}
SENSE = re.compile(
    r"begins with PENDING|no move|takes the substate|does not go with|jitter is more|an app has none|SCALED_TO_ZERO|"
    r"takes? time|in each branch|longest is less|the loop before|inside of|given twice|only the dialect|"
    r"body: |give the content type|the server's own|"
    r"then: 'helthy'|built-in|more than 1,000|with one at least|when is empty|neither|is empty|`<<`"
)
"""The mistakes that the parser alone finds."""


def problems(value: Any, schema: Any) -> Iterator[str]:
    """Yield what the schema refuses, as far as its keywords are used here. A test needs no package for it."""
    for key, rule in schema.items():
        match key:
            case "$ref":
                yield from problems(value, SCHEMA["$defs"][rule.rpartition("/")[2]])
            case "anyOf":
                if all(any(problems(value, each)) for each in rule):
                    yield "anyOf"
            case "type":
                if not _is(value, rule):
                    yield f"{value!r} is no {rule}"
                    return
            case "enum" if value not in rule:
                yield f"{value!r} is not of {rule}"
            case "pattern" if not _fits(value, rule):
                yield f"{value!r} is not {rule}"
            case "minimum" if value < rule:
                yield f"{value!r} < {rule}"
            case "maximum" if value > rule:
                yield f"{value!r} > {rule}"
            case "exclusiveMinimum" if not value > rule:
                yield f"{value!r} <= {rule}"
            case "required":
                yield from (f"{name} is missing" for name in rule if name not in value)
            case "minProperties" | "minItems" if len(value) < rule:
                yield "too few"
            case "maxItems" | "maxLength" if len(value) > rule:
                yield "too long"
            case "items":
                for each in value:
                    yield from problems(each, rule)
            case "propertyNames":
                for each in value:
                    yield from problems(each, rule)
            case "additionalProperties":
                for name, each in value.items():
                    known = schema.get("properties", {})
                    if name in known:
                        yield from problems(each, known[name])
                    elif rule is False:
                        yield f"{name} is unknown"
                    else:
                        yield from problems(each, rule)
            case _:
                pass


def _fits(value: object, pattern: str) -> bool:
    return not isinstance(value, str) or re.search(pattern, value) is not None


def _is(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean")


def test_the_schema_is_current() -> None:
    """`make docs` writes it from the tables that the parser reads."""
    assert json_schema() == SCHEMA


def test_what_the_parser_accepts_the_schema_accepts() -> None:
    """The built-in scenarios, and the example of the docs."""
    text = files("flyteapps_fake.simulation.files").joinpath("builtin.yaml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```yaml title.*?\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    for each in (text, example):
        assert [*problems({"scenarios": yaml.safe_load(each)["scenarios"]}, SCHEMA)] == []


@pytest.mark.parametrize("text", [text for text, (_, message) in MISTAKES.items() if not SENSE.search(message)])
def test_a_mistake_of_shape_is_refused(text: str) -> None:
    """An unknown field, a value that can't be."""
    assert [*problems(yaml.safe_load(text), SCHEMA)] != []
