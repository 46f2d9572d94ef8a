"""The run of a sequence on one session: each command is sent, and every response judged by the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.commands import Command
from flyteapps_contract.sequences.context import Context
from flyteapps_contract.sequences.lists import Lists
from flyteapps_contract.sequences.operators.clusters import Clusters
from flyteapps_contract.sequences.operators.lease_streams import LeaseStreams
from flyteapps_contract.sequences.operators.reports import StatusReports
from flyteapps_contract.sequences.reads import Reads
from flyteapps_contract.sequences.watches import Watches
from flyteapps_contract.sequences.write_log import WriteLog
from flyteapps_contract.sequences.writes import Writes
from flyteapps_contract.session import Session


class Interpreter:
    """One run of a sequence. Raises Violation at the first response that the contract rules out."""

    def __init__(self, session: Session) -> None:
        context = self._context = Context(session)
        self.trace = context.trace
        log = WriteLog()
        self._leases = LeaseStreams(context)
        reads = self._reads = Reads(context, self._leases, log)
        clusters = Clusters(context, self._leases, reads)
        reports = StatusReports(context, self._leases, reads, clusters)
        lists = Lists(context, reads)
        writes = Writes(context, reads, clusters)
        watches = self._watches = Watches(context, log, reads, writes)
        self._handlers: Mapping[type[Command], Callable[[Any], None]] = {
            commands.Create: writes.create,
            commands.Get: reads.get,
            commands.Update: writes.update,
            commands.Delete: writes.delete,
            commands.Start: writes.start,
            commands.Stop: writes.stop,
            commands.List: lists.list,
            commands.NextPage: lists.next_page,
            commands.Watch: watches.open,
            commands.CloseWatch: watches.close,
            commands.PauseWatch: watches.pause,
            commands.Advance: clusters.advance,
            commands.Lease: clusters.lease,
            commands.Leave: clusters.leave,
            commands.ReportStatus: reports.report,
            commands.Progress: reports.progress,
            commands.GetByUrl: reads.get_by_url,
            commands.Resend: writes.resend,
            commands.BreakRule: writes.break_rule,
            commands.LoseCreate: writes.lose_create,
            commands.LoseUpdate: writes.lose_update,
            commands.LoseDelete: writes.lose_delete,
        }

    def run(self, sequence: Iterable[Command]) -> None:
        """Run the commands, then read each app once more, and each stream to its end."""
        for command in sequence:
            self._handlers[type(command)](command)
        for slot in self._context.slots.all:
            entry = self._context.entry(slot)
            if entry.blame or entry.passed or len(entry.branches) > 1:
                self._reads.refresh(slot)
        self._leases.judge_end()
        self._watches.judge()
