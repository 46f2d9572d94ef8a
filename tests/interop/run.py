"""Every block of docs/interop.md, in its order, against `flyteapps serve` on each server; compares what they print.

Run by `make test-interop`, which brings the clients. Exits 1 where a block prints something else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from serving.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "interop.md"
SERVERS = ("pyvoy", "portable") if find_spec("pyvoy") else ("portable",)
RUN = {"sh": ["sh", "-eu"], "python": [sys.executable], "js": ["node"], "ts": ["node", "--import", "tsx"]}
SUFFIX = {"sh": "sh", "python": "py", "js": "mjs", "ts": "mts"}
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of the page, the line that it begins at, and what it prints."""

    line: int
    language: str
    code: str
    printed: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of the page that are run, each with the block of its output."""
    fences = re.finditer(r"^```(\w+)\n(.*?)^```\n", page, re.MULTILINE | re.DOTALL)
    found = [(page.count("\n", 0, each.start()) + 1, each[1], each[2]) for each in fences]
    for (line, language, code), (_, kind, printed) in pairwise(found):
        if language != "text":
            if kind != "text":
                raise SystemExit(f"{PAGE.name}, line {line}: what the block prints is missing")
            yield Block(line, language, code, printed)


def as_written(printed: str, written: str) -> bool:
    """Return whether the output is that of the page, in which ... stands for anything within its line."""
    pattern = re.escape(written.strip()).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, printed.strip()) is not None


def run(tools: Path, kind: str) -> int:
    """Run the page against one server; return how many blocks print something else."""
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        (folder / "node_modules").symlink_to(tools / "node_modules")
        manual = ("--clock", "manual", "--call-log-size", "1000")
        plain, secured, driven = (
            stack.enter_context(ServerProcess("--quiet", "--server", kind, *options))
            for options in ((), ("--tls", "self-signed"), manual)
        )
        ports = {"localhost:8090": plain.port, ":8443": secured.port, "localhost:8091": driven.port}
        environment = {**os.environ, "CA": secured.trusted, "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        for name in [each for each in environment if each.lower().endswith("_proxy")]:
            del environment[name]
        for block in blocks(PAGE.read_text()):
            code = block.code
            for written, port in ports.items():
                code = code.replace(written, f"{written.partition(':')[0]}:{port}")
            file = folder / f"block.{SUFFIX[block.language]}"
            file.write_text(code)
            ended = subprocess.run(
                [*RUN[block.language], file.name],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            good = ended.returncode == 0 and as_written(ended.stdout, block.printed)
            print(f"{kind}, line {block.line}, {block.language}: {'as written' if good else 'DIFFERS'}", flush=True)
            if not good:
                wrong += 1
                print(f"status {ended.returncode}\n{ended.stdout}{ended.stderr}instead of\n{block.printed}", flush=True)
    return wrong


def main() -> int:
    """Run with TOOLS, the folder that scripts/interop_tools.sh filled."""
    tools = Path(sys.argv[1]).resolve()
    for program in ("curl", "node"):
        if shutil.which(program) is None and not (tools / "bin" / program).exists():
            raise SystemExit(f"{program} is missing")
    return 1 if sum(run(tools, kind) for kind in SERVERS) else 0


if __name__ == "__main__":
    sys.exit(main())
