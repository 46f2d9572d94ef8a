"""The replay of a recording on a target, and the differences between its responses and the recorded ones.

What may differ is given as rules, never guessed: see `Rules`. A step that can't be run here is said, not passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.outcomes import CannotJudge
from flyteapps_contract.recordings.conversation import (
    DONE,
    OPEN,
    await_status,
    drain,
    invoke,
    open_stream,
    pass_time,
    send,
)
from flyteapps_contract.recordings.messages import METHODS, to_message
from flyteapps_contract.recordings.steps import Header, Step, groups, header_of, load
from flyteapps_contract.targets.target import Plane, QueueStream, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The allowed differences.

    `ignored`: paths such as "ok.app.status.ingress.public_url" or "events.*.k8s_metadata", where
    `*` stands for any part, of every step or of some: "GROUP / STEP: PATH". `messages`: whether the texts of errors
    have to be equal, too. `repeats`: whether a run of equal consecutive events counts as one: how often a cluster
    writes a status is no behaviour.
    """

    ignored: Sequence[str] = ()
    messages: bool = True
    repeats: bool = False

    @classmethod
    def of(cls, header: Header | None) -> Rules:
        """Return those that a recording's header gives."""
        return cls(**(header.rules if header is not None else {}))


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference in a response; `path` is "" and `found` the reason where a step could not be run."""

    group: str
    step: str
    path: str
    recorded: Any
    found: Any

    def __str__(self) -> str:
        if not self.path:
            return f"{self.group} / {self.step}: not run: {self.found}"
        return f"{self.group} / {self.step}: {self.path}: recorded {_short(self.recorded)}, found {_short(self.found)}"


def replay(target: Target, steps: Iterable[Step], rules: Rules | None = None) -> list[Difference]:
    """Return all differences, in the order of the steps; each group runs on a plane of the target's own.

    Raises BadRecording for a request that is none.
    """
    found: list[Difference] = []
    for _, members in groups(steps):
        plane = target.plane()
        try:
            found += _group(plane, members, rules or Rules())
        finally:
            plane.close()
    return found


def replay_file(target: Target, path: Path) -> list[Difference]:
    """Return all differences of a file's recording, but for what its header allows.

    Raises BadRecording for a file that is none, CannotJudge where it is of another dialect than the target.
    """
    header = header_of(path)
    recorded, dialect = header.dialect if header is not None else "", target.capabilities.dialect
    if recorded and recorded != dialect:
        raise CannotJudge(f"{path}: a recording of the dialect {recorded}, but the target's offers say {dialect}")
    return replay(target, load(path), Rules.of(header))


def _group(plane: Plane, steps: list[Step], rules: Rules) -> Iterator[Difference]:
    streams: dict[str, QueueStream] = {}
    for step in steps:
        answered = _run(plane, step, streams, rules)
        if step.pause:
            pass_time(plane, step.pause)
        if isinstance(answered, str):
            yield Difference(step.group, step.name, "", None, answered)
            continue
        recorded = {key: value for key, value in step.fields.items() if key in ANSWERS}
        if "end" in recorded:
            recorded["end"] = _ends(recorded["end"])
        if rules.repeats:
            recorded, answered = _merged(recorded), _merged(answered)
        if not rules.messages:
            recorded.pop("message", None)
            answered.pop("message", None)
        for path, before, after in _compare(recorded, answered, ""):
            place = f"{step.group} / {step.name}: {path}"
            if not any(fnmatchcase(path, each) or fnmatchcase(place, each) for each in rules.ignored):
                yield Difference(step.group, step.name, path, before, after)
    for name, queue_stream in streams.items():
        queue_stream.close()
        yield Difference(steps[-1].group, name, "", None, "the stream was never closed, so nothing of it was compared")


ANSWERS = frozenset(
    ("ok", "error", "message", "details", "events", "end", "reached", "status", "content_type", "body", "has_body")
)
"""The fields of a step that say what came back."""


def _run(plane: Plane, step: Step, streams: dict[str, QueueStream], rules: Rules) -> dict[str, Any] | str:
    """Return what came back, or why the step could not be run."""
    fields, where = step.fields, step.where
    match step.kind:
        case "call":
            method = METHODS[fields["call"]]
            request = to_message(fields["request"], method.request, where)
            if not method.streaming:
                return invoke(plane, fields["call"], request)
            return _drained(plane, open_stream(plane, fields["call"], request), fields, rules)
        case "open":
            request = to_message(fields["request"], rpc.WatchRequest, where)
            if fields["open"] in streams:
                return "a stream of that name is open already"
            streams[fields["open"]] = open_stream(plane, "watch", request)
            return {}
        case "close":
            opened = streams.pop(fields["close"], None)
            return "no such stream was opened" if opened is None else _drained(plane, opened, fields, rules)
        case "wait":
            app_id = cast("model.Identifier", to_message(fields["wait"], model.Identifier, where))
            return {"reached": await_status(plane, app_id, fields["until_all_conditions"])}
        case _:
            if missing := plane.capabilities.missing("http"):
                return missing
            answer = send(plane, fields["http"], where)
            return answer if isinstance(answer, str) else {key: answer[key] for key in answer.keys() & fields.keys()}


def _drained(plane: Plane, queue_stream: QueueStream, fields: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Return the messages of a stream in the recording's format; a refused stream may be recorded as a call is."""
    recorded = _merged(fields) if rules.repeats else fields
    wanted, ends = len(recorded.get("events", ())), _ends(fields.get("end", DONE)) != OPEN
    events, end, message = drain(plane, queue_stream, wanted, ends=ends, repeats=rules.repeats)
    if "error" in fields and not events:
        return {"error": end, "message": message}
    return {"events": events, "end": end} | ({"message": message} if message else {})


def _ends(end: str) -> str:
    """Return an end in the words of this suite: Go calls a stream's end EOF."""
    return DONE if end == "EOF" else end


def _merged(answer: dict[str, Any]) -> dict[str, Any]:
    events = cast("list[Any]", answer.get("events", []))
    kept = [each for number, each in enumerate(events) if not number or each != events[number - 1]]
    return {**answer, "events": kept} if "events" in answer else dict(answer)


def _compare(recorded: Any, found: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(recorded, dict) and isinstance(found, dict):
        before, after = cast("dict[str, Any]", recorded), cast("dict[str, Any]", found)
        for key in dict.fromkeys((*before, *after)):
            yield from _compare(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(recorded, list) and isinstance(found, list):
        before, after = cast("list[Any]", recorded), cast("list[Any]", found)
        for number in range(max(len(before), len(after))):
            pair = [values[number] if number < len(values) else None for values in (before, after)]
            yield from _compare(pair[0], pair[1], f"{path}.{number}")
    elif recorded != found:
        yield path, recorded, found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."
