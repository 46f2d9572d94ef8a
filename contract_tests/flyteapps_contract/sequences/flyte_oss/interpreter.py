"""The run of a sequence on one session: each command is sent, and every response judged by the oracle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from flyteapps_contract.sequences.flyte_oss import commands
from flyteapps_contract.sequences.flyte_oss.bad_calls import BadCalls
from flyteapps_contract.sequences.flyte_oss.context import Context
from flyteapps_contract.sequences.flyte_oss.reads import Reads
from flyteapps_contract.sequences.flyte_oss.watches import Watches
from flyteapps_contract.sequences.flyte_oss.writes import Writes
from flyteapps_contract.sequences.table import Command
from flyteapps_contract.session import Session
from flyteapps_contract.traces.trace import Step


class Interpreter:
    """One run of a sequence. Raises Violation at the first response that the dialect rules out."""

    def __init__(self, session: Session) -> None:
        context = self._context = Context(session)
        self.trace = context.trace
        reads = self._reads = Reads(context)
        writes = Writes(context, reads)
        watches = self._watches = Watches(context)
        bad = BadCalls(context)
        self._handlers: Mapping[type[Command], Callable[[Any], None]] = {
            commands.Create: writes.create,
            commands.CreateAgain: writes.create_again,
            commands.Update: writes.update,
            commands.Stop: writes.stop,
            commands.Start: writes.start,
            commands.Delete: writes.delete,
            commands.Get: reads.get,
            commands.GetAgain: reads.get_again,
            commands.List: reads.list,
            commands.NextPage: reads.next_page,
            commands.Watch: watches.open,
            commands.CloseWatch: watches.close,
            commands.Advance: self._advance,
            commands.SendBad: bad.send,
        }

    def run(self, sequence: Iterable[Command]) -> None:
        """Run the commands, then list all apps once more, and read each stream to its end."""
        for command in sequence:
            self._handlers[type(command)](command)
            self._watches.read()
        if any(each is not None for each in self._context.services.values()) or self._context.changes:
            self._reads.refresh_all()
        self._watches.judge()

    def _advance(self, command: commands.Advance) -> None:
        self.trace.advance(command.seconds.value)


def exercised(steps: Sequence[Step]) -> Collection[str]:
    """Return the ids of the guarantees that the steps put to the test."""
    return {guarantee for step in steps for guarantee in step.exercised}
