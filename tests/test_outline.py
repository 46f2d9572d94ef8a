"""The pinned outline of the upstream wire contract, and what its check says when something moved."""

from __future__ import annotations

import json
from pathlib import Path

import outline
import pytest

DOCTORED = {
    "field flyteidl2.app.Spec.cluster": (
        "17, string",
        "field flyteidl2.app.Spec.cluster was (17, string), is (16, string)",
    ),
    "field flyteidl2.app.Spec.gone": ("99, bool", "field flyteidl2.app.Spec.gone (99, bool) is gone"),
    "field flyteidl2.app.Spec.cluster_pool": (None, "field flyteidl2.app.Spec.cluster_pool (6, string) is new"),
    "method flyteidl2.app.AppService.Restart": (
        "flyteidl2.app.GetRequest -> flyteidl2.app.GetResponse",
        "method flyteidl2.app.AppService.Restart (flyteidl2.app.GetRequest -> flyteidl2.app.GetResponse) is gone",
    ),
}


def test_the_installed_flyteidl2_is_the_one_that_is_pinned() -> None:
    """The file is what would be written now, to the byte."""
    written = json.dumps(outline.outline(), indent=1) + "\n"
    assert outline.OUTLINE_FILE.read_text(encoding="utf-8") == written


@pytest.mark.parametrize("subject", DOCTORED)
def test_what_moved_is_said_in_one_sentence(
    subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A doctored outline fails the check, which names the one thing that differs."""
    value, sentence = DOCTORED[subject]
    pinned = outline.outline()
    if value is None:
        del pinned[subject]
    else:
        pinned[subject] = value
    doctored = tmp_path / "outline.json"
    doctored.write_text(json.dumps(pinned), encoding="utf-8")
    monkeypatch.setattr(outline, "OUTLINE_FILE", doctored)
    assert outline.main(["--check"]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first == sentence
    assert last.startswith("protos: 1 difference ")


def test_a_service_that_is_gone_is_reported_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another flyteidl2 may lack a whole module: its methods are gone then, and the check still ends."""
    pinned = outline.outline()
    monkeypatch.setitem(outline.SERVICES, "flyteidl2.app.AppService", ("flyteidl2.app.no_such_pb2", None))
    moved = list(outline.differences(pinned, outline.outline()))
    assert any(each.startswith("method flyteidl2.app.AppService.Get (") and each.endswith("is gone") for each in moved)
