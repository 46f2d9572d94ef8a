"""Generator of the picture in docs/architecture.md, from the import graph.

Run with `PYTHONPATH=tests`. `--check` compares instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from generated import between_marks, write_or_check
from import_graph import PACKAGES, Graph, grouped, import_graph, modules_of, reachable, without_shortcuts

ABOVE, BETWEEN, BELOW = "above", "between", "below"
"""Modules of no folder: imported by no folder, importing folders and imported by some, importing none."""


def main() -> int:
    """Write or check the page."""
    return write_or_check("architecture.md", between_marks("architecture.md", "picture", picture()))


def picture() -> str:
    """Return the packages as one Mermaid flowchart."""
    lines = ["```mermaid", "flowchart TD"]
    for package in PACKAGES:
        lines += [f'  subgraph {package}["{package}"]', *_package(package), "  end"]
    return "\n".join([*lines, "```", ""])


def _package(package: str) -> Iterator[str]:
    modules = {name: path for name, path in modules_of(package).items() if name != package}
    graph = import_graph(modules)
    groups = _groups(modules, graph)
    arrows = without_shortcuts(grouped(graph, groups))
    names = {group: f"{package}_{number}" for number, group in enumerate(sorted(arrows))}
    for group, name in names.items():
        yield f'    {name}["{_label(group, groups, modules)}"]'
    for group, targets in sorted(arrows.items()):
        for target in sorted(targets):
            yield f"    {names[group]} --> {names[target]}"


def _groups(modules: Mapping[str, Path], graph: Graph) -> dict[str, str]:
    """Return the group of each module: its first folder, or for a module of no folder its place beside the folders."""
    folder = {name: name.split(".")[1] for name, path in modules.items() if _depth(name, path) > 1}
    imported = {target for name in folder for target in reachable(graph, name)}

    def place(name: str) -> str:
        if not reachable(graph, name) & folder.keys():
            return BELOW
        return BETWEEN if name in imported else ABOVE

    return {name: folder.get(name) or place(name) for name in modules}


def _depth(name: str, path: Path) -> int:
    return name.count(".") + (path.name == "__init__.py")


def _label(group: str, groups: Mapping[str, str], modules: Mapping[str, Path]) -> str:
    if group not in (ABOVE, BETWEEN, BELOW):
        return f"{group}/"
    names = [name.split(".")[-1] for name in sorted(modules) if groups[name] == group]
    rows = [", ".join(names[at : at + 5]) for at in range(0, len(names), 5)]
    return "<br>".join(rows)


if __name__ == "__main__":
    sys.exit(main())
