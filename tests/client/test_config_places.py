"""Config: the places of its file, their order, and files that can't be read."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flyte.config import _reader as sdk_reader

from flyteapps.config import Config
from flyteapps.errors import ConfigError

from .configuration import Files


def places(files: Files, environ: Mapping[str, str]) -> list[Path]:
    """Return the files that may be found, in the order of the docs of the SDK."""
    return [
        files.directory / "config.yaml",
        files.directory / ".flyte" / "config.yaml",
        files.repository / ".flyte" / "config.yaml",
        *(Path(environ[variable]) for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG") if variable in environ),
        files.home / ".union" / "config.yaml",
        files.home / ".flyte" / "config.yaml",
    ]


def test_nothing_found(files: Files) -> None:
    """Without a file and without variables there are no settings, and that is no error."""
    assert files.load() == Config()


def test_order(files: Files) -> None:
    """Each place comes before those after it; each file is found once those before it are gone."""
    environ = {name: str(files.write(files.home / name, "")) for name in ("UCTL_CONFIG", "FLYTECTL_CONFIG")}
    order = places(files, environ)
    for place in order:
        files.write(place, f"admin:\n  endpoint: host{order.index(place)}\n")
    for number, place in enumerate(order):
        found = files.load(**environ)
        assert (found.source, found.endpoint) == (place, f"host{number}")
        place.unlink()
        environ = {name: path for name, path in environ.items() if path != str(place)}
    assert files.load().source is None


@pytest.mark.skipif(shutil.which("git") is None, reason="the SDK asks the git program")
def test_order_is_the_sdks(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every set of files that may be there, the file that the SDK would read is the one that is read."""
    shutil.rmtree(files.repository / ".git")
    subprocess.run(["git", "init", "-q", files.repository], check=True)
    for name in [name for name in os.environ if name.startswith(("GIT_", "FLYTE", "UCTL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(files.home))
    monkeypatch.chdir(files.directory)
    variables = {"UCTL_CONFIG": "uctl.yaml", "FLYTECTL_CONFIG": "flytectl.yaml"}
    for there in itertools.product([False, True], repeat=7):
        every = places(files, {name: str(files.home / file) for name, file in variables.items()})
        for place, wanted in zip(every, there, strict=True):
            if wanted:
                files.write(place, "")
            else:
                place.unlink(missing_ok=True)
        for (name, file), wanted in zip(variables.items(), there[3:5], strict=True):
            if wanted:
                monkeypatch.setenv(name, str(files.home / file))
            else:
                monkeypatch.delenv(name, raising=False)
        sdk = sdk_reader.resolve_config_path()
        assert Config.load().source == (None if sdk is None else Path.cwd() / sdk)


def test_named_file(files: Files) -> None:
    """A file that is named is read alone: relative to the directory, or to the home directory by ~."""
    files.write(files.directory / "config.yaml", "admin:\n  endpoint: other\n")
    here = files.write(files.directory / "x" / "mine.yaml", "admin:\n  endpoint: here\n")
    home = files.write(files.home / "mine.yaml", "admin:\n  endpoint: home\n")
    for path in ("x/mine.yaml", Path("x", "mine.yaml"), str(here)):
        assert (files.load(path=path).endpoint, files.load(path=path).source) == ("here", here)
    assert files.load(path="~/mine.yaml").source == home


def test_process(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the variables and the working directory are those of the process."""
    files.write(files.directory / "config.yaml", "admin:\n  endpoint: here\ntask:\n  project: p\n")
    monkeypatch.chdir(files.directory)
    monkeypatch.setenv("FLYTE_TASK_PROJECT", "q")
    found = Config.load()
    assert (found.endpoint, found.project, found.source) == ("here", "q", Path.cwd() / "config.yaml")


def test_variable_names_a_file(files: Files) -> None:
    """UCTL_CONFIG and FLYTECTL_CONFIG take relative paths and ~; an empty one counts as not set."""
    here = files.write(files.directory / "x.yaml", "")
    home = files.write(files.home / "x.yaml", "")
    assert files.load(UCTL_CONFIG="x.yaml").source == here
    assert files.load(UCTL_CONFIG="", FLYTECTL_CONFIG="~/x.yaml").source == home
    assert files.load(UCTL_CONFIG="", FLYTECTL_CONFIG="").source is None


@pytest.mark.parametrize("kind", ["folder", "file", "empty folder"])
def test_git_root(files: Files, kind: str) -> None:
    """A work tree is known by its .git, a folder or (in worktrees, submodules) a file; an empty folder is none."""
    outer = files.write(files.repository / ".flyte" / "config.yaml", "")
    inner = files.write(files.directory.parent / ".flyte" / "config.yaml", "")
    mark = files.directory.parent / ".git"
    if kind == "folder":
        files.write(mark / "HEAD", "ref: refs/heads/main\n")
    elif kind == "file":
        files.write(mark, "gitdir: /elsewhere\n")
    else:
        mark.mkdir()
    assert files.load().source == (outer if kind == "empty folder" else inner)


def test_nearest_git_root_counts(files: Files) -> None:
    """The work tree around a work tree is not looked into."""
    files.write(files.repository / ".flyte" / "config.yaml", "")
    files.write(files.directory / ".git" / "HEAD", "")
    assert files.load().source is None


def test_git_root_behind_a_link(files: Files) -> None:
    """The work tree is looked for from where the working directory really is."""
    found = files.write(files.repository / ".flyte" / "config.yaml", "")
    link = files.home / "link"
    link.symlink_to(files.directory)
    assert Config.load(None, {"HOME": str(files.home)}, link).source == Path(os.path.realpath(found))


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="giving a file away takes root")
def test_git_root_of_another_user(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A work tree of another user doesn't count, unless the working directory is theirs as well."""
    found = files.write(files.repository / ".flyte" / "config.yaml", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    os.chown(files.repository / ".git", 4321, 4321)
    assert files.load().source is None
    os.chown(files.directory, 4321, 4321)
    assert files.load().source == found
    os.chown(files.repository / ".git", 1234, 1234)
    assert files.load().source == found


def test_named_file_is_missing(files: Files) -> None:
    """A file named by an argument or a variable has to exist and be a file; the message says what named it."""
    (files.directory / "folder").mkdir()
    valid = ": name a YAML file, or none to search the usual places"
    assert files.refused(path="x.yaml") == f"the configuration file {files.directory / 'x.yaml'} does not exist{valid}"
    folder = f"configuration file {files.directory / 'folder'} is a directory: it should be a YAML file"
    assert files.refused(path="folder") == f"the {folder}"
    assert (
        files.refused(path="") == f"the configuration file {files.directory} is a directory: it should be a YAML file"
    )
    for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
        message = files.refused(**{variable: "/no/such/x.yaml"})
        assert message == f"variable {variable}: the configuration file /no/such/x.yaml does not exist{valid}"
        assert files.refused(**{variable: "folder"}) == f"variable {variable}: the {folder}"


def test_folder_in_place_of_a_file(files: Files) -> None:
    """A directory called config.yaml, as container engines make for a mount that fails, is not taken for no file."""
    (files.directory / "config.yaml").mkdir()
    assert files.refused() == "the configuration file FILE is a directory: it should be a YAML file"


@pytest.mark.parametrize("path", [1, b"\xff", ["x"], object()])
def test_named_file_is_no_path(files: Files, path: Any) -> None:
    """Another type than a path is rejected."""
    assert files.refused(path=path).startswith("the configuration file ")


def test_impossible_paths(files: Files) -> None:
    """A path that no system takes, one too long and a link in a circle are refused."""
    assert "is no path: " in files.refused(path="a\0b")
    assert "can't be read: " in files.refused(path="x" * 5000)
    link = files.directory / "config.yaml"
    link.symlink_to(link)
    assert files.refused().startswith("the configuration file FILE can't be read: ")
    link.unlink()
    assert (
        "is no path" in files.refused('admin:\n  caCertFilePath: "a\\0b"\n') or "control character" in files.refused()
    )


@pytest.mark.parametrize("call", ["stat", "read"])
def test_unreadable(files: Files, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A file that may not be looked at, or not be read, is refused rather than passed over."""
    files.write(files.directory / "config.yaml", "")

    def denied(path: Any, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "stat", denied) if call == "stat" else (Path, "read_bytes", denied)))
        with pytest.raises(ConfigError) as refused:
            files.load()
    message = f"the configuration file {files.directory / 'config.yaml'} can't be read: Permission denied"
    assert str(refused.value) == message
    assert isinstance(refused.value.__cause__, PermissionError)


def test_no_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that is gone is an error of ours."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="the working directory can't be used"):
        Config.load()
