"""The check of the generated modules of the control API."""

from __future__ import annotations

from pathlib import Path

import generate
import pytest


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the compiler make what is there: the tests have none."""
    made = generate.modules_in(generate.HERE)

    def generated(protoc: Path) -> generate.Files:
        return made

    monkeypatch.setattr(generate, "generated", generated)


def test_what_is_there_is_compared_in_both_directions(
    compiler: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A module that differs, one that is missing and one without a source fail the check, which writes nothing."""
    made = generate.modules_in(generate.HERE)
    modules = [f"flyteapps_control/v1/{name}_pb2.{kind}" for name in ("control", "state") for kind in ("py", "pyi")]
    assert sorted(made) == modules
    assert generate.main(["protoc", "--check"]) == 0
    folder = tmp_path / "flyteapps_control" / "v1"
    folder.mkdir(parents=True)
    (folder / "control_pb2.py").write_bytes(made["flyteapps_control/v1/control_pb2.py"] + b"\n")
    (folder / "old_pb2.py").write_bytes(b"")
    monkeypatch.setattr(generate, "HERE", tmp_path)
    capsys.readouterr()
    assert generate.main(["protoc", "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "protos/flyteapps_control/v1/control_pb2.py is not what its .proto file makes: run `make protos`",
        "protos/flyteapps_control/v1/control_pb2.pyi is missing: run `make protos`",
        "protos/flyteapps_control/v1/old_pb2.py is made from no .proto file: remove it",
        "protos/flyteapps_control/v1/state_pb2.py is missing: run `make protos`",
        "protos/flyteapps_control/v1/state_pb2.pyi is missing: run `make protos`",
        "protos: 5 differences in the 4 generated modules",
    ]
    assert generate.main(["protoc"]) == 0
    assert generate.modules_in(tmp_path) == made
