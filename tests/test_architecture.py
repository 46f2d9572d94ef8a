"""The shape of the packages: their import graph, the size of folders and files, and their description."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from import_graph import PACKAGES, ROOT, cycles, import_graph, modules_of, without_shortcuts

MAX_MODULES_OF_A_FOLDER = 16
MAX_LINES = 500
MAX_MEDIAN_LINES = 150

each_package = pytest.mark.parametrize("package", PACKAGES)


@each_package
def test_no_modules_import_each_other(package: str) -> None:
    """There is no cycle of imports, imports inside of functions and under TYPE_CHECKING included."""
    assert cycles(import_graph(modules_of(package))) == []


@each_package
def test_no_folder_has_too_many_modules(package: str) -> None:
    """A folder that holds more is cut into folders, one concern each."""
    folders: dict[Path, int] = {}
    for path in modules_of(package).values():
        folders[path.parent] = folders.get(path.parent, 0) + 1
    assert [f"{folder}: {count}" for folder, count in folders.items() if count > MAX_MODULES_OF_A_FOLDER] == []


@each_package
def test_no_file_is_too_long(package: str) -> None:
    """No file is longer than the limit, and half of them are short."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules_of(package).values()}
    assert [f"{path}: {count}" for path, count in lines.items() if count > MAX_LINES] == []
    assert statistics.median(lines.values()) <= MAX_MEDIAN_LINES


def test_a_cycle_is_found(tmp_path: Path) -> None:
    """A cycle through an import in a function and one under TYPE_CHECKING is found, without what hangs on it."""
    sources = {
        "p.a": "def f():\n    from p.b import g\n",
        "p.b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p import c\n",
        "p.c": "import p.a\n",
        "p.d": "import p.a\nimport json\n",
    }
    modules: dict[str, Path] = {}
    for name, source in sources.items():
        modules[name] = tmp_path / f"{name}.py"
        modules[name].write_text(source)
    assert cycles(import_graph(modules)) == [["p.a", "p.b", "p.c"]]


def test_a_shortcut_is_left_out() -> None:
    """An edge is left out where a longer way leads to the same node."""
    assert without_shortcuts({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_every_folder_is_described() -> None:
    """docs/architecture.md names each folder of the packages."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(ROOT) for package in PACKAGES for path in modules_of(package).values()}
    assert sorted(str(folder) for folder in folders if f"`{folder}/`" not in page) == []
