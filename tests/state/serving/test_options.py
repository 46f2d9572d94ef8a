"""The options of a kept state: what is refused, and before anything is started; the directory of `make serve`."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyteapps_control.v1.state_pb2 import PlaneTime
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli import serve_state
from flyteapps_fake.cli.serve import serve
from flyteapps_fake.directory.files import DATABASE
from flyteapps_fake.directory.state_directory import StateDirectory
from flyteapps_fake.saving.saver import TIME
from flyteapps_fake.servers.listener import bound_socket
from serving.conftest import EACH_KIND
from serving.server_process import ServerProcess

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_state, "IN_USE_SECONDS", 0.01)


def refused(*arguments: str) -> str:
    """Return the message of a server that doesn't start: no server is imported, no port is opened."""
    result = CliRunner().invoke(serve, ["--port", "0", "--console-port", "0", *arguments])
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1, result.output
    return result.output


def kept(path: Path, dialect: str = "standard") -> Path:
    """Return the directory of a state."""
    StateDirectory.open(path, dialect=dialect, sync="never").close()
    return path


def test_a_directory_in_use(tmp_path: Path) -> None:
    """The directory of a running plane is refused, with the process that has it, also for a fresh start."""
    with FakeControlPlane(state=tmp_path / "state"):
        for more in ((), ("--fresh",)):
            message = refused("--state", str(tmp_path / "state"), *more)
            assert re.search(r"state is in use by another server \(this process\): stop it, or", message)
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_another_dialect(tmp_path: Path) -> None:
    """The state of a plane of another dialect is refused, with both names."""
    path = kept(tmp_path / "state", "flyte-oss")
    assert "of the dialect flyte-oss, not standard" in refused("--state", str(path))


def test_a_newer_format(tmp_path: Path) -> None:
    """A state of a newer version is refused, with that version."""
    path = kept(tmp_path / "state")
    with sqlite3.connect(path / DATABASE) as database:
        database.execute("UPDATE about SET value = 99 WHERE name = 'format'")
    database.close()
    assert "has format 99 of flyteapps" in refused("--state", str(path))


def test_a_damaged_state(tmp_path: Path) -> None:
    """A damaged state is refused, with the commands that look into it; a fresh start leaves it beside."""
    path = kept(tmp_path / "state")
    with (path / DATABASE).open("r+b") as file:
        file.seek(8192)
        file.write(b"x" * 8192)
    message = refused("--state", str(path))
    assert f"`flyteapps state repair {path}`" in message and "--fresh starts without" in message
    with ServerProcess("--state", str(path), "--fresh", "--server", "portable") as server:
        assert "what was there is in state.before-fresh-" in server.output


