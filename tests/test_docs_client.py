"""The examples of the client in docs/client.md, docs/migration.md and the README, each run as it stands.

A page's blocks share what its own first words promise, and each has a plane of its own.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flyteapps
from flyteapps import App, Client, Console
from flyteapps.client import Apps
from flyteapps.default import default_client, use
from flyteapps.drivers.awaiting import AsyncItems
from flyteapps.drivers.binding import Call, Iteration
from flyteapps.drivers.blocking import Items
from flyteapps_fake.control_plane import FakeControlPlane

ROOT = Path(__file__).parents[1]
RUN_PROGRAM = ROOT / "tests" / "sdk" / "run_program.py"
README, CLIENT, MIGRATION = ROOT / "README.md", ROOT / "docs" / "client.md", ROOT / "docs" / "migration.md"
WIRES = ["in process", *(pytest.param(wire, marks=pytest.mark.matrix) for wire in ("connect", "grpc", "grpcio"))]
ADDRESS = 'flyteapps.init("localhost:8090", insecure=True, '


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its text, its first line's number, and the heading above it."""

    page: Path
    language: str
    line: int
    heading: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line} {self.heading}"


def blocks(page: Path, language: str = "python") -> list[Block]:
    """Return the blocks of a page in one language."""
    found: list[Block] = []
    heading, fence, start = "", None, 0
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if fence is None:
                fence, start, lines = line.removeprefix("```"), number + 1, []
            else:
                found.append(Block(page, fence, start, heading, "\n".join(lines) + "\n"))
                fence = None
        elif fence is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return [block for block in found if block.language == language]


FIRST, SETUP, *EXAMPLES = blocks(CLIENT)
BY_SDK = [block for page in (README, MIGRATION) for block in blocks(page) if "import flyte\n" in block.text]
WHOLE = [block for page in (README, MIGRATION) for block in blocks(page) if ADDRESS in block.text]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the pages' configuration file, no default client, and nothing of this machine's own."""
    for name in os.environ:
        if name.startswith("FLYTE_") or name in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    use(None)


def connection(plane: FakeControlPlane, wire: str) -> dict[str, Any]:
    """Return the options of a client that reaches the plane over that wire."""
    if wire == "in process":
        return {"transport": plane.transport()}
    server = plane.serve()
    if wire == "grpcio":
        return {"endpoint": f"http://{server.grpc_target}", "protocol": "grpcio"}
    return {"endpoint": server.url, "protocol": wire}


def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block as it stands, with its line numbers."""
    exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), names)


def run_with_address(block: Block, names: dict[str, Any]) -> None:
    """Run a block that makes the default client; only the address is the plane's."""
    assert ADDRESS in block.text
    text = block.text.replace(ADDRESS, "flyteapps.init(**connection, ")
    run(Block(block.page, block.language, block.line, block.heading, text), names)


def run_tests(names: dict[str, Any], before: set[str]) -> None:
    """Run the test functions that a block has defined, with pytest's fixtures; each gets a plane of its own."""
    for name in sorted(names.keys() - before):
        if not name.startswith("test_"):
            continue
        test: Callable[..., Any] = names[name]
        with FakeControlPlane() as own:
            fixtures: dict[str, Callable[[], object]] = {
                "flyte_plane": lambda own=own: own,
                "flyte_plane_endpoint": lambda own=own: own.serve().url,
            }
            done = test(**{each: fixtures[each]() for each in inspect.signature(test).parameters})
            if inspect.iscoroutine(done):
                asyncio.run(done)


def close(client: Any) -> None:
    asyncio.run(client.aclose())


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("block", [FIRST, *EXAMPLES], ids=str)
def test_an_example_of_the_client_runs(block: Block, wire: str, work: Path) -> None:
    """Each block of docs/client.md runs after the first two, on a fresh plane, and leaves no stream open."""
    [configuration] = blocks(CLIENT, "yaml")
    (work / "config.yaml").write_text(configuration.text)
    with FakeControlPlane() as plane:
        names: dict[str, Any] = {"__name__": "example", "connection": connection(plane, wire)}
        run_with_address(FIRST, names)
        client = default_client()
        assert names["client"] is client
        run(SETUP, names)
        before = set(names)
        if block is not FIRST:
            run(block, names)
        if "main" in names:
            use(client)
            asyncio.run(names["main"]())
        run_tests(names, before)
        close(client)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("block", WHOLE, ids=str)
