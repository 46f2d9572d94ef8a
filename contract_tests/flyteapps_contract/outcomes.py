"""The ends of a call and of a check. Nothing here calls a plane.

`Refused` is what a plane answered; `Broken`, `Unjudged` and `NotOffered` are what a check says of a guarantee.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from buf.validate.validate_pb2 import FieldPath, Violations
from google.protobuf.any_pb2 import Any as AnyMessage


class Refused(Exception):  # noqa: N818  # an answer, not a fault of ours
    """A call that ended with an error.

    `code` is the name of the RPC code, such as "NOT_FOUND"; `message` what the
    plane said; `details` the error details, packed.
    """

    def __init__(self, code: str, message: str, details: Iterable[AnyMessage] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = tuple(details)

    def violations(self) -> list[str]:
        """Return the field paths of the `buf.validate.Violations` among the details, such as "app.metadata.id"."""
        paths: list[str] = []
        for detail in self.details:
            found = Violations()
            if detail.TypeName() == Violations.DESCRIPTOR.full_name and detail.Unpack(found):
                paths += [_path(each.field) for each in found.violations]
        return paths


class StreamEnded(Exception):  # noqa: N818  # an answer, not a fault of ours
    """A stream that ended without an error."""


class Broken(AssertionError):  # noqa: N818  # the verdict's own word
    """The plane does not keep the guarantee; the text says what was expected and what came."""


class Unjudged(Exception):  # noqa: N818  # the verdict's own word
    """The check could not be brought to where it judges: its preparation failed."""


class NotOffered(Exception):  # noqa: N818  # the verdict's own word
    """The target lacks what the check needs; the text is the reason."""


WITHOUT_VERDICT = (NotOffered, Refused, StreamEnded, Unjudged)
"""The exceptions that end an attempt without a verdict."""


def describe_failure(failure: Exception) -> str:
    """Return what a defect of a check says, or of a plane in this process, with its place."""
    where = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{type(failure).__name__}: {failure} ({where.filename}, line {where.lineno})"


class CannotJudge(Exception):  # noqa: N818  # the verdict's own word
    """A whole run can't judge: nothing answers, what answers is no plane, what was asked for makes no sense."""


class Verdict(StrEnum):
    """The verdict of a check, or of all checks of a guarantee."""

    HOLDS = "holds"
    HARDLY = "hardly tried"
    BROKEN = "broken"
    FOLLOWS = "follows"
    UNJUDGED = "not judged"
    NOT_OFFERED = "not offered"
    DEVIATES = "known deviation"


@dataclass(frozen=True, slots=True)
class Span:
    """One call, stream or move of the clock in a timeline: its lane, its text, its begin and end.

    `end` is None where it is unknown; times are in any unit that orders them. `wrong`: it is what broke a guarantee.
    """

    lane: str
    text: str
    begin: float
    end: float | None
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check's verdict: the guarantees that it speaks of, why it isn't `holds`, and the seconds it took.

    `tried`: how much was tried, where that differs from run to run, and `attempts` its number; `evidence`: how many of
    them came to each guarantee, all where it isn't there. The verdict HARDLY: no time was left for it. `script`: what
    shows a break to anybody; `timeline`: what was done in the run that broke it; `saved`: the sequence that broke it,
    as JSON to run it again. `symptoms`: the guarantees that were seen broken on the way; `follows_from`: the broken one
    that explains it, "" if none does.
    """

    check: str
    guarantees: tuple[str, ...]
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    tried: str = ""
    script: str = ""
    timeline: tuple[Span, ...] = ()
    saved: str = ""
    attempts: int = 0
    evidence: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)
    symptoms: tuple[str, ...] = ()
    follows_from: str = ""


def verdict_of(outcomes: Sequence[Outcome]) -> Verdict:
    """Return a guarantee's verdict: broken if one check says so, then follows, then not judged, then known deviation.

    Where no check ran it is not offered; where some did, and no time was left for others, it is hardly tried.
    """
    found = {outcome.verdict for outcome in outcomes}
    if Verdict.HARDLY in found and not found & {Verdict.BROKEN, Verdict.FOLLOWS, Verdict.UNJUDGED, Verdict.DEVIATES}:
        return Verdict.HARDLY if Verdict.HOLDS in found else Verdict.UNJUDGED
    for verdict in (Verdict.BROKEN, Verdict.FOLLOWS, Verdict.UNJUDGED, Verdict.DEVIATES, Verdict.HOLDS):
        if verdict in found:
            return verdict
    return Verdict.NOT_OFFERED


def _path(path: FieldPath) -> str:
    parts: list[str] = []
    for element in path.elements:
        subscript = element.WhichOneof("subscript")
        suffix = f"[{getattr(element, subscript)}]" if subscript else ""
        parts.append(element.field_name + suffix)
    return ".".join(parts)
