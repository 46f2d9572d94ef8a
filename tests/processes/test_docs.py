"""README's first deploy, and the block of docs/running.md, as they stand, on a plane that really runs apps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from import_graph import ROOT

from flyteapps_fake import FakeControlPlane

RUN_PROGRAM = ROOT / "tests" / "sdk" / "run_program.py"


def block(page: str, language: str, containing: str) -> str:
    """Return the first block of a page in that language that contains a text."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return next(each for each in found if containing in each)


def test_the_first_deploy_answers_from_the_code(tmp_path: Path) -> None:
    """README's program deploys, and its endpoint answers what the code says; then a changed line does."""
    program, configuration = block("README.md", "python", "FastAPI"), block("README.md", "yaml", "endpoint")
    with FakeControlPlane(data_plane="processes") as plane:
        address = f"localhost:{plane.serve().port}"
        (tmp_path / "config.yaml").write_text(configuration.replace("localhost:8090", address))
        for word in ("world", "again"):
            (tmp_path / "hello.py").write_text(program.replace("world", word))
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DO_NOT_TRACK": "1"}
            done = subprocess.run(
                [sys.executable, str(RUN_PROGRAM), "hello.py"],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            found = re.search(r"^hello (http://localhost:\d+)$", done.stdout, re.MULTILINE)
            assert found is not None, done.stdout
            with urllib.request.urlopen(found[1]) as response:
                assert response.read() == b'{"hello":"%s"}' % word.encode()


@pytest.mark.usefixtures("tmp_path")
def test_the_block_of_the_page_is_a_test_that_passes() -> None:
    """The test of docs/running.md passes."""
    names: dict[str, object] = {}
    exec(block("docs/running.md", "python", "FakeControlPlane"), names)
    test = names["test_a_server_answers"]
    assert callable(test)
    test()
