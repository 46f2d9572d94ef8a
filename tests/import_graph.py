"""The import graph of the packages, computed from their source: what test_architecture.py and the picture read.

An edge leads from a module to a module that it imports: at its top, inside of a function, or under TYPE_CHECKING. The
`__init__` of a folder counts where something is imported from it, not where something below it is. A name in a string,
as the table of dialects has them, is no edge: it is looked up, like an entry point.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "flyteapps": "client",
    "flyteapps_control": "protos",
    "flyteapps_fake": "fake_server",
    "flyteapps_contract": "contract_tests",
}
"""The folder that holds each import package."""

Graph = Mapping[str, set[str]]
"""By node, the nodes that it leads to."""


def modules_of(package: str) -> dict[str, Path]:
    """Return the files of a package by module name; a folder's `__init__` has the folder's name."""
    parent = ROOT / PACKAGES[package]
    return {
        ".".join(path.relative_to(parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((parent / package).rglob("*.py"))
        if not path.name.endswith("_pb2.py")  # which is generated
    }


def import_graph(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return which of these modules each of them imports."""
    return {
        name: set(_imports(ast.parse(path.read_text(encoding="utf-8")), modules)) - {name}
        for name, path in modules.items()
    }


def _imports(tree: ast.AST, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            for each in node.names:
                below = f"{node.module}.{each.name}"
                yield from (name for name in [below if below in modules else str(node.module)] if name in modules)


def cycles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components with more than one node, by Tarjan's algorithm; none has no cycle."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in stack:
                lowest[node] = min(lowest[node], index[target])
        if lowest[node] == index[node]:
            at = stack.index(node)
            component = sorted(stack[at:])
            del stack[at:]
            if len(component) > 1:
                found.append(component)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def grouped(graph: Graph, groups: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the graph between groups of nodes, without the edges inside of a group."""
    result: dict[str, set[str]] = {group: set() for group in groups.values()}
    for node, targets in graph.items():
        result[groups[node]] |= {groups[each] for each in targets} - {groups[node]}
    return result


def without_shortcuts(graph: Graph) -> dict[str, set[str]]:
    """Return the graph without an edge where a longer way leads to the same node; edges on a cycle stay."""
    reached = {node: reachable(graph, node) for node in graph}

    def is_shortcut(node: str, target: str) -> bool:
        return node not in reached[target] and any(
            target in reached[other] and other not in reached[target] for other in graph[node] - {target}
        )

    return {node: {each for each in targets if not is_shortcut(node, each)} for node, targets in graph.items()}


def reachable(graph: Graph, start: str) -> set[str]:
    """Return the nodes that some way from `start` leads to."""
    seen: set[str] = set()
    left = [start]
    while left:
        new = graph[left.pop()] - seen
        seen |= new
        left += new
    return seen
