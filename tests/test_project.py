"""The project's own files agree with each other: versions of Python, of tools, of the package."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import yaml
from import_graph import PACKAGES, ROOT

import flyteapps

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_the_version_stands_in_one_place() -> None:
    """The package's metadata have the version of `flyteapps.__version__`, which pyproject.toml reads."""
    assert "version" in PYPROJECT["project"]["dynamic"]
    assert version("flyteapps") == flyteapps.__version__


def test_ci_tests_the_pythons_that_are_supported() -> None:
    """The workflow's matrix has each Python of the classifiers, and no other."""
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == supported


def test_hooks_run_the_versions_of_ci() -> None:
    """The hooks of pre-commit run the ruff of constraints.txt and the actionlint of the Makefile."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    [ruff] = re.findall(r"^ruff==(.+)$", CONSTRAINTS, re.MULTILINE)
    [actionlint] = re.findall(r"actionlint@(v\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert re.findall(r"rev: (\S+)", hooks)[:2] == [f"v{ruff}", actionlint]


def test_every_requirement_is_pinned() -> None:
    """constraints.txt has an exact version of each package that an extra names, and is in order."""
    pinned = [line.partition("==")[0].lower().replace("_", "-") for line in CONSTRAINTS.splitlines() if "==" in line]
    assert len(set(pinned)) == len(pinned)
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    required = {
        re.split(r"[<>=!\[;, ]", each)[0].lower() for extra in extras for each in extra if "flyteapps" not in each
    }
    assert required - set(pinned) == set()


def test_every_package_is_in_the_wheel_and_the_sdist() -> None:
    """The wheel has each import package, typed, and the sdist what it is built of; the bare install tries both."""
    folders = {f"{parent}/{package}" for package, parent in PACKAGES.items()}
    targets = PYPROJECT["tool"]["hatch"]["build"]["targets"]
    assert set(targets["wheel"]["packages"]) == folders
    for folder in folders:
        assert any(f"/{folder}".startswith(each) for each in targets["sdist"]["include"]), folder
        assert (ROOT / folder / "py.typed").exists(), folder


def test_generated_modules_work_with_the_lowest_protobuf() -> None:
    """The generated modules demand no newer protobuf than the package does."""
    [lowest] = re.findall(r"^protobuf>=(\d+)\.(\d+)$", "\n".join(PYPROJECT["project"]["dependencies"]), re.MULTILINE)
    for path in (ROOT / "protos").rglob("*_pb2.py"):
        [made] = re.findall(r"# Protobuf Python Version: (\d+)\.(\d+)", path.read_text(encoding="utf-8"))
        assert tuple(map(int, made)) <= tuple(map(int, lowest)), path