@pytest.mark.parametrize("kind", EACH_KIND)
def test_a_state_that_no_plane_takes(tmp_path: Path, kind: str) -> None:
    """A whole directory with a piece that this version can't read is refused by whatever process has the plane."""
    with StateDirectory.open(tmp_path / "state", dialect="standard", sync="never") as directory:
        directory.write([(TIME, b"", PlaneTime(wall=1).SerializeToString()), ("rockets", b"", b"")], 1)
    command = [sys.executable, "-m", "flyteapps_fake.cli.serve", "--port", "0", "--console-port", "0"]
    command += ["--server", kind, "--state", str(tmp_path / "state")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "state: the state is damaged: " in ended.stderr and "rockets" in ended.stderr


@pytest.mark.parametrize("more", [(), ("--fresh",)])
def test_a_directory_of_something_else(tmp_path: Path, more: tuple[str, ...]) -> None:
    """A directory with other files is refused and left as it is, by --fresh, too."""
    (tmp_path / "thesis.txt").write_text("text")
    assert "has other files" in refused("--state", str(tmp_path), *more)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_place_that_cant_be_written(tmp_path: Path) -> None:
    """A directory that can't be made is refused, with the reason of the system."""
    (tmp_path / "file").write_text("text")
    assert "file/state: is a file, not a directory" in refused("--state", str(tmp_path / "file" / "state"))
    message = refused("--state", "/proc/state")
    assert re.search(r"/proc/state: can't be made or reached \(.*\): give another directory", message)


def test_options_that_need_a_directory() -> None:
    """Options without a directory, and a directory without a name, are refused with what to do."""
    for option in (("--fresh",), ("--state-sync", "always"), ("--time-between", "stands")):
        assert f"{' '.join(option)} is for a server that keeps its state: add --state DIR" in refused(*option)
    assert "--state names no directory" in refused("--state", "")


def test_only_a_few_states_of_before_are_kept(tmp_path: Path) -> None:
    """Each fresh start leaves the state of before beside; the oldest ones are removed."""
    for number in range(5):
        state = serve_state.ServeState(kept(tmp_path / "state"), fresh=True)
        (tmp_path / "state" / "uploads").mkdir()
        (tmp_path / "state" / "uploads" / str(number)).touch()
        serve_state.begin_fresh(state)
    left = sorted(each.name for each in tmp_path.glob("state.before-fresh-*/uploads/*"))
    assert left == ["2", "3", "4"]


def free_port() -> str:
    """Return a port that no program has now."""
    with closing(bound_socket("127.0.0.1", 0)) as sock:
        return str(sock.getsockname()[1])


def test_make_serve_keeps_the_state_of_a_user() -> None:
    """`make serve` keeps its state in the directory of the user."""
    command = ["make", "--no-print-directory", "-n", "serve", "ARGS=--fresh"]
    commands = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert commands.stdout.rstrip().endswith("flyteapps serve --state user --fresh"), commands.stdout


def test_the_directory_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each port and dialect has a directory of its own, in the user's state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    port = free_port()
    with ServerProcess("--server", "portable", "--state", "user", "--port", port) as server:
        path = tmp_path / "flyteapps" / f"serve-{port}"
        assert f"state    {path}, which is new" in server.output
        assert (path / DATABASE).is_file()
        message = refused("--state", "user", "--port", port)
        advice = f"choose another port, such as --port {int(port) + 1}"
        assert re.search(rf"serve-{port} is in use by .*: stop it, or {advice}", message)


def test_the_directory_of_a_user_is_below_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the user's state directory can't be written, the state is in memory, with a warning."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with ServerProcess("--server", "portable", "--state", "user", "--port", free_port()) as server:
        assert "the state is kept in memory: " in server.output
        assert "state    in memory\n" in server.output


def test_memory() -> None:
    """Without a directory the banner says that the state is in memory, and how to keep it."""
    with ServerProcess("--server", "portable") as server:
        assert "state    in memory: --state DIR keeps it" in server.output


def test_two_fresh_starts_at_once(tmp_path: Path) -> None:
    """The second of two fresh starts has nothing to move where the first one has moved it since."""
    state = serve_state.ServeState(kept(tmp_path / "state"), text="new", fresh=True)
    assert "what was there is in state.before-fresh-" in serve_state.begin_fresh(state).text
    assert serve_state.begin_fresh(state).text == "new"


def test_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `~` that no shell has expanded is the home directory: no directory of that name is made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with FakeControlPlane(state="~/state"):
        assert re.search(f"--state {tmp_path}/state is in use", refused("--state=~/state"))
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_a_file_that_a_state_begins_with(tmp_path: Path) -> None:
    """The banner says whether the apps of a file are there, or those of before."""
    (tmp_path / "apps.yaml").write_text("apps: [{name: hello, image: i}]")
    options = ("--server", "portable", "--seed-file", str(tmp_path / "apps.yaml"), "--state", str(tmp_path / "state"))
    with ServerProcess(*options) as server:
        assert f"state    {tmp_path}/state, which is new, begun with apps.yaml\n" in server.output
    with ServerProcess(*options) as server:
        assert re.search(r"/state: 1 app, of .*, not apps\.yaml: --fresh begins with that\n", server.output)


@pytest.mark.parametrize("state", ["", "a\0b"])
def test_a_directory_that_none_can_be(state: str) -> None:
    """An empty name and one with a NUL are refused in process, too."""
    with pytest.raises(ValueError, match="state must name a directory"):
        FakeControlPlane(state=state)
