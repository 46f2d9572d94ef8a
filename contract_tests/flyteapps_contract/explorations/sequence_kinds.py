"""The sequences of each dialect: their commands, what runs and judges them, the guarantees that they speak of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from flyteapps_contract.explorations.exercised import exercised
from flyteapps_contract.sequences.commands import COMMANDS
from flyteapps_contract.sequences.flyte_oss import interpreter as flyte_oss
from flyteapps_contract.sequences.flyte_oss.commands import COMMANDS as OSS_COMMANDS
from flyteapps_contract.sequences.interpreter import Interpreter
from flyteapps_contract.sequences.table import Command, CommandTable
from flyteapps_contract.session import Session
from flyteapps_contract.traces.trace import Step, Trace


class SequenceRun(Protocol):
    """One run of a sequence on a session, with the calls that it made."""

    @property
    def trace(self) -> Trace:
        """The calls with their responses."""
        ...

    def run(self, sequence: Iterable[Command]) -> None:
        """Run the commands. Raises Violation at the first response that the dialect rules out."""
        ...


@dataclass(frozen=True, slots=True)
class SequenceKind:
    """The sequences of one dialect; `exercised`: the guarantees that calls put to the test."""

    commands: CommandTable
    interpreter: Callable[[Session], SequenceRun]
    exercised: Callable[[Sequence[Step]], Collection[str]]
    guarantees: tuple[str, ...]


STANDARD_SEQUENCES = SequenceKind(
    COMMANDS,
    Interpreter,
    exercised,
    (
        *("ID-1", "ID-2", "ID-4", "CR-1", "CR-2", "CR-3", "CR-4", "CR-5", "CR-6", "GE-1", "GE-2", "GE-3"),
        *("UP-1", "UP-2", "UP-3", "UP-4", "UP-5", "UP-6", "UP-7", "LE-1", "LE-2", "LE-3", "LE-4", "LE-5", "LE-6"),
        *("US-0", "US-1", "US-2", "US-3", "US-4", "US-5", "US-6", "DE-1", "DE-2", "DE-3"),
        *("LI-1", "LI-2", "LI-3", "LI-4", "LI-5", "LI-7", "SP-3", "SP-4"),
        *("WA-1", "WA-2", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8", "WA-9"),
    ),
)
OSS_SEQUENCES = SequenceKind(
    OSS_COMMANDS,
    flyte_oss.Interpreter,
    flyte_oss.exercised,
    (
        *("OSS-1", "OSS-2", "OSS-4", "OSS-5", "OSS-6", "OSS-7", "OSS-8", "OSS-9", "OSS-10", "OSS-11", "OSS-12"),
        *("OSS-13", "OSS-14", "OSS-15", "OSS-16", "OSS-17", "OSS-19", "OSS-20", "OSS-21", "OSS-22", "OSS-23"),
        *("OSS-24", "OSS-25", "OSS-26", "OSS-27", "OSS-28", "OSS-30", "OSS-31", "OSS-32", "OSS-33", "OSS-34"),
        "OSS-73",
    ),
)
KINDS: dict[str, SequenceKind] = {each.commands.dialect: each for each in (STANDARD_SEQUENCES, OSS_SEQUENCES)}
"""By dialect."""
