"""The clusters of a sequence: they open and close Lease streams, and leases run out as time passes."""

from __future__ import annotations

from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.context import Context, at_rest
from flyteapps_contract.sequences.operators.lease_streams import LeaseStream, LeaseStreams
from flyteapps_contract.sequences.reads import Reads
from flyteapps_contract.session import preparing
from flyteapps_contract.traces.trace import app_of


class Clusters:
    """The clusters of one sequence."""

    def __init__(self, context: Context, leases: LeaseStreams, reads: Reads) -> None:
        self._context = context
        self._leases = leases
        self._reads = reads

    def lease(self, command: commands.Lease) -> None:
        """Open the Lease stream of a cluster; one that is open stays."""
        cluster = self._context.slots.cluster(command.cluster)
        if cluster in self._leases.open or cluster in self._leases.closing or self._leases.missing:
            return
        for slot in self._context.slots.own:
            if not self._context.entry(slot).known:
                self._reads.refresh(slot)
        number, leases = self._context.trace.lease(cluster)
        try:
            first = leases.poll()
        except NotOffered as reason:
            self._leases.missing = str(reason)
            self._context.trace.close(number)
            return
        serves = self._context.slots.serves
        waiting = [slot for slot in self._context.slots.own if serves(cluster, slot) and self._leases.waits(slot)]
        stream = self._leases.open[cluster] = LeaseStream(number, leases)
        if first is not None:
            self._leases.receive(stream, first)
        self._await_begin(cluster, stream)
        self._leases.receive_all(stream)
        for slot in waiting:
            self._context.entry(slot).passed = True
        self.settle()

    def leave(self, command: commands.Leave) -> None:
        """Close the stream; its leases stay until they run out."""
        self.settle()
        cluster = self._context.slots.cluster(command.cluster)
        stream = self._leases.open.pop(cluster, None)
        if stream is not None:
            stream.leases.close()
            self._context.trace.close(stream.number)
            if not self._context.opens_at_once:
                self._leases.closing.add(cluster)

    def advance(self, command: commands.Advance) -> None:
        """Move the plane's clock: apps may have moved, leases may have run out."""
        seconds = command.seconds.value
        self._context.trace.advance(seconds)
        for slot in self._context.slots.all:
            entry = self._context.entry(slot)
            rests = entry.app is not None and at_rest(entry.app)
            if not slot.own and entry.may_exist and not rests:
                entry.passed = True
        self._leases.now += seconds
        for slot in self._context.slots.own:
            app = self._context.entry(slot).app
            if app is not None and app.status.HasField("lease_expiration"):
                self._context.entry(slot).passed = True
                self._reads.refresh(slot)

    def settle(self) -> None:
        """Read each app that some cluster must have been leased."""
        for slot in self._context.slots.own:
            entry = self._context.entry(slot)
            if self._leases.at_hand(slot) and (len(entry.branches) > 1 or entry.passed or self._leases.waits(slot)):
                self._reads.refresh(slot)

    def _await_begin(self, cluster: str, stream: LeaseStream) -> None:
        """Wait for an app of the cluster's pool on the stream, where it may begin later than it is opened."""
        if self._context.opens_at_once:
            return
        session = self._context.session
        where = {"project": f"{session.project}m"} if self._context.capabilities.projects else dict[str, str]()
        request = self._context.slots.marker_request(session.id(**where), cluster)
        with preparing("the first lease of a stream"):
            app = self._context.trace.call("Create", request, rpc.CreateResponse)
            wanted = app_of(app).metadata.id
            while all(each.metadata.id != wanted for each in self._leases.receive(stream, stream.leases.next())):
                pass
