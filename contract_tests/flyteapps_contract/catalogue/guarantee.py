"""The type of a guarantee. The guarantees themselves are in the catalogues, one a dialect."""

from __future__ import annotations

from dataclasses import dataclass

STANDARD = "standard"
FLYTE_OSS = "flyte-oss"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A promise of a plane, with its dialect and the evidence.

    Of a dialect that was recorded: the steps "GROUP / STEP" of the recording that show it, where `*` stands for
    anything; as `seen`, what was seen of it in runs that no recording holds, and where; and, as `read`, what of it was
    only read in the source.
    """

    id: str
    text: str
    evidence: tuple[str, ...]
    dialect: str = STANDARD
    area: str = ""
    steps: tuple[str, ...] = ()
    read: str = ""
    seen: str = ""
