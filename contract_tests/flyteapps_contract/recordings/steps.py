"""The format of a recording: a header, then one JSON object a line, each a step. Nothing here calls a plane.

docs/recordings.md describes it. What is read here is all that a replay needs: every request and every recorded answer
is one that our protos know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from connectrpc.code import Code
from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.message import Message

from flyteapps_contract.recordings.messages import LINES, METHODS, BadRecording, to_body, to_message

FORMAT = 1
"""The version of the format, which a header says as `recording`."""
LONGEST_PAUSE = 3_600
"""Seconds."""
FIELDS: dict[str, frozenset[str]] = {
    "call": frozenset(("call", "request", "ok", "error", "message", "details", "events", "end")),
    "open": frozenset(("open", "request", "deadline_ms")),
    "close": frozenset(("close", "events", "end", "message")),
    "wait": frozenset(("wait", "until_all_conditions", "reached")),
    "http": frozenset(("http", "status", "content_type", "body", "has_body")),
}
"""The kinds of steps, each named by one of its fields, with all that such a step may say."""
REQUIRED: dict[str, tuple[str, ...]] = {
    "call": ("request",),
    "open": ("request",),
    "close": ("events", "end"),
    "wait": ("until_all_conditions", "reached"),
    "http": ("status",),
}
_NONE = type(None)
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("call", "error", "end", "open", "close", "until_all_conditions", "body"), (str,)),
    **dict.fromkeys(("request", "ok", "wait", "http"), (dict,)),
    **dict.fromkeys(("details", "deadline_ms", "status"), (int,)),
    **dict.fromkeys(("message", "content_type"), (str, _NONE)),
    **dict.fromkeys(("reached", "has_body"), (bool,)),
    "events": (list,),
}
"""The type of each field of a step."""
HTTP_TYPES: dict[str, tuple[type, ...]] = {"method": (str,), "path": (str,), "headers": (dict,), "body_base64": (str,)}
RULES_TYPES: dict[str, tuple[type, ...]] = {"ignored": (list,), "messages": (bool,), "repeats": (bool,)}
HEADER_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("dialect", "version", "made"), (str,)),
    **dict.fromkeys(("recording", "steps"), (int,)),
    **dict.fromkeys(("rules", "pauses"), (dict,)),
    "no_evidence": (list,),
}
ENDS = frozenset((*(code.name for code in Code), "OK", "EOF"))
"""The fields for the end of a call or a stream."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line: its group, its name, its kind (one of FIELDS), everything that it says, and its place in a file.

    `pause`: so many seconds passed after it before the next one.
    """

    group: str
    name: str
    kind: str
    fields: dict[str, Any]
    pause: float = 0.0
    line: str = field(default="", compare=False)

    @property
    def where(self) -> str:
        """Its line, and its name."""
        return f"{self.line}{self.line and ', '}{self.group} / {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a recording: of which dialect and version, how many steps, how it was made.

    `no_evidence`: what the environment decided, not the plane. `rules`: what may differ in a replay, as the replayer's
    Rules take it. `pauses`: the seconds that passed after the steps "GROUP / STEP".
    """

    recording: int
    dialect: str = ""
    version: str = ""
    steps: int | None = None
    made: str = ""
    no_evidence: tuple[str, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict[str, Any])
    pauses: dict[str, float] = field(default_factory=dict[str, float])


def load(path: Path) -> list[Step]:
    """Return the steps of a file. Raises BadRecording, which names the line."""
    return _read(path)[1]


def header_of(path: Path) -> Header | None:
    """Return the header of a file, None where it has none. Raises BadRecording."""
    return _read(path)[0]


