"""What the README shows is run as it stands there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

README = Path(__file__).parents[1] / "README.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_embedding_example_passes() -> None:
    """The test function that the README shows is a test that passes."""
    [example] = [block for block in _blocks("python") if "FakeControlPlane" in block]
    names: dict[str, Any] = {}
    exec(compile(example, str(README), "exec"), names)
    names["test_an_app_is_created"]()


def test_the_configuration_is_what_the_sdk_reads() -> None:
    """The endpoint is the default one of `flyteapps serve`, and images are not built."""
    [configuration] = [yaml.safe_load(block) for block in _blocks("yaml")]
    assert configuration["admin"] == {"endpoint": "localhost:8090", "insecure": True}
    assert configuration["task"].keys() == {"project", "domain"}
    assert configuration["image"] == {"builder": "remote"}


def test_the_examples_are_python() -> None:
    """Each block that says python parses as such."""
    blocks = _blocks("python")
    assert blocks
    for block in blocks:
        ast.parse(block)
