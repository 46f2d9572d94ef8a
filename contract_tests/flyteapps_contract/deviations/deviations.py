"""Files of known deviations, and what they make of a run: what deviates as declared fails nothing, all else does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.checks.support.registry import Check, all_checks
from flyteapps_contract.explorations.registry import OF_DIALECT
from flyteapps_contract.outcomes import CannotJudge, Outcome, Verdict

HERE = Path(__file__).parent
KEYS = {"dialect", "version", "deviation"}
FIELDS = {"id", "guarantee", "checks", "evidence", "instead", "asked"}


@dataclass(frozen=True, slots=True)
class Deviation:
    """One known deviation: its id, the guarantee, the checks that see it (none: any of them), and the evidence.

    `instead`: the guarantees of the plane's own dialect that say what it does; their checks are asked, and those that
    see the deviation are not. `asked`: checks that hold all the same.
    """

    id: str
    guarantee: str
    checks: tuple[str, ...]
    evidence: str
    instead: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    def covers(self, check: str, guarantees: Collection[str]) -> bool:
        """Return whether it is what that check of those guarantees sees."""
        named = check in self.checks if self.checks else check not in self.asked
        return named and self.guarantee in guarantees


@dataclass(frozen=True, slots=True)
class Deviations:
    """A file: of which dialect and version, and its deviations."""

    name: str
    dialect: str
    version: str
    deviations: tuple[Deviation, ...] = ()

    @property
    def guarantees(self) -> frozenset[str]:
        """The guarantees that are known to be broken, whichever check looks: what is drawn passes over them."""
        return frozenset(each.guarantee for each in self.deviations if not each.checks)

    def asks(self, check: Check) -> bool:
        """Return whether a run asks that check: not where something else is guaranteed instead."""
        return not any(each.instead and each.covers(check.name, check.guarantees) for each in self.deviations)

    def instead_of(self, guarantee: str) -> tuple[str, ...]:
        """Return the guarantees that say what the plane does instead."""
        found = [each.instead for each in self.deviations if each.guarantee == guarantee]
        return tuple(dict.fromkeys(id_ for ids in found for id_ in ids))

    def applied(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Return the outcomes of a run; what deviates as declared is marked, what no longer deviates is broken."""
        after: list[Outcome] = []
        seen: set[str] = set()
        held: dict[str, bool] = {}
        for outcome in outcomes:
            covering = [each for each in self.deviations if each.covers(outcome.check, outcome.guarantees)]
            for each in covering:
                held[each.id] = held.get(each.id, True) and outcome.verdict is Verdict.HOLDS
            if outcome.verdict is not Verdict.BROKEN or not covering:
                after.append(outcome)
                continue
            seen |= {each.id for each in covering}
            known = {each.guarantee for each in covering}
            text = "; ".join(f"{each.id}: {each.evidence}" for each in covering)
            kept = tuple(each for each in outcome.guarantees if each not in known)
            if kept:
                after.append(replace(outcome, guarantees=kept))
            declared = tuple(each for each in outcome.guarantees if each in known)
            after.append(replace(outcome, guarantees=declared, verdict=Verdict.DEVIATES, reason=text))
        for each in self.deviations:
            if each.instead:
                text = f"{each.id}: {each.evidence}; instead {', '.join(each.instead)}"
                after.append(Outcome("", (each.guarantee,), Verdict.DEVIATES, text))
            elif each.id not in seen and held.get(each.id, False):
                text = f"known deviation {each.id} no longer deviates: remove it from {self.name}"
                after.append(Outcome("", (each.guarantee,), Verdict.BROKEN, text))
        return after


def shipped() -> dict[str, Path]:
    """Return the files that come with the suite, by their names without an ending, such as standard-1."""
    return {path.stem: path for path in sorted(HERE.glob("*.toml"))}


def of_dialect(dialect: str, version: str = "") -> Deviations:
    """Return the file of a dialect's version that comes with the suite, by default the newest; empty if there is none.

    `dialect` may name the version, as in `flyte-oss@2.0.43`.
    """
    dialect, _, named = dialect.partition("@")
    version = version or named
    paths = [
        path
        for name, path in shipped().items()
        if name.rpartition("-")[0] == dialect and version in ("", name.rpartition("-")[2])
    ]
    return load(max(paths, key=_version)) if paths else Deviations("", dialect, "")


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", path.stem.rpartition("-")[2]))


def load(path: Path, dialect: str = "") -> Deviations:
    """Return the file there, which has to be of that dialect. Raises CannotJudge with what is wrong in it."""
    try:
        whole: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CannotJudge(f"the file of known deviations {path} can't be read: {error}") from None
    if unknown := whole.keys() - KEYS:
        raise CannotJudge(f"{path}: unknown key {min(unknown)}; there are {', '.join(sorted(KEYS))}")
    listed = whole.get("deviation", [])
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in cast("list[object]", listed)):
        raise CannotJudge(f"{path}: deviation has to be a list of tables: [[deviation]]")
    known = {each.name for each in all_checks()} | {name for each in OF_DIALECT.values() for name in each}
    rows = [
        _row(f"{path}, deviation {number}", row, known)
        for number, row in enumerate(cast("list[dict[str, Any]]", listed), 1)
    ]
    twice = {each.id for each in rows if [other.id for other in rows].count(each.id) > 1}
    if twice:
        raise CannotJudge(f"{path}: two deviations are called {min(twice)}")
    if dialect and whole.get("dialect") != dialect:
        raise CannotJudge(f"{path}: is of dialect {whole.get('dialect')!r}, but {dialect!r} is judged")
    return Deviations(path.name, str(whole.get("dialect", "")), str(whole.get("version", "")), tuple(rows))


def _row(where: str, row: dict[str, Any], known: Collection[str]) -> Deviation:
    if unknown := row.keys() - FIELDS:
        raise CannotJudge(f"{where}: unknown key {min(unknown)}; there are {', '.join(sorted(FIELDS))}")
    for key in ("id", "guarantee", "evidence"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise CannotJudge(f"{where}: has no {key}")
    if row["guarantee"] not in BY_ID:
        raise CannotJudge(f"{where}: no guarantee is called {row['guarantee']}")
    checks, instead, asked = (_names(where, row, key) for key in ("checks", "instead", "asked"))
    if strange := [each for each in (*checks, *asked) if each not in known]:
        raise CannotJudge(f"{where}: no check is called {strange[0]}")
    if strange := [each for each in instead if each not in BY_ID]:
        raise CannotJudge(f"{where}: no guarantee is called {strange[0]}")
    return Deviation(row["id"], row["guarantee"], checks, row["evidence"], instead, asked)


def _names(where: str, row: dict[str, Any], key: str) -> tuple[str, ...]:
    names = row.get(key, [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in cast("list[object]", names)):
        raise CannotJudge(f"{where}: {key} has to be a list of names")
    return tuple(cast("list[str]", names))
