"""The findings of a run: one for each cause, with what follows from it. Nothing here judges."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.symptoms import ROOTS


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken guarantee, and the guarantees whose violations, or want of a verdict, follow from it."""

    guarantee: str
    following: tuple[str, ...] = ()


def grouped(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes; what an elementary guarantee explains that is broken, too, is said to follow from it.

    It explains what broke, or wasn't judged, where its violation was seen on the way there. The most elementary one
    counts, and none is explained by one that is less elementary.
    """
    broken = {
        id_
        for each in outcomes
        if each.verdict is Verdict.BROKEN
        for id_ in each.guarantees
        if id_ in ROOTS and id_ in each.symptoms
    }
    return [_explained(each, [root for root in ROOTS if root in broken]) for each in outcomes]


def _explained(outcome: Outcome, roots: Sequence[str]) -> Outcome:
    if outcome.verdict not in (Verdict.BROKEN, Verdict.UNJUDGED):
        return outcome
    own = [roots.index(each) for each in outcome.guarantees if each in roots]
    causes = [root for root in roots[: min(own, default=len(roots))] if root in outcome.symptoms]
    if not causes:
        return outcome
    verdict = Verdict.FOLLOWS if outcome.verdict is Verdict.BROKEN else outcome.verdict
    return replace(outcome, verdict=verdict, follows_from=causes[0])


def findings(outcomes: Sequence[Outcome], judged: Collection[str] = ()) -> list[Finding]:
    """Return the broken guarantees, each with those that follow: the most elementary first, then in their own order.

    Only the `judged` ones count, all where it is empty.
    """
    said = [(each, [id_ for id_ in each.guarantees if not judged or id_ in judged]) for each in outcomes]
    broken = dict.fromkeys(id_ for each, ids in said if each.verdict is Verdict.BROKEN for id_ in ids)
    order = [*(root for root in ROOTS if root in broken), *(each for each in broken if each not in ROOTS)]
    return [
        Finding(
            root,
            tuple(
                dict.fromkeys(
                    id_ for each, ids in said if each.follows_from == root for id_ in ids if id_ not in broken
                )
            ),
        )
        for root in order
    ]
