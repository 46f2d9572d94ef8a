"""Generator of docs/mutants.md from mutants.json: the planted bugs and what found them. `--check` compares instead."""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from generated import write_or_check

DATA = Path(__file__).with_name("mutants.json")

HEAD = """\
# The bugs that the suite has to find

Each row is a plane, or a client, with one thing broken (`tests/mutants/`), and what `flyteapps verify` with the profile
`standard` finds of the guarantee that it breaks: the name of a directed check, or *messages*, *histories* or
*sequences*, which are drawn from a seed. The directed checks run first and draw nothing. *Calls* is the shortest
sequence of calls that shows the bug, of 1,000 sequences a seed, where one does.

`make mutants` carries it out, with every seed, and `make mutants-report` writes this page; `make test` tries each bug
with one seed, and CI eight of them at each commit. Clients are judged by the guarantees of clients, which draw nothing.
"""


def main() -> int:
    """Write or check the page."""
    return write_or_check("mutants.md", page(json.loads(DATA.read_text(encoding="utf-8"))))


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page."""
    planted: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        planted[row["guarantee"], row["planted"]].append(row)
    clean = planted.pop(("", "nothing"), [])
    planes = {key: found for key, found in planted.items() if not key[0].startswith("CL-")}
    clients = {key: found for key, found in planted.items() if key[0].startswith("CL-")}
    lengths = [min(each["calls"] for each in found if each["calls"]) for found in planes.values() if _calls(found)]
    planes_found, clients_found = (
        sum(all(each["by"] for each in found) for found in group.values()) for group in (planes, clients)
    )
    lines = [
        HEAD,
        f"Of {len(planes)} broken planes {planes_found} are found with each of their seeds; of {len(clients)} broken "
        f"clients {clients_found}. {len(lengths)} planes are found by sequences, too; the median of their shortest is "
        f"{statistics.median(lengths):g} calls.",
        "",
        "## Nothing is found where nothing is planted",
        "",
        f"The stand-in with {len(clean)} seeds: "
        f"{sum(each['by'] is None for each in clean)} runs without a finding; each tried "
        f"{', '.join(clean[0]['tried']) if clean else 'nothing'}, or what there was time for.",
        "",
        "## Planes",
        "",
        *_table(planes),
        "",
        "## Clients",
        "",
        *_table(clients),
    ]
    return "\n".join(lines) + "\n"


def _table(planted: dict[tuple[str, str], list[dict[str, Any]]]) -> list[str]:
    lines = ["| guarantee | planted | found by | seeds | calls |", "| --- | --- | --- | --- | --- |"]
    for (guarantee, name), found in planted.items():
        by = ", ".join(dict.fromkeys(each["by"] or "nothing" for each in found))
        hits = f"{sum(each['by'] is not None for each in found)} of {len(found)}"
        calls = _calls(found)
        lines.append(f"| {guarantee} | {name.replace('_', ' ')} | {by} | {hits} | {min(calls) if calls else ''} |")
    return lines


def _calls(found: list[dict[str, Any]]) -> list[int]:
    return [each["calls"] for each in found if each["calls"]]


if __name__ == "__main__":
    sys.exit(main())