def test_a_whole_program_runs(block: Block, wire: str, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The programs of the README and of docs/migration.md run, where they need an app on the one that they name."""
    with FakeControlPlane() as plane:
        prepare(block, plane)
        names: dict[str, Any] = {"__name__": "__main__", "connection": connection(plane, wire)}
        run_with_address(block, names)
        close(default_client())
    assert re.search(r"http://(localhost:\d+/apps/)?hello-", capsys.readouterr().out)


@pytest.mark.parametrize("block", BY_SDK, ids=str)
def test_a_program_of_the_sdk_runs(block: Block, work: Path) -> None:
    """A program of the SDK runs as it stands, in a process of its own; only the address is the plane's."""
    with FakeControlPlane() as plane:
        prepare(block, plane)
        address = f"localhost:{plane.serve().port}"  # for another host the SDK makes up an org
        (work / "program.py").write_text(block.text.replace("localhost:8090", address))
        [configuration] = blocks(README, "yaml")
        (work / "config.yaml").write_text(configuration.text.replace("localhost:8090", address))
        done = subprocess.run(
            [sys.executable, str(RUN_PROGRAM), "program.py"],
            env={"PATH": os.environ["PATH"], "HOME": str(work), "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "hello" in done.stdout


def prepare(block: Block, plane: FakeControlPlane) -> None:
    """Make the app `hello`, stopped, where docs/migration.md assumes it."""
    if block.page == MIGRATION:
        client = Client(transport=plane.transport(), project="demo", domain="development")
        client.apps.create(message()).deactivate(wait=True)


def without_calls(block: Block) -> Block:
    """Return a block as far as it only imports and defines."""
    kept = ast.Import | ast.ImportFrom | ast.FunctionDef
    body: list[ast.stmt] = [each for each in ast.parse(block.text).body if isinstance(each, kept)]
    return Block(block.page, block.language, block.line, block.heading, ast.unparse(ast.Module(body, [])))


SETUP_WITHOUT_CALLS = without_calls(SETUP)


def test_every_block_is_run() -> None:
    """No Python block of the README or of docs/migration.md is left out, here and in test_readme.py together."""
    others = [block for block in blocks(README) if "flyteapps_fake" in block.text]
    assert len(others) == 2
    assert {*blocks(README), *blocks(MIGRATION)} == {*BY_SDK, *WHOLE, *others}


# The surface: what there is, what the tables name, what the examples show.

SHOWN_AS: dict[type[Any], str] = {
    App: "app",
    Apps: r"client\.apps",
    Client: "client|short|Client",
    Console: "console",
    Items: "first|changes",
    AsyncItems: "first|changes",
}
"""The expressions by which the page shows an object of each class."""


@dataclass(frozen=True)
class Member:
    """A public method or property: of which class, and whether it has to be shown with `.aio`, and in async code."""

    owner: type[Any]
    name: str
    aio: bool

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}{'.aio' if self.aio else ''}"


@functools.cache
def members() -> list[Member]:
    """Return all of the surface but the names of the package; a method with an `aio` counts twice."""
    with FakeControlPlane() as plane:
        client = Client(transport=plane.transport(), project="demo", domain="development")
        app = client.apps.create(message())
        items = client.apps.listall(), client.apps.listall.aio()
        objects: list[Any] = [app, client.apps, client, client.console, *items]
        found: list[Member] = []
        for each in objects:
            kind: type[Any] = type(each)
            own = [base for base in kind.__mro__ if base.__module__.startswith("flyteapps")]
            for name in sorted({*(name for base in own for name in vars(base)), *getattr(each, "__dict__", {})}):
                if name.startswith("_"):
                    continue
                found.append(Member(kind, name, False))
                if isinstance(inspect.getattr_static(kind, name, None), property):
                    continue
                if isinstance(getattr(each, name), Call | Iteration):
                    found.append(Member(kind, name, True))
        return found


def message() -> Any:
    """Return the message of the app that the page begins with."""
    names: dict[str, Any] = {}
    run(SETUP_WITHOUT_CALLS, names)
    return names["new_app"]("hello")


def shown() -> set[tuple[str, bool]]:
    """Return every dotted expression in the examples, and whether it stands in an async function."""
    found: set[tuple[str, bool]] = set()

    def visit(node: ast.AST, awaits: bool) -> None:
        if isinstance(node, ast.Attribute):
            found.add((ast.unparse(node), awaits))
        for child in ast.iter_child_nodes(node):
            visit(child, awaits or isinstance(node, ast.AsyncFunctionDef))

    for block in [SETUP, *EXAMPLES]:
        visit(ast.parse(block.text), False)
    return found


SHOWN = shown()


@pytest.mark.parametrize("member", members(), ids=str)
def test_everything_public_has_an_example(member: Member) -> None:
    """A method is called, in both of its forms, and a property is read, in some example that is run."""
    by_class = member.owner is App and member.name in vars(Apps)
    receiver = "App" if by_class else SHOWN_AS[member.owner]
    pattern = re.compile(rf"({receiver})\.{member.name}" + (r"\.aio" if member.aio else ""))
    awaits = member.aio or member.owner is AsyncItems
    assert [text for text, inside in SHOWN if pattern.fullmatch(text) and (inside or not awaits)], (
        f"docs/client.md has no example of {member} ({pattern.pattern})"
    )


def rows(page: Path) -> list[list[str]]:
    """Return the cells of all tables of a page."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_tables_name_the_whole_surface() -> None:
    """Every name of the package, and every method and property, has a row with a link to its example."""
    linked = [row for row in rows(CLIENT) if re.search(r"\]\(#", row[-1])]
    named = {name for row in linked for name in re.findall(r"`([^`]+)`", row[0])}
    bare = {re.sub(r"\(.*\)", "", name) for name in named}
    assert set(flyteapps.__all__) <= bare
    prefixes = {App: ("app", "App"), Apps: ("",), Client: ("client", "Client"), Console: (), Items: ("items",)}
    for member in members():
        wanted = {f"{prefix}.{member.name}".lstrip(".") for prefix in prefixes.get(member.owner, ("async_items",))}
        assert not wanted or wanted & bare, f"no table of docs/client.md names {member}"


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [CLIENT, MIGRATION, README], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link within the project names a file that exists, and a heading that the file has."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def test_a_link_leads_to_an_example_of_it() -> None:
    """The section that a row of the tables links to shows what the row is about."""
    texts: dict[str, str] = {}
    for block in [SETUP, *EXAMPLES]:
        texts[slug(block.heading)] = texts.get(slug(block.heading), "") + block.text
    for row in rows(CLIENT):
        link = re.search(r"\]\(#([^)]+)\)", row[-1])
        names = [re.sub(r"\(.*\)", "", name).rpartition(".")[2] for name in re.findall(r"`([^`]+)`", row[0])]
        if link and any(name in {member.name for member in members()} for name in names):
            assert any(re.search(rf"\b{name}\b", texts[link.group(1)]) for name in names), row
