"""The words of the field, not of a private language: words that names and prose of the project don't use.

A word counts whole, in any case, and in names as a part (`_world_of`, `WorldMap`). The glossary explains the ten words
that are this project's own.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from import_graph import PACKAGES, ROOT

NEVER = {
    "rooms": "modules",
    "house": "package",
    "desk": "the api fixture, or the model's own noun",
    "pacer": "auto clock",
    "agenda": "timer queue",
    "pump": "forward messages",
    "outflow": "stream writer",
    "inbox": "queue stream",
    "arrivals": "request timeouts",
    "sieve": "client-side filter",
    "informer": "watch hub",
    "intake": "request limits, decoding policy",
    "doorkeeper": "host policy",
    "neighbours": "platform services",
    "surroundings": "cluster environment",
    "theatre": "scripted server",
    "scene": "test context",
    "cue": "fault",
    "flaw": "violation",
    "flaws": "violations",
    "hunting": "search",
    "lacking": "missing capabilities",
    "law": "client guarantee",
    "laws": "client guarantees",
    "whoever": "the role: client, caller, server",
}
"""By word, what to write instead; in names and in prose."""
IN_NAMES = {
    "room": "module; capacity, where that is meant",
    "repeats": "response cache",
    "hop": "worker thread",
    "guard": "host policy",
    "stage": "scripted plane",
    "journal": "call log",
    "sight": "observation",
    "way": "branch",
    "ways": "branches",
    "world": "possible states",
    "worlds": "possible states",
    "offers": "capabilities",
    "told": "format",
}
"""The same for names alone: in prose these are English, as in "in any way" and "a server offers"."""

ALLOWED: dict[str, set[str]] = {
    "client/flyteapps/transports/queue_stream.py": {"room"},  # the free places of a bounded queue
    # names of checks, which are English: an app on its way, a start under way
    "contract_tests/flyteapps_contract/checks/standard/delete.py": {"way"},
    "contract_tests/flyteapps_contract/checks/standard/update/conditions.py": {"way"},
    # a rule of the format of recordings
    "contract_tests/flyteapps_contract/recordings/conversation.py": {"repeats"},
    "contract_tests/flyteapps_contract/recordings/replayer.py": {"repeats"},
    # the old name of `capabilities`, which still works
    "contract_tests/flyteapps_contract/targets/planes.py": {"offers"},
    # the name of a planted bug, by which its records are kept
    "tests/mutants/flyte_oss.py": {"told"},
    # the face of the class under test: room in a server for a further answer
    "tests/serving/test_unread.py": {"room"},
    # the name of the file, whose tests keep their place
    "tests/contract/test_stage.py": {"stage"},
}
"""By file, the words that it may use; each with a comment that says why."""

FOLDERS = [*(ROOT / parent / package for package, parent in PACKAGES.items()), ROOT / "tests"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _each(paths: list[Path]) -> list[Any]:
    slow = {ROOT / "tests"}  # 3 s of CPU for each of the two tests
    return [pytest.param(path, id=path.name, marks=[pytest.mark.slow] * (path in slow)) for path in paths]


WORD = re.compile(r"[A-Za-z]+")
RELATIVE = re.compile(r"(What|Whatever|Which|Whichever|Who|Whoever|Whose|How|That|Those)\b")
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@pytest.mark.parametrize("folder", _each(FOLDERS))
def test_names_and_prose_of_the_code(folder: Path) -> None:
    """No name, docstring, comment or message of the package, or of the tests, has one of the words."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in sorted(folder.rglob("*.py"))
        if path != Path(__file__)  # which lists them
        for line, word in [*_names(path), *_prose(path)]
        if word not in ALLOWED.get(str(path.relative_to(ROOT)), ())
    ]
    assert found == []


@pytest.mark.parametrize("folder", _each(FOLDERS))
def test_docstrings_begin_with_no_relative_clause(folder: Path) -> None:
    """A docstring, of a constant too, begins with a noun phrase, an imperative, or, of a test, a sentence."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted(folder.rglob("*.py"))
        for line, text in _texts(path)
        if RELATIVE.match(text)
    ]
    assert found == []


@pytest.mark.parametrize("page", _each(PAGES))
def test_prose_of_the_pages(page: Path) -> None:
    """No page has one of the words."""
    lines = page.read_text(encoding="utf-8").splitlines()
    words = [(number, word.lower()) for number, line in enumerate(lines, 1) for word in WORD.findall(line)]
    allowed = ALLOWED.get(str(page.relative_to(ROOT)), set())
    assert [f"{number}: {word}" for number, word in words if word in NEVER and word not in allowed] == []


def _names(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the forbidden parts of the names that a file defines, and of its own."""
    for part in PART.findall(path.stem):
        yield from _judged(0, part, NEVER | IN_NAMES)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                line = node.lineno
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                line = node.lineno
            case _:
                continue
        for part in PART.findall(name):
            yield from _judged(line, part, NEVER | IN_NAMES)


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the forbidden words of a file's docstrings, comments and texts."""
    kinds = {tokenize.STRING, tokenize.COMMENT, *(getattr(tokenize, name, -1) for name in ("FSTRING_MIDDLE",))}
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in kinds:
            for at, line in enumerate(token.string.splitlines()):
                for word in WORD.findall(line):
                    yield from _judged(token.start[0] + at, word, NEVER)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a file, and the texts that stand as statements below constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.strip().partition("\n")[0]
            case _:
                pass


def _judged(line: int, word: str, words: dict[str, str]) -> Iterator[tuple[int, str]]:
    if word.lower() in words:
        yield line, word.lower()
