"""`flyteapps serve --seed-file`: the apps of a file are there with the first request, or the server doesn't start."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.serve import main
from flyteapps_fake.seeding.files import load_file
from serving.server_process import HTTP, ServerProcess

EACH_SERVER = [
    "portable",
    pytest.param(
        "pyvoy", marks=pytest.mark.skipif(importlib.util.find_spec("pyvoy") is None, reason="pyvoy is not installed")
    ),
]
APPS = """\
apps:
- {name: hello, image: "ghcr.io/x/hello:1"}
- {name: broken, image: "img:1", scenario: crash-loop}
"""


@pytest.mark.parametrize("server", EACH_SERVER)
def test_the_apps_are_there_at_the_first_request(server: str, tmp_path: Path) -> None:
    """They have started, without real time that passes, and are no news on the terminal."""
    file = tmp_path / "apps.yaml"
    file.write_text(APPS)
    with ServerProcess("--server", server, "--seed-file", str(file)) as served:
        body = {"limit": 10, "project": {"name": "demo", "domain": "development"}}
        url = f"http://localhost:{served.port}/flyteidl2.app.AppService/List"
        answer = HTTP.post(url, json={"request": {"limit": 10}, **body})
        found = {
            each["metadata"]["id"]["name"]: each["status"]["conditions"][-1]["deploymentStatus"]
            for each in answer.raise_for_status().json()["apps"]
        }
        assert found == {"hello": "DEPLOYMENT_STATUS_ACTIVE", "broken": "DEPLOYMENT_STATUS_FAILED"}
        assert "hello" not in served.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apps:\n- name: hello\n  imgae: i\n", "{file}:3:3: unknown field 'imgae' of an app: did you mean image?"),
        (APPS + "  status: ACTIVE", "neither YAML nor JSON"),
        (
            "apps: [{name: a, image: img, scenario: crash-loop, status: ACTIVE}]",
            "{file}:1:60: the app demo/development/a never becomes ACTIVE: its start ends as FAILED",
        ),
        (None, "{file}: can't be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_taken_starts_no_server(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one line with the place of the mistake, and the exit status of invalid input."""
    file = tmp_path / "apps.yaml"
    if text is not None:
        file.write_text(text)
    assert main(["--port", "0", "--seed-file", str(file)]) == 2
    printed = capsys.readouterr().err
    assert f"--seed-file {file}" in printed and message.format(file=file) in printed
    assert printed.count("\n") == 1


def test_a_state_of_another_plane_is_a_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server begins with the state that was exported; one that it can't take starts no server."""
    file = tmp_path / "state.json"
    with FakeControlPlane() as plane:
        load_file(plane, APPS.encode(), "apps.yaml")
        plane.export(file)
    with ServerProcess("--server", "portable", "--seed-file", str(file)) as served:
        answer = HTTP.post(
            f"http://localhost:{served.port}/flyteidl2.app.AppService/List", json={"request": {"limit": 10}}
        )
        assert len(answer.raise_for_status().json()["apps"]) == 2
    assert main(["--port", "0", "--seed-file", str(file), "--dialect", "flyte-oss"]) == 2
    assert "the state is that of a plane of the dialect standard" in capsys.readouterr().err
