"""The fixtures for people's own tests, as their tests use them, and how little they cost where none does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_payload_pb2 import WatchRequest

from flyteapps_contract import contract_tests
from flyteapps_fake import FakeControlPlane, LeakedStreams

EXAMPLE = """
from flyteidl2.app.app_payload_pb2 import ListRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync

def test_in_process(flyte_plane):
    assert not flyte_plane.stub().list(ListRequest()).apps

def test_over_a_port(flyte_plane_endpoint):
    with AppServiceClientSync(flyte_plane_endpoint) as client:
        assert not client.list(ListRequest()).apps

def test_a_leak(flyte_plane):
    flyte_plane.on_schedule.append(iter(flyte_plane.stub().watch(WATCH)))
"""


def test_the_fixtures_are_there(tmp_path: Path) -> None:
    """Both fixtures work in another project; a stream left open fails its test at the end."""
    watch = "from flyteidl2.app.app_payload_pb2 import WatchRequest\nWATCH = WatchRequest(org='flyte')\n"
    (tmp_path / "test_theirs.py").write_text(watch + EXAMPLE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert "3 passed, 1 error" in done.stdout, done.stdout
    assert "LeakedStreams: 1 stream(s)" in done.stdout
    assert "Watch of the org" in done.stdout


def test_a_missing_extra_is_one_line_in_a_test(tmp_path: Path) -> None:
    """Without the extra `serve` the fixture fails with the command that installs it, and no traceback."""
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['sortedcontainers'] = None\n")
    (tmp_path / "test_theirs.py").write_text("def test_in_process(flyte_plane):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert "\nFakeControlPlane needs sortedcontainers: pip install 'flyteapps[serve]'\n" in done.stdout
    assert "Traceback" not in done.stdout and "store.py" not in done.stdout


@pytest.mark.parametrize(
    ("module", "use", "message"),
    [
        ("sortedcontainers", "flyteapps_fake.FakeControlPlane()", "FakeControlPlane needs sortedcontainers"),
        ("protovalidate", "flyteapps_fake.FakeControlPlane(clock='manual')", "FakeControlPlane needs protovalidate"),
        ("hypercorn", "flyteapps_fake.FakeControlPlane().serve()", "FakeControlPlane.serve needs hypercorn"),
        ("pytest", "flyteapps_contract.contract_tests", "contract_tests needs pytest"),
        ("hypothesis", "flyteapps_contract.contract_tests", "contract_tests needs hypothesis"),
        ("pytest", "flyteapps_contract.client_tests", "client_tests needs pytest"),
    ],
)
def test_a_missing_extra_says_what_to_install(module: str, use: str, message: str) -> None:
    """The error names what was called, the missing module and the extra; nothing of ours is its cause."""
    package = use.partition(".")[0]
    script = f"import sys; sys.modules[{module!r}] = None; import {package}; {use}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=False)
    extra = "serve" if package == "flyteapps_fake" else "contract"
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: {message}: pip install 'flyteapps[{extra}]'"
    assert done.stderr.count("Traceback") == 1


def test_an_unknown_guarantee_is_refused_with_the_known_ones() -> None:
    """The message lists the ids that there are."""
    with pytest.raises(ValueError, match=r"no such guarantee: UP-99; there are .*UP-1"):
        contract_tests(Mock(), only=("UP-99",))


@pytest.mark.parametrize(("name", "there"), [("clok", "did you mean clock?"), ("nonsense", "the options are dialect")])
def test_an_unknown_option_is_refused_with_the_nearest(name: str, there: str) -> None:
    """The message names the class that was called, and the options that resemble the unknown one, or all of them."""
    options: dict[str, Any] = {name: "manual"}
    with pytest.raises(TypeError) as refused:
        FakeControlPlane(**options)
    assert str(refused.value).startswith(f"FakeControlPlane() got an unexpected keyword argument {name!r}: {there}")


def test_time_of_an_auto_clock_is_not_advanced() -> None:
    """The error of `advance` says how to get a clock that can be advanced."""
    with FakeControlPlane() as plane, pytest.raises(ValueError, match=r'clock is auto, .*FakeControlPlane\(clock="man'):
        plane.advance(5)


def test_a_leak_is_named() -> None:
    """The error of a leak names each stream's method, and what it is about."""
    org, app = WatchRequest(org="flyte"), Identifier(org="flyte", project="demo", domain="development", name="web")
    kept: list[object] = []
    with pytest.raises(LeakedStreams, match=r"^2 stream.*: Watch of the org, Watch of app demo/development/web$"):  # noqa: SIM117
        with FakeControlPlane() as plane:
            kept += [plane.stub().watch(org), plane.stub().watch(WatchRequest(app_id=app))]


def test_an_unused_plugin_imports_nothing() -> None:
    """Loading the plugin brings no module but its own and pytest's: it costs those who don't use it nothing."""
    script = (
        "import pytest, sys; before = set(sys.modules); import flyteapps_fake.pytest_plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=True)
    assert done.stdout.strip() == "['flyteapps_fake', 'flyteapps_fake.pytest_plugin']"
