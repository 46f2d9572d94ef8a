"""Files of scenarios that change while a plane runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control.calls import create

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.servers import scenario_files
from flyteapps_fake.servers.assembly import assemble
from flyteapps_fake.servers.config import ServeConfig
from flyteapps_fake.servers.scenario_files import ScenarioFiles
from flyteapps_fake.simulation.files.sources import Stamp, stamp_of
from flyteapps_fake.simulation.files.watching import FileWatch

from .driving import last_message, restart, start

TEXT = """
scenarios:
  own:
    when: {name: "*"}
    steps:
    - {state: PENDING}
    - {state: FAILED, message: %s, after: 1s}
"""


class Served:
    """A plane with a file of scenarios, and the versions that the file system would report of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(TEXT % "first")
        self.plane = FakeControlPlane(scenarios=[path], clock="manual")
        self.stamps: dict[str, Stamp | None] = {}
        self.looks = 0
        self.watch = FileWatch(self.plane.scenario_book, self._stamp)
        with self.plane.scenario_book() as book:
            self.stamps.update(book.files)

    def _stamp(self, path: str) -> Stamp | None:
        self.looks += 1
        return self.stamps[path]

    def write(self, text: str) -> None:
        """Write another version, a nanosecond later."""
        self.path.write_text(text)
        known = self.stamps[str(self.path)] or Stamp(0, 0)
        self.stamps[str(self.path)] = Stamp(known.modified_ns + 1, known.size)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A plane with a file."""
    found = Served(tmp_path / "scenarios.yaml")
    yield found
    found.plane.close()


def test_another_version_is_for_the_next_starts(served: Served) -> None:
    """Apps that run go on with the steps that they have."""
    plane = served.plane
    assert served.watch.look() == []
    assert start(plane) == "first"
    plane.stub().create(create("running"))
    served.write(TEXT % "second")
    assert served.watch.look() == [f"{served.path}: read again; the next starts of apps get its 1 scenario(s)"]
    plane.clock.advance("2s")
    assert last_message(plane, "running") == "first"
    assert restart(plane) == "second"


def test_an_invalid_version_changes_nothing_and_is_reported_once(served: Served) -> None:
    """With its place; the next valid one counts."""
    served.write((TEXT % "x").replace("state: FAILED", "state: FALED"))
    [message] = served.watch.look()
    assert message.startswith(f"{served.path}:7:15: state: 'FALED' is unknown; did you mean FAILED?")
    assert message.endswith("; the scenarios that were read before stay in force")
    assert served.watch.look() == []
    assert start(served.plane) == "first"
    served.write(TEXT % "third")
    assert len(served.watch.look()) == 1
    assert restart(served.plane) == "third"


def test_a_version_that_would_break_others_is_refused(served: Served) -> None:
    """Another scenario's `then`, and names that are taken, are checked as at the start."""
    served.plane.scenarios.add({"scenarios": {"mine": {"then": "own", "steps": [{"state": "PENDING"}]}}})
    served.write((TEXT % "x").replace("own:", "other:"))
    assert "then: 'own' is unknown" in served.watch.look()[0]
    served.write((TEXT % "x").replace("own:", "healthy:"))
    assert "healthy is a built-in scenario" in served.watch.look()[0]
    assert start(served.plane) == "first"


def test_a_file_that_is_gone_is_reported_once(served: Served) -> None:
    """The version that was read stays in force, until the file is there again."""
    served.stamps[str(served.path)] = None
    assert served.watch.look() == [f"{served.path}: is gone; the scenarios that were read before stay in force"]
    assert served.watch.look() == []
    assert start(served.plane) == "first"
    served.write(TEXT % "again")
    served.watch.look()
    assert restart(served.plane) == "again"


def test_a_file_that_becomes_something_else(served: Served) -> None:
    """A directory or a pipe in its place is reported, and not read, which could take for good."""
    reported = f"{served.path}: is no file any more; the scenarios that were read before stay in force"
    served.path.unlink()
    served.path.mkdir()
    served.stamps[str(served.path)] = stamp_of(str(served.path))
    assert served.watch.look() == [reported]
    served.path.rmdir()
    os.mkfifo(served.path)
    served.stamps[str(served.path)] = Stamp(0, 0, -1, regular=False)
    assert stamp_of(str(served.path)) == Stamp(0, 0, served.path.stat().st_ino, regular=False)
    assert served.watch.look() == [reported]
    assert start(served.plane) == "first"


def test_a_file_that_is_replaced_by_one_of_the_same_age_and_size(tmp_path: Path) -> None:
    """As by `mv` of a copy with its times: another version."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("x")
        os.utime(path, ns=(0, 0))
    before = stamp_of(str(paths[0]))
    paths[1].rename(paths[0])
    assert stamp_of(str(paths[0])) != before


async def test_a_server_looks_again_and_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a timer on its loop, until it stops; a plane without files needs none."""
    monkeypatch.setattr(scenario_files, "POLL_SECONDS", 0.001)
    reported = asyncio.Queue[str]()
    files = ScenarioFiles(served.watch, reported.put_nowait)
    files.start()
    for text in ("second", "third"):
        served.write(TEXT % text)
        assert "read again" in await asyncio.wait_for(reported.get(), 30)
    files.stop()
    files.stop()
    looks = served.looks
    for _ in range(100):
        await asyncio.sleep(0)
    assert served.looks == looks


async def test_a_served_file_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """From the server's start to its end; a quiet one writes to standard error."""
    monkeypatch.setattr(scenario_files, "POLL_SECONDS", 0.001)
    path = tmp_path / "scenarios.yaml"
    path.write_text(TEXT % "first")
    config = ServeConfig(console_port=None, quiet=True, settings={"scenarios": [str(path)], "clock": "manual"})
    front = assemble(config, "hypercorn")
    await front.start()
    path.write_text("scenarios: {}\n" + "#" * 1_000)
    os.utime(path, ns=(0, 0))
    printed = ""
    async with asyncio.timeout(30):
        while "must be a mapping" not in printed:
            await asyncio.sleep(0.001)
            printed += capsys.readouterr().err
    await front.stop()
    assert f"flyteapps: {path}:1:12: scenarios must be a mapping" in printed


def test_a_file_is_given_once(tmp_path: Path) -> None:
    """The same path twice is a mistake."""
    (tmp_path / "f.yaml").write_text(TEXT % "x")
    with pytest.raises(ValueError, match=r"f\.yaml: the file is given twice"):
        FakeControlPlane(scenarios=[tmp_path / "f.yaml"] * 2)
