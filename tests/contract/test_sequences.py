"""Generated sequences: the stand-in keeps the contract through them; planted bugs are found, shrunk and replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flyteapps_contract.cli import verify
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.explorations.sequences import Found, replay, search
from flyteapps_contract.outcomes import CannotJudge, Verdict
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import SlotName
from flyteapps_contract.sequences.saved import TABLES, SavedSequence, from_json, to_json
from flyteapps_contract.sequences.table import CommandTable, choices_of, decode
from flyteapps_contract.session import Run
from flyteapps_contract.verification import fresh_prefix
from flyteapps_fake import FakeControlPlane
from mutants import apps, watches
from mutants.catalogue import Mutant

from . import standins

FEW = 30
CREATE_TWICE = SavedSequence((commands.Create(SlotName.A), commands.Create(SlotName.A)), ("CR-2",), "it was created")


def found_with(guarantee: str, mutant: Mutant) -> Found:
    """Return what a search finds with a planted bug."""
    with mutant():
        options = SearchOptions(count=1_500, seed=1, judged=frozenset({guarantee}))
        return search(standins.direct(), Run(prefix=fresh_prefix()), options)


def test_the_stand_in_is_clean() -> None:
    """No sequence breaks a guarantee, and the same seed gives the same run."""
    options = SearchOptions(count=FEW, seed=1)
    first, again = (search(standins.direct(), Run(prefix="fcseq"), options) for _ in range(2))
    assert first.violation is None, (first.violation, first.sequence)
    assert first.tried == FEW
    assert first.commands == again.commands
    assert first.commands["create"] > FEW


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("guarantee", "mutant"),
    [
        ("CR-2", apps.create_upserts),
        ("UP-4", apps.labels_alone_are_no_change),
        ("WA-6", watches.old_app_is_the_new_one),
    ],
)
def test_a_planted_bug_is_found_and_shrunk(guarantee: str, mutant: Mutant) -> None:
    """A sequence of few calls breaks the guarantee that the bug breaks; saved and read, it does so again."""
    found = found_with(guarantee, mutant)
    assert found.violation is not None
    assert guarantee in found.violation.guarantees
    assert found.violation.proof
    assert found.calls <= 12, found.sequence
    saved = from_json(found.saved, "found.json")
    assert saved.commands == found.sequence
    with mutant():
        outcome = replay(standins.direct(), Run(prefix=fresh_prefix()), saved)
    assert outcome.verdict is Verdict.BROKEN
    assert guarantee in outcome.guarantees
    assert replay(standins.direct(), Run(prefix=fresh_prefix()), saved).verdict is Verdict.HOLDS


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_command_is_saved_and_read(table: CommandTable) -> None:
    """Each value of each field of each command is the same after a round through JSON, and so is the dialect."""
    all_ = [
        decode((row.command, tuple(number % len(values) for _, values in choices_of(row.command))))
        for row in table.rows
        for number in range(max((len(values) for _, values in choices_of(row.command)), default=1))
    ]
    saved = SavedSequence(tuple(all_), dialect=table.dialect)
    assert from_json(to_json(saved), "all.json") == saved


def test_a_saved_sequence_is_verified_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`verify --replay` ends with 1 on a plane with the bug, and with 0 on one without."""
    path = tmp_path / "sequence.json"
    path.write_text(to_json(CREATE_TWICE), encoding="utf-8")
    with standins.fresh() as plane:
        url = plane.serve().url
        with apps.create_upserts():
            assert verify.main([url, "--replay", str(path)]) == 1
        assert "broken CR-2" in capsys.readouterr().out
        assert verify.main([url, "--replay", str(path)]) == 0
    assert "saved as breaking CR-2: holds" in capsys.readouterr().out


@pytest.mark.slow
def test_a_failing_run_saves_its_sequence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`verify --save` writes what breaks to a file that `--replay` takes."""
    with standins.fresh() as plane, apps.create_upserts():
        url = plane.serve().url
        assert verify.main([url, "--only", "CR-2", "--seed", "1", "--save", str(tmp_path)]) == 1
        saved = list(tmp_path.iterdir())
        if saved:  # the directed check may have explained it already
            assert verify.main([url, "--replay", str(saved[0])]) == 1
    capsys.readouterr()


def test_a_clock_that_is_needed_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sequence that moves a clock can't be judged where none can be moved: status 2, with the reason."""
    advance = replace(CREATE_TWICE, commands=(decode((commands.Advance, (0,))),))
    path = tmp_path / "sequence.json"
    path.write_text(to_json(advance), encoding="utf-8")
    with standins.fresh() as plane:
        assert verify.main([plane.serve().url, "--replay", str(path)]) == 2
    assert "the target's clock can't be moved" in capsys.readouterr().err


def test_a_sequence_of_another_dialect_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`verify --replay` names the dialect of the sequence: status 2."""
    path = tmp_path / "sequence.json"
    path.write_text(to_json(CREATE_TWICE), encoding="utf-8")
    with FakeControlPlane(dialect="flyte-oss") as plane:
        assert verify.main([plane.serve().url, "--dialect", "flyte-oss", "--replay", str(path)]) == 2
    assert "give --dialect standard" in capsys.readouterr().err


def saved_with(change: dict[str, Any]) -> str:
    """Return a saved sequence of one command with some fields of the command changed."""
    document = json.loads(to_json(replace(CREATE_TWICE, commands=CREATE_TWICE.commands[:1])))
    document["commands"][0] |= change
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object, got list"),
        ("{}", "not a saved sequence"),
        ('{"format": "flyteapps-sequence", "version": 1, "commands": []}', "one command or more"),
        (saved_with({"command": "creat"}), 'command 1: unknown command "creat"; use one of create, get'),
        (saved_with({"slot": "Z"}), 'command 1: create: slot: "Z" is not one of "A"'),
        (saved_with({"slot": ["A"]}), 'create: slot: ["A"] is not one of'),
        (to_json(replace(CREATE_TWICE, dialect="other")), 'unknown dialect "other"; use one of standard'),
        (saved_with({"more": 1}), "create has no field 'more'"),
        (
            '{"format": "flyteapps-sequence", "version": 1, "commands": [{"command": "get"}]}',
            "get needs the field 'slot'",
        ),
    ],
)
def test_a_bad_file_is_an_error(text: str, said: str) -> None:
    """It can't be judged, and the message says where and why."""
    with pytest.raises(CannotJudge, match=r"bad\.json: ") as raised:
        from_json(text, "bad.json")
    assert said in str(raised.value)


def test_a_missing_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`verify --replay` of a file that isn't there ends with 2, and calls no plane."""
    assert verify.main(["localhost:1", "--replay", str(tmp_path / "none.json")]) == 2
    assert "can't be read" in capsys.readouterr().err
