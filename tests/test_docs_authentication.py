"""The examples of docs/authentication.md run: blocks of Python, commands, the file of users and clients."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import yaml
from import_graph import ROOT

from flyteapps_fake.auth.file import parse_auth
from flyteapps_fake.auth.settings import Auth
from flyteapps_fake.cli.serve import serve

TEXT = (ROOT / "docs" / "authentication.md").read_text(encoding="utf-8")


def test_the_blocks_of_python_run() -> None:
    """One after the other, in one module."""
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/authentication.md", "exec"), names)


def test_the_commands_have_these_options() -> None:
    """Each option of a command is there."""
    commands = re.findall(r"^\$ flyteapps serve (.*)$", TEXT, re.MULTILINE)
    assert len(commands) == 4
    for each in commands:
        serve.make_context("serve", shlex.split(each))


def test_the_file_is_valid() -> None:
    """By the reader, and by the published schema as far as its keys go."""
    [text] = re.findall(r'^```yaml title="auth.yaml"\n(.*?)^```$', TEXT, re.DOTALL | re.MULTILINE)
    assert [each.subject for each in parse_auth(text, "auth.yaml").users] == ["ann", "root"]
    schema = json.loads((ROOT / "docs" / "auth.schema.json").read_text(encoding="utf-8"))
    data = yaml.safe_load(text)
    assert data.keys() <= schema["properties"].keys()
    for each in data["users"]:
        assert each.keys() <= schema["$defs"]["user"]["properties"].keys()


def test_the_table_has_every_key() -> None:
    """A new key needs a row."""
    section = TEXT.partition("| key | means |")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section.replace("`authorization`", ""))) == set(Auth.__dataclass_fields__)
