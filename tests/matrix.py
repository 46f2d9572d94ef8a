"""Selection of the test matrix: repetitions of a test on further transports, dialects, servers or clocks.

`pytest.mark.matrix` marks a repetition. The inner loop leaves repetitions out; the variable `FLYTEAPPS_MATRIX` selects
them: `all`, or a share such as `1/4`. The shares are disjoint, together they are all, and a test stays in its share.
`pytest.mark.slow` marks a test that takes seconds: it is no repetition, so it runs with every share, and is left out of
the inner loop alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

VARIABLE = "FLYTEAPPS_MATRIX"


@dataclass(frozen=True)
class Share:
    """Part `number` of `count` equal parts of the matrix; part 0 is empty."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Return the share that `text` names: nothing, `all`, or `number/count`; raise ValueError for anything else."""
        if text in ("", "none"):
            return cls(0, 1)
        if text == "all":
            return cls(1, 1)
        number, slash, count = text.partition("/")
        if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ValueError(f"{VARIABLE}={text!r} is invalid: set it to 'all' or a share such as '1/4', or unset it")

    def __contains__(self, node_id: str) -> bool:
        """Return whether the test of this node id belongs to the share."""
        return zlib.crc32(node_id.encode()) % self.count == self.number - 1

    def __bool__(self) -> bool:
        """Return whether the share has any tests."""
        return self.number > 0

    def __str__(self) -> str:
        """Return the share as one reads it."""
        if not self.number:
            return f"none ({VARIABLE}=all runs all)"
        return "all" if self.count == 1 else f"share {self.number} of {self.count}"


def is_named(node_id: str, arguments: Sequence[str]) -> bool:
    """Return whether one of pytest's arguments names this test, its function or its class, and not only its file."""
    names = (each.removeprefix("./") for each in arguments if "::" in each)
    return any(node_id == name or node_id.startswith((name + "[", name + "::")) for name in names)
