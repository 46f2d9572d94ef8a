"""The commands that sequences are made of: one flat table. A command is its name and small numbers, no more.

What a number means, such as the third image, the interpreter knows; 0 is always the plainest, so that shrinking leads
there. A command that makes no sense where it stands, such as closing a watch that isn't open, does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

Act = tuple[str, tuple[int, ...]]
"""A command as it stands in a sequence: its name and its numbers."""

SLOTS = 6
"""Ids that commands speak of; which ones, the interpreter's scene says."""
IMAGES, STATES, REVISIONS, REASONS = 3, 4, 4, 3
EXTRAS = 18
FLAWS = 8
SCOPES, FILTERS, SORTS, LIMITS = 4, 20, 8, 4
TARGETS = 8
STREAMS = 3
CLUSTERS = 2
REPORTS, STALE, REPLICAS = 10, 3, 3
SPANS = 6


@dataclass(frozen=True, slots=True)
class Command:
    """A row: `numbers` says how many values each number has, `weight` how often it is drawn beside the others.

    `needs` names a field of Offers.
    """

    name: str
    numbers: tuple[int, ...]
    weight: int = 1
    needs: str = ""


COMMANDS: tuple[Command, ...] = (
    Command("create", (SLOTS, STATES, IMAGES, EXTRAS), 8),
    Command("get", (SLOTS,), 3),
    Command("update", (SLOTS, STATES, IMAGES, EXTRAS, REVISIONS, REASONS), 8),
    Command("delete", (SLOTS,), 3),
    Command("start", (SLOTS,), 2),
    Command("stop", (SLOTS,), 3),
    Command("list", (SCOPES, FILTERS, SORTS, LIMITS, 2, 2), 4),
    Command("next_page", (), 2),
    Command("watch", (TARGETS,), 3),
    Command("close_watch", (STREAMS,)),
    Command("pause_watch", (STREAMS,)),
    Command("advance", (SPANS,), 3, "clock"),
    Command("lease", (CLUSTERS,), 3),
    Command("leave", (CLUSTERS,)),
    Command("report", (SLOTS, REPORTS, CLUSTERS + 1, STALE, STALE, REPLICAS), 5),
    Command("progress", (SLOTS,), 4),
    Command("get_by_url", (SLOTS, 3)),
    Command("resend", (SLOTS,)),
    Command("break_rule", (SLOTS, FLAWS)),
    Command("lose_create", (SLOTS, STATES, IMAGES)),
    Command("lose_update", (SLOTS, STATES, IMAGES, REVISIONS)),
    Command("lose_delete", (SLOTS,)),
)

BY_NAME = {command.name: command for command in COMMANDS}