def save(path: Path, steps: Iterable[Step]) -> None:
    """Write the steps, one a line, after a header that says how many they are."""
    steps = list(steps)
    head: dict[str, Any] = {"recording": FORMAT, "steps": len(steps)}
    if pauses := {f"{each.group} / {each.name}": each.pause for each in steps if each.pause}:
        head["pauses"] = pauses
    lines = [head, *({"group": each.group, "step": each.name, **each.fields} for each in steps)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def groups(steps: Iterable[Step]) -> Iterator[tuple[str, list[Step]]]:
    """Return the groups in their order; each was recorded on a fresh plane."""
    for name, members in groupby(steps, key=lambda step: step.group):
        yield name, list(members)


def _read(path: Path) -> tuple[Header | None, list[Step]]:
    try:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise BadRecording(f"{path}: no UTF-8: {error}") from None
    header: Header | None = None
    steps: list[Step] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            fields: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            cut = " (the last line: is the file cut off?)" if number == len(lines) else ""
            raise BadRecording(f"{where}: no JSON: {error}{cut}") from None
        if not isinstance(fields, dict):
            raise BadRecording(f"{where}: not an object")
        if "recording" in fields and header is None and not steps:
            header = _header(cast("dict[str, Any]", fields), where)
        else:
            steps.append(_step(cast("dict[str, Any]", fields), where))
    if not steps:
        raise BadRecording(f"{path}, line {len(lines)}: no step")
    _require_closed(steps)
    if header is None:
        return None, steps
    if header.steps is not None and header.steps != len(steps):
        raise BadRecording(
            f"{path}, line {len(lines)}: the last one, after {len(steps)} steps, but the header says {header.steps}: "
            "is the file cut off?"
        )
    if unknown := header.pauses.keys() - {f"{each.group} / {each.name}" for each in steps}:
        raise BadRecording(f"{path}, line 1: a pause after {min(unknown)}, which is no step")
    pauses = header.pauses
    return header, [replace(each, pause=pauses.get(f"{each.group} / {each.name}", 0.0)) for each in steps]


def _header(fields: dict[str, Any], where: str) -> Header:
    if isinstance(fields["recording"], bool) or fields["recording"] != FORMAT:
        raise BadRecording(f"{where}: a recording of format {fields['recording']!r}; this reads format {FORMAT}")
    _require_known(fields, HEADER_TYPES, f"{where}: header")
    filled: dict[str, Any] = {**fields, "no_evidence": tuple(fields.get("no_evidence", ()))}
    header = Header(**filled)
    _require_known(header.rules, RULES_TYPES, f"{where}: header: rules")
    if strange := [each for each in header.rules.get("ignored", ()) if not isinstance(each, str)]:
        raise BadRecording(f"{where}: header: rules: ignored: {strange[0]!r} is no path")
    for step, pause in header.pauses.items():
        if type(pause) not in (int, float) or not 0 <= pause <= LONGEST_PAUSE:
            raise BadRecording(f"{where}: header: a pause of {pause!r} after {step}: it takes 0 to {LONGEST_PAUSE} s")
    return header


def _step(fields: dict[str, Any], where: str) -> Step:
    rest = dict(fields)
    group, name = rest.pop("group", None), rest.pop("step", None)
    if not isinstance(group, str) or not isinstance(name, str):
        raise BadRecording(f"{where}: lacks `group` or `step`")
    kinds = [kind for kind in FIELDS if kind in rest]
    if len(kinds) != 1:
        raise BadRecording(f"{where}: a step has one of {', '.join(FIELDS)}, this has {', '.join(kinds) or 'none'}")
    step = Step(group, name, kinds[0], rest, line=where)
    _require_known(rest, {key: TYPES[key] for key in sorted(FIELDS[step.kind])}, step.where)
    if missing_capabilities := [key for key in REQUIRED[step.kind] if key not in rest]:
        raise BadRecording(f"{step.where}: lacks `{missing_capabilities[0]}`")
    _require_understood(step)
    return step


def _require_known(fields: dict[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Raise BadRecording for a field that isn't known, or holds what it can't."""
    if unknown := fields.keys() - known.keys():
        raise BadRecording(f"{where}: unknown field {min(unknown)!r}; there are {', '.join(sorted(known))}")
    for key, value in fields.items():
        if type(value) not in known[key]:
            kinds = " or ".join(kind.__name__ for kind in known[key])
            raise BadRecording(f"{where}: {key} has to be {kinds}, not {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


def _require_closed(steps: Iterable[Step]) -> None:
    """Raise BadRecording for a stream that is opened twice or never closed: nothing of it would be compared."""
    for _, members in groups(steps):
        opened: dict[str, Step] = {}
        for step in members:
            if step.kind == "open":
                if step.fields["open"] in opened:
                    raise BadRecording(f"{step.where}: the stream {step.fields['open']!r} is open already")
                opened[step.fields["open"]] = step
            elif step.kind == "close":
                opened.pop(step.fields["close"], None)
        for name, step in opened.items():
            raise BadRecording(f"{step.where}: the stream {name!r} is never closed")


def _require_understood(step: Step) -> None:
    """Raise BadRecording where the request or the answer is none of ours."""
    fields, where = step.fields, step.where
    for key in fields.keys() & {"end", "error"}:
        if fields[key] not in ENDS:
            raise BadRecording(f"{where}: {key}: no call ends with {_short(fields[key])}")
    match step.kind:
        case "call":
            if fields["call"] not in METHODS:
                raise BadRecording(f"{where}: no such call {fields['call']!r}; there are {', '.join(METHODS)}")
            if len(fields.keys() & {"ok", "error", "end"}) != 1:
                raise BadRecording(f"{where}: lacks an answer, or has several: `ok`, `error` or `end`")
            method = METHODS[fields["call"]]
            to_message(fields["request"], method.request, where)
            if "ok" in fields:
                to_message(fields["ok"], method.response, f"{where}: ok")
            _require_events(fields.get("events", []), method.response, where)
        case "open":
            to_message(fields["request"], METHODS["watch"].request, where)
        case "close":
            _require_events(fields["events"], METHODS["watch"].response, where)
        case "wait":
            to_message(fields["wait"], model.Identifier, where)
            status = fields["until_all_conditions"]
            if f"DEPLOYMENT_STATUS_{status}" not in model.Status.DeploymentStatus.keys():  # noqa: SIM118  # no dict
                raise BadRecording(f"{where}: no status is called {status!r}")
        case _:
            request = cast("dict[str, Any]", fields["http"])
            _require_known(request, HTTP_TYPES, f"{where}: http")
            headers = request.get("headers", {})
            _require_known(headers, dict.fromkeys(headers, (str,)), f"{where}: http: headers")
            if missing_capabilities := [key for key in ("method", "path") if key not in request]:
                raise BadRecording(f"{where}: http: lacks `{missing_capabilities[0]}`")
            to_body(request.get("body_base64", ""), where)


def _require_events(events: Any, kind: type[Message], where: str) -> None:
    for number, event in enumerate(cast("list[Any]", events)):
        to_message(_without(event, LINES), kind, f"{where}: event {number}")


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, name) for key, inner in cast("dict[str, Any]", value).items() if key != name}
    if isinstance(value, list):
        return [_without(inner, name) for inner in cast("list[Any]", value)]
    return value
