"""The format of scenarios as tables: the fields of a file, a scenario, a step.

The parser, the JSON Schema and the docs read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flyteapps_control.durations import TEXT
from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING, short_name, substate_name, traits_of
from flyteapps_fake.dialects import DIALECTS
from flyteapps_fake.simulation.scenarios import NAME, Size

MAX_SCENARIOS = 1_000
"""Scenarios in one text."""
MAX_STEPS = 10_000
"""Steps in one text, those of an alias counted wherever it stands."""
MAX_BRANCHES = 100
"""Branches of one choice."""
MAX_LABELS = 100
"""Labels of one `when`."""
MAX_NESTING = 5
"""Loops and choices inside of each other."""
MAX_TEXT = 1_000
"""Characters of a message, of a log line, of a glob."""
MAX_LINES = 100
"""Log lines of one step."""
MAX_TIMES = 1_000_000
"""Rounds of a loop."""
MAX_RESPONSES = 1_000
"""Responses in one text, those of an alias counted wherever it stands."""
MAX_RESPONSE_BYTES = 1 << 20
"""Bytes of all responses of one text, bodies and headers, counted likewise."""
MAX_HEADERS = 50
"""Headers of one response."""
MAX_REPLICAS = 1_000
MAX_WEIGHT = 1e9

STATES: Mapping[str, int] = {short_name(each): each for each in (PENDING, DEPLOYING, ACTIVE, FAILED)}
"""The states of a step, by name: an app that should run is never STOPPED."""
SUBSTATES: Mapping[str, int] = {
    substate_name(each): each for state in STATES.values() for each in sorted(traits_of(state).substates)
}
SIZES: Mapping[str, Size] = {each.value: each for each in Size}
REQUIRED_SIZES: Mapping[str, Size] = {each.value: each for each in (Size.NONE, Size.FULL)}
WITH_CONFLICTS = tuple(name for name, row in DIALECTS.items() if row.write_conflicts)
"""The dialects that refuse writes which collide with the cluster's."""

METHOD = r"[A-Za-z*?\[\]!-]+"
PATH = r"[/*][^\x00-\x1f\x7f]*"
HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
HEADER_VALUE = r"[!-~]([ -~]*[!-~])?|"
CONTENT_TYPE = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*([ ]*;[ -~]*[!-~])?"
"""The texts of a response, as patterns."""
SERVER_HEADERS = frozenset(
    (
        *("connection", "content-length", "date", "keep-alive", "proxy-connection", "server", "te", "trailer"),
        *("transfer-encoding", "upgrade", "x-content-type-options", "x-flyteapps-app"),
    )
)
"""The headers that a response can't have: those of the connection, and those that the server sets itself."""
SERVER_HEADER_PREFIXES = ("access-control-",)


class Field(NamedTuple):
    """One field: its text in the docs, and its JSON Schema."""

    about: str
    schema: Mapping[str, Any]
    required: bool = False


_TEXT = {"type": "string", "maxLength": MAX_TEXT}
_DURATION = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^\\s*{TEXT}\\s*$"}]}
_WEIGHT = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_WEIGHT}
_STEPS = {"$ref": "#/$defs/steps"}

