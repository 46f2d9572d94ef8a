"""Recordings: made of the stand-in, written, read, and replayed on planes that are the same and that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.recordings.messages import BadRecording
from flyteapps_contract.recordings.recorder import Recorder
from flyteapps_contract.recordings.replayer import Rules, replay
from flyteapps_contract.recordings.steps import Step, header_of, load, save
from mutants.apps import labels_are_merged
from mutants.watches import old_app_is_the_new_one

from . import standins


def app(name: str = "a", **labels: str) -> model.App:
    """Return a small app of a fixed id."""
    app_id = model.Identifier(org="o", project="p", domain="d", name=name)
    made = model.App(metadata=model.Meta(id=app_id, labels=labels))
    made.spec.container.image = "img:1"
    return made


def record() -> list[Step]:
    """Return the life of an app, a refusal, a list and a watch, and a second group on a plane of its own."""
    steps: list[Step] = []
    plane = standins.in_process().plane()
    try:
        life = Recorder(plane, "life")
        life.call("create", "create", rpc.CreateRequest(app=app(team="red")))
        life.call("create again", "create", rpc.CreateRequest(app=app()))
        life.call("a bad name", "create", rpc.CreateRequest(app=app("no name")))
        life.open("w", rpc.WatchRequest(app_id=app().metadata.id))
        life.wait(app().metadata.id, "ACTIVE")
        life.call("update", "update", rpc.UpdateRequest(app=app(size="big")))
        life.wait(app().metadata.id, "ACTIVE")
        life.call("list", "list", rpc.ListRequest(org="o", request=list_pb2.ListRequest(limit=1)))
        life.close("w", 6)
        life.call("lease", "update_status", rpc.UpdateStatusRequest(app=app()))
        steps += life.steps
    finally:
        plane.close()
    plane = standins.in_process().plane()
    try:
        empty = Recorder(plane, "empty")
        empty.call("get", "get", rpc.GetRequest(app_id=app().metadata.id))
        empty.open("nobody", rpc.WatchRequest(app_id=app().metadata.id))
        empty.close("nobody", 0)
        steps += empty.steps
    finally:
        plane.close()
    return steps


def test_a_recording_replays_without_a_difference(tmp_path: Path) -> None:
    """The stand-in answers again as it was recorded, in process and over gRPC, from a file."""
    save(tmp_path / "life.jsonl", record())
    steps = load(tmp_path / "life.jsonl")
    assert [step.kind for step in steps].count("call") == 7
    assert replay(standins.in_process(), steps) == []
    assert replay(standins.over_grpc(), steps) == []


def test_another_answer_is_found() -> None:
    """A plane that answers otherwise differs in exactly the paths that it breaks, and rules can allow them."""
    steps = record()
    with labels_are_merged():
        found = replay(standins.in_process(), steps)
        allowed = Rules(ignored=("*.metadata.labels.team", "*.metadata.labels.team.*"))
        assert replay(standins.in_process(), steps, allowed) == []
    assert {each.path.rpartition(".metadata.")[2] for each in found} == {"labels.team"}
    assert {each.step for each in found} == {"update", "list", "close w"}
    with old_app_is_the_new_one():
        found = replay(standins.in_process(), steps)
    assert found and all(".old_app." in each.path for each in found), [str(each) for each in found]


def test_rules_for_messages_and_runs_of_equal_events() -> None:
    """Texts of errors, and repeated events, count only where the rules say so."""
    steps = record()
    reworded = [_with(step, message="other words") if "error" in step.fields else step for step in steps]
    assert {each.path for each in replay(standins.in_process(), reworded)} == {"message"}
    assert replay(standins.in_process(), reworded, Rules(messages=False)) == []
    twice = [_twice(step) for step in steps]
    assert replay(standins.in_process(), twice, Rules(repeats=True)) == []


def test_what_can_not_be_run_is_said() -> None:
    """A raw HTTP request to no port, or the end of a stream that was never opened, is reported, not passed over."""
    steps = [
        Step("g", "raw", "http", {"http": {"method": "GET", "path": "/"}, "status": 404}),
        Step("g", "end", "close", {"close": "w", "events": [], "end": "OK"}),
    ]
    assert [str(each) for each in replay(standins.in_process(), steps)] == [
        "g / raw: not run: needs raw HTTP requests to an endpoint",
        "g / end: not run: no such stream was opened",
    ]


GOOD = '{"group": "g", "step": "s", "call": "get", "request": {}, "ok": {}}'


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("{", "no JSON"),
        ("[]", "not an object"),
        ('{"group": "g"}', "lacks `group` or `step`"),
        ('{"group": "g", "step": "s"}', "this has none"),
        ('{"group": "g", "step": "s", "call": "fly", "request": {}, "ok": {}}', "no such call 'fly'"),
        (GOOD[:-1] + ', "colour": 1}', "unknown field 'colour'"),
        (GOOD[:-20], "the last line: is the file cut off"),
        ('{"group": "g", "step": "s", "call": "get", "ok": {}}', "lacks `request`"),
        ('{"group": "g", "step": "s", "call": "get", "request": {}}', "lacks an answer"),
        ('{"group": "g", "step": "s", "call": "get", "request": {"nope": 1}, "ok": {}}', "no GetRequest"),
        ('{"group": "g", "step": "s", "call": "get", "request": {}, "ok": {"nope": 1}}', "no GetResponse"),
        ('{"group": "g", "step": "s", "open": "w", "request": {"app_id": 5}}', "no WatchRequest"),
        (
            '{"group": "g", "step": "s", "close": "w", "events": [{"nope": {}}], "end": "OK"}',
            "event 0: no WatchResponse",
        ),
        ('{"group": "g", "step": "s", "close": "w", "events": {}, "end": "OK"}', "events has to be list"),
        ('{"group": "g", "step": "s", "close": "w", "events": [], "end": "NOPE"}', "no call ends with 'NOPE'"),
        ('{"group": "g", "step": "s", "call": [], "request": {}, "ok": {}}', "call has to be str"),
        (GOOD.replace('"ok": {}', '"ok": null'), "ok has to be dict, not None"),
        (GOOD.replace('"ok": {}', '"ok": {}, "error": "NOT_FOUND"'), "has several"),
        ('{"group": "g", "step": "s", "open": "w", "request": {}}', "the stream 'w' is never closed"),
        ('{"a": ' + "[" * 100_000, "no JSON"),
        (GOOD.replace('"request": {}', '"request": {"app_id": {"name": "<99999999999 bytes>"}}'), "are made up"),
        (
            '{"group": "g", "step": "s", "http": {"method": "GET", "path": "/", "headers": {"a": 1}}, "status": 200}',
            "headers: a has to be str",
        ),
        (
            '{"group": "g", "step": "s", "http": {"method": "GET", "path": "/", "body_base64": "é"}, "status": 200}',
            "body_base64",
        ),
        ('{"group": "g", "step": "s", "wait": {}, "until_all_conditions": "GONE", "reached": true}', "called 'GONE'"),
        ('{"group": "g", "step": "s", "http": {"method": "GET"}, "status": 200}', "lacks `path`"),
        ('{"group": "g", "step": "s", "http": [], "status": 200}', "http has to be dict"),
        (
            '{"group": "g", "step": "s", "http": {"method": "GET", "path": "/", "body_base64": "?"}, "status": 200}',
            "body_base64",
        ),
        (
            '{"group": "g", "step": "s", "http": {"method": "GET", "path": "/", "body_base64": "<9 bytes>"}, '
            '"status": 200}',
            "no Create is 9 bytes long",
        ),
        ('{"recording": 1}', "lacks `group`"),
    ],
)
def test_what_is_no_recording(line: str, word: str, tmp_path: Path) -> None:
    """A broken line is named with its number, what it lacks, and where the file seems to be cut off."""
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(BadRecording, match="line 2") as raised:
        load(path)
    assert word in str(raised.value)


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"recording": 2}, "line 1: a recording of format 2; this reads format 1"),
        ({"recording": 1, "steps": 3}, "line 2: the last one, after 1 steps, but the header says 3"),
        ({"recording": 1, "made_of": "x"}, "line 1: header: unknown field 'made_of'"),
        ({"recording": 1, "steps": "1"}, "line 1: header: steps has to be int"),
        ({"recording": True}, "line 1: a recording of format True"),
        ({"recording": 1, "rules": {"ignored": "validation*"}}, "line 1: header: rules: ignored has to be list"),
        ({"recording": 1, "rules": {"ignored": [1]}}, "line 1: header: rules: ignored: 1 is no path"),
        ({"recording": 1, "rules": {"repeats": "no"}}, "line 1: header: rules: repeats has to be bool"),
        ({"recording": 1, "pauses": {"g / s": -1}}, "line 1: header: a pause of -1 after g / s"),
        ({"recording": 1, "rules": {"nope": 1}}, "line 1: header: rules: unknown field 'nope'"),
        ({"recording": 1, "pauses": {"g / none": 1.0}}, "line 1: a pause after g / none, which is no step"),
    ],
)
def test_a_header_that_does_not_fit(header: dict[str, object], word: str, tmp_path: Path) -> None:
    """A header of another format, with an unknown field, or of another number of steps, is named with its line."""
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{json.dumps(header)}\n{GOOD}\n")
    with pytest.raises(BadRecording) as raised:
        load(path)
    assert word in str(raised.value)


def test_a_stream_that_is_left_open_is_reported() -> None:
    """A stream that no step closes, or that is opened twice, is a difference: nothing of it would be compared."""
    request = {"app_id": {"org": "o", "project": "p", "domain": "d", "name": "a"}}
    steps = [Step("g", f"open {number}", "open", {"open": "w", "request": request}) for number in (1, 2)]
    assert [str(each) for each in replay(standins.in_process(), steps)] == [
        "g / open 2: not run: a stream of that name is open already",
        "g / w: not run: the stream was never closed, so nothing of it was compared",
    ]


def test_a_line_separator_in_a_text_ends_no_line(tmp_path: Path) -> None:
    """A text may hold any character that JSON allows, such as U+2028."""
    path = tmp_path / "good.jsonl"
    path.write_text(
        GOOD.replace('"ok": {}', '"error": "NOT_FOUND", "message": "a\u2028b", "details": 0') + "\n", "utf-8"
    )
    assert load(path)[0].fields["message"] == "a\u2028b"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file that is no text at all is no recording."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadRecording, match="no UTF-8"):
        load(path)


def test_a_header_is_read_and_written(tmp_path: Path) -> None:
    """A header is read with its settings for the whole and for single steps; a file without one is a recording, too."""
    path = tmp_path / "good.jsonl"
    path.write_text(GOOD)
    assert header_of(path) is None
    assert [step.where for step in load(path)] == [f"{path}, line 1, g / s"]
    save(path, [Step("g", "s", "call", {"call": "get", "request": {}, "ok": {}}, pause=0.5)])
    header = header_of(path)
    assert header is not None and header.steps == 1
    assert [step.pause for step in load(path)] == [0.5]


def test_a_request_that_is_none() -> None:
    """A request with a field that its message lacks is named by its step."""
    steps = [Step("g", "s", "call", {"call": "get", "request": {"nope": 1}, "ok": {}})]
    with pytest.raises(BadRecording, match="g / s"):
        replay(standins.in_process(), steps)


def _with(step: Step, **fields: object) -> Step:
    return Step(step.group, step.name, step.kind, {**step.fields, **fields})


def _twice(step: Step) -> Step:
    events = step.fields.get("events", [])
    return _with(step, events=[each for each in events for _ in range(2)]) if events else step
