"""The example of docs/scenarios.md: its file is read, and its apps do what the comments say."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from control.calls import create
from import_graph import ROOT

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.scenarios import LABEL

from .driving import conditions, restart

PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeControlPlane:
    """The plane of the page, with the page's file."""
    [(name, text)] = re.findall(r'^```yaml title="(.*?)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, FakeControlPlane] = {}
    exec(program, names)
    return names["plane"]


def test_the_first_start_runs_out_of_memory(plane: FakeControlPlane) -> None:
    """For the apps that `when` matches; activated again they run."""
    request = create("worker-1")
    request.app.spec.container.image = "example.org/train:1"
    request.app.metadata.labels["tier"] = "gpu"
    plane.stub().create(request)
    plane.clock.advance("70s")
    assert conditions(plane, "worker-1")[-1] == "FAILED/OOM_KILLED Killed: 16 GiB"
    assert restart(plane, "worker-1") == "Running"
    plane.close()


def test_an_app_answers(plane: FakeControlPlane) -> None:
    """As the file says, and 501 for the rest."""
    server = plane.serve()
    subdomain = plane.stub().create(create("chat")).app.spec.ingress.subdomain
    plane.clock.advance("5s")
    with httpx.Client(base_url=f"{server.url}/apps/{subdomain}", trust_env=False) as http:
        assert http.get("/healthz").text == "ok"
        posted = http.post("/v1/chat", json={})
        assert (posted.status_code, posted.json(), posted.headers["x-model"]) == (201, {"reply": "hello"}, "none")
        assert http.get("/").status_code == 501
    plane.close()


def test_some_apps_are_given_up(plane: FakeControlPlane) -> None:
    """After three failures with growing pauses, about one of four."""
    for number in range(40):
        request = create(f"app-{number}")
        request.app.metadata.labels[LABEL] = "flaky"
        plane.stub().create(request)
    plane.clock.advance("5m")
    found = [conditions(plane, f"app-{number}") for number in range(40)]
    assert "FAILED/CRASH_LOOP Failure 3, after 40 s" in found[0]
    assert 3 <= sum(each[-1] == "FAILED/CRASH_LOOP Given up" for each in found) <= 18
    plane.close()