FILE: Mapping[str, Field] = {
    "scenarios": Field(
        "The scenarios by name: letters, digits, `.`, `_`, `-`.",
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_SCENARIOS,
            "propertyNames": {"pattern": f"^{NAME.pattern}$"},
            "additionalProperties": {"$ref": "#/$defs/scenario"},
        },
        required=True,
    ),
}
SCENARIO: Mapping[str, Field] = {
    "summary": Field("A sentence about it.", _TEXT),
    "when": Field(
        "The apps that get it without naming it; without `when` it has to be named.", {"$ref": "#/$defs/when"}
    ),
    "weight": Field("Its share in the draw among all scenarios whose `when` an app matches; 1 without it.", _WEIGHT),
    "steps": Field(
        "What happens, in order. The first step is PENDING. A scenario with `responses` can do without: its steps are "
        "those of `healthy` then.",
        _STEPS,
    ),
    "responses": Field(
        "What the app answers at its URL while it is ACTIVE. The first that matches a request counts.",
        {"type": "array", "maxItems": MAX_RESPONSES, "items": {"$ref": "#/$defs/response"}},
    ),
    "then": Field(
        "The scenario of the app's next start: of a new revision, or when it is activated again. Itself, without it.",
        {"type": "string", "pattern": f"^{NAME.pattern}$"},
    ),
    "dialect": Field("The only dialect that has it.", {"enum": [*DIALECTS]}),
    "conflicts": Field(
        f"How many writes to each version of an app collide with one of the cluster's and are refused; it needs "
        f"`dialect: {WITH_CONFLICTS[0]}`.",
        {"type": "integer", "minimum": 0, "maximum": MAX_REPLICAS},
    ),
}
WHEN: Mapping[str, Field] = {
    "name": Field("A glob on the app's name.", _TEXT),
    "project": Field("A glob on its project.", _TEXT),
    "domain": Field("A glob on its domain.", _TEXT),
    "image": Field("A glob on its image; of a pod app, on that of the primary container.", _TEXT),
    "command": Field("A glob on its command and arguments, with spaces between.", _TEXT),
    "labels": Field(
        "Globs on the values of its labels, by key.",
        {"type": "object", "additionalProperties": _TEXT, "maxProperties": MAX_LABELS},
    ),
    "start": Field("The number of the app's start, from 1; each, without it.", {"type": "integer", "minimum": 1}),
}
STEP: Mapping[str, Field] = {
    "state": Field(", ".join(f"`{each}`" for each in STATES) + ".", {"enum": [*STATES]}, required=True),
    "substate": Field("One that qualifies the state.", {"enum": [*SUBSTATES]}),
    "message": Field(
        "The condition's message. In a loop `{round}` is the number of the round, `{wait}` the wait before it.", _TEXT
    ),
    "after": Field("The time since the step before; none, without it.", _DURATION),
    "jitter": Field(
        "How much earlier or later the step may be, as drawn from the seed: a duration, or a part of `after` such as "
        "`1/6`.",
        {"anyOf": [*_DURATION["anyOf"], {"type": "string", "pattern": r"^1/[1-9][0-9]{0,5}$"}]},
    ),
    "replicas": Field(
        "`none`, `start` (the least number, but one at least), `max`, or a number, which the app's bounds may clip. "
        "Without it `start` where the substate has containers, or the state is ACTIVE; else `none`.",
        {"anyOf": [{"enum": [*SIZES]}, {"type": "integer", "minimum": 0, "maximum": MAX_REPLICAS}]},
    ),
    "requires": Field(
        "`none` or `max`: the step is left out for apps whose bounds don't let them scale there.",
        {"enum": [*REQUIRED_SIZES]},
    ),
    "background": Field("Whether the step happens by itself: no client waits for it.", {"type": "boolean"}),
    "logs": Field(
        "Lines that the replicas log then.",
        {"type": "array", "maxItems": MAX_LINES, "items": _TEXT},
    ),
}
RESPONSE: Mapping[str, Field] = {
    "method": Field(
        "A glob on the request's method; any, without it. A HEAD has the responses to GET, too.",
        {"type": "string", "maxLength": MAX_TEXT, "pattern": f"^{METHOD}$"},
    ),
    "path": Field(
        "A glob on its path within the app, decoded, without the query: `/healthz`, `/v1/*`; any, without it.",
        {"type": "string", "maxLength": MAX_TEXT, "pattern": f"^{PATH}$"},
    ),
    "status": Field("From 200 to 599; 200, without it.", {"type": "integer", "minimum": 200, "maximum": 599}),
    "body": Field("A text, sent as it is; or any other value, sent as JSON. Empty, without it.", {}),
    "content_type": Field(
        "`text/plain` for a text and `application/json` for another value, without it. What begins with `text/` has "
        "the charset UTF-8, unless it names one.",
        {"type": "string", "maxLength": MAX_TEXT, "pattern": f"^({CONTENT_TYPE})$"},
    ),
    "headers": Field(
        "Further headers by name, but for those that are the server's: of the connection, of the length, of CORS.",
        {
            "type": "object",
            "maxProperties": MAX_HEADERS,
            "propertyNames": {"pattern": f"^{HEADER_NAME}$"},
            "additionalProperties": {
                "anyOf": [
                    {"type": "number"},
                    {"type": "string", "maxLength": MAX_TEXT, "pattern": f"^({HEADER_VALUE})$"},
                ]
            },
        },
    ),
}
LOOP: Mapping[str, Field] = {
    "steps": Field("The steps of a round; each round takes time.", _STEPS, required=True),
    "times": Field(
        "How many rounds; without it the loop has no end, and happens in the background.",
        {"type": "integer", "minimum": 1, "maximum": MAX_TIMES},
    ),
    "after": Field("The wait before the first round; none, without it.", _DURATION),
    "longest": Field(
        "The wait doubles before each further round, up to this; without it, each wait is the same.", _DURATION
    ),
}
BRANCH: Mapping[str, Field] = {
    "weight": Field("Its share in the draws; 1 without it.", _WEIGHT),
    "steps": Field("Its steps; may be empty.", _STEPS, required=True),
}
LOOPS: Mapping[str, Field] = {"loop": Field("Steps that are repeated.", {"$ref": "#/$defs/loop"}, required=True)}
CHOICES: Mapping[str, Field] = {
    "choose": Field(
        "Branches, of which one is drawn from the seed.",
        {"type": "array", "minItems": 1, "maxItems": MAX_BRANCHES, "items": {"$ref": "#/$defs/branch"}},
        required=True,
    )
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of scenarios. What only the parser can check isn't in it: moves, names."""
    step = {"anyOf": [{"$ref": "#/$defs/step"}, _object(LOOPS), _object(CHOICES)]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenarios of the flyteapps stand-in",
        **_object(FILE),
        "$defs": {
            "scenario": {**_object(SCENARIO), "anyOf": [{"required": ["steps"]}, {"required": ["responses"]}]},
            "response": _object(RESPONSE),
            "when": _object(WHEN),
            "steps": {"type": "array", "items": step},
            "step": _object(STEP),
            "loop": _object(LOOP),
            "branch": _object(BRANCH),
        },
    }


def _object(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, each in fields.items() if each.required],
        "properties": {
            name: {"description": each.about.replace("`", ""), **each.schema} for name, each in fields.items()
        },
    }
