"""The way of a call through the faults and the log of calls, where there is any of the two.

Entered under the plane's lock. Without rules and with the log off a plane doesn't come here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

from google.protobuf.message import Message

from flyteapps_control.fault_table import FaultTable, Prepared, Rule, RulesOfRpc
from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1.control_pb2 import AppSelector, Fault
from flyteapps_fake.control.call_log import CallLog, Record
from flyteapps_fake.control.delays import Delays
from flyteapps_fake.control.effects import ConnectionReset, HttpAnswer, Postponed
from flyteapps_fake.control.fault_notices import fault_notice
from flyteapps_fake.control.stream_faults import StreamFilter
from flyteapps_fake.control.subject import subject_of
from flyteapps_fake.control.waits import explain, log_notice, standstill_notice
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.call import Protocol as CallProtocol
from flyteapps_fake.core.dialect import Dialect, Notice, StoredApp
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import GET, LIST, OPERATIONS, UPDATE_STATUS, WATCH, Operation
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import Timer

T = TypeVar("T")

LIMITED = {
    "stale": [operation.rpc for operation in (GET, LIST, WATCH)],
    "steal_lease": [UPDATE_STATUS.rpc],
}
"""The RPCs that a rule can be about, by those effects which not all calls can have."""
NO_RULES = RulesOfRpc()
STALL_END = "stall-end"
"""The kind of the timers of stalled streams."""


def stall_timer(stream: OpenStream) -> tuple[str, OpenStream]:
    """Return the owner of the timer of a stalled stream."""
    return "stall", stream


def _end_stall(timer: Timer) -> None:
    found: StreamFilter
    stream: OpenStream
    found, stream = timer.arguments
    found.resume()
    stream.stir()


class Admission(Protocol):
    """The check of a call's caller, where callers are authenticated."""

    def admit(self, call: Call[Any]) -> Any:
        """Return the caller, and set the call's. Raises RpcError where it has no right to the call.

        Raises Postponed where it isn't known yet; its `resume` does nothing.
        """
        ...

    def is_known_reader(self, call: Call[Any]) -> bool:
        """Return whether a read's caller is known without a check, and set it then; else `admit` says."""
        ...

    def as_caller(self, caller: Any, run: Callable[[Call[Any]], T]) -> Callable[[Call[Any]], T]:
        """Return what carries a call out as that caller's."""
        ...


class Interceptor:
    """The faults and the log of calls of one plane, and the check of its callers.

    `active`: whether there is a rule, the log is on, or callers are checked.
    """

    def __init__(self, dialect: Dialect, timeline: Timeline, calls: int, admission: Admission | None = None) -> None:
        self._dialect = dialect
        self._admission = admission
        self._timeline = timeline
        self._lock = timeline.lock
        self.rpcs = {operation.rpc for operation in OPERATIONS.values()}
        """The RPCs that a rule can be about, SERVICE/METHOD each; a server adds those of its services."""
        streaming = {operation.rpc for operation in OPERATIONS.values() if operation.streaming}
        self.table = FaultTable(
            lambda: self.rpcs, streaming, lambda: f"faults/{timeline.seed}", self._now, dialect.refused_faults, LIMITED
        )
        self.log = CallLog(calls, timeline.clock.now)
        self.log_of_gets = self.log if calls else None
        """The log, for the Gets that need no interceptor; None where it is off."""
        self._causes = timeline.causes
        self._causes.on = calls > 0
        self._causes.on_change = self.log.changed
        if calls:
            dialect.scenarios.given.on_start = lambda given: self.log.started(timeline.causes.current, given)
            dialect.loads.on_change = self.log.load_changed
        self.active = False
        self.on_notice: Callable[[Notice], None] | None = None
        """The function that is called with a notice of each fault that a call has."""
        self.applied = 0
        """Number of faults that calls have had, of rules that were removed, too."""
        self.ruled_names: Container[str] | None = None
        """The names of the apps that rules about Get are about; None if some are about apps of any name.

        A Get of another app by its id needs no interceptor.
        """
        self.is_known_reader = None if admission is None else admission.is_known_reader
        """The check of a Get's caller that takes no time; None where callers are not authenticated."""
        self.delays = dialect.delays = Delays(timeline)
        """The calls that are delayed."""
        timeline.handle(STALL_END, _end_stall, "a stalled stream goes on", lambda owner: owner[1].app, changes=False)
        if timeline.standstill is not None:
            timeline.standstill.report = self._report_standstill
        self.refresh()

    def add(self, rules: Iterable[Prepared]) -> list[Fault]:
        """Add rules, all or none; return them with their ids. Raises ValueError."""
        added = self.table.add_prepared(rules)
        self.refresh()
        return added

    def remove(self, ids: Sequence[str]) -> list[Fault]:
        """Remove these rules, or all where `ids` is empty; return them. Raises KeyError for an id without a rule."""
        removed = self.table.remove(ids) if ids else self.table.clear()
        self.refresh()
        return removed

    def refresh(self) -> None:
        """Go on with the rules that there are now."""
        self.active = bool(len(self.table) or self.log.size or self._admission is not None)
        rules = self.table.by_rpc.get(GET.rpc, NO_RULES)
        self.ruled_names = rules.named if not rules.others else None
        age = self.table.age
        self._dialect.keep_history(age)
        if not age:
            self._timeline.forget_past()

    def may_concern(self, operation: Operation, request: Message) -> bool:
        """Return whether a rule may be about such a call, by its RPC and the name of its app."""
        rules = self.table.by_rpc.get(operation.rpc)
        return rules is not None and rules.may_concern(operation.app_id(request).name)

    def call(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary call, with its faults. Raises RpcError, Postponed."""
        return self.run(call, self._dialect.call, bytes, self._dialect.call_as_of)

    def read(self, call: Call[Any]) -> StoredApp:
        """Return the app that a Get asks for, with the call's faults. Raises RpcError, Postponed."""
        return self.run(call, self._dialect.read, _get_response, self._dialect.read_as_of)

    def read_again(self, record: StoredApp, response: bytes, protocol: CallProtocol, caller: str | None) -> bool:
        """Return whether a Get finds that very record again, unless a rule may be about it; record the call if so."""
        named = self.ruled_names
        if named is None or not self._dialect.read_again(record, named):
            return False
        if (log := self.log).size:
            log.answer(response, protocol, caller)
        return True

    def run(
        self,
        call: Call[Any],
        run: Callable[[Call[Any]], T],
        encoded: Callable[[T], bytes],
        as_of: Callable[[Call[Any], int], T] | None = None,
    ) -> T:
        """Make a unary call by `run`, or by `as_of` at an age, with its faults. Raises RpcError, Postponed.

        `encoded`: its response.
        """
        caller = None
        if self._admission is not None:
            caller = self._admit(call, partial(self.run, call, run, encoded, as_of))
        record, rules = self._begin(call)
        if rules and as_of is not None:
            run = _now_or_then(rules, run, as_of)
        if caller is not None:
            run = self._as_caller(caller, run)

        def carry_out() -> T:
            for rule in rules:
                if rule.effect == "steal_lease":
                    with self._causes.during(Cause(record.number if record is not None else 0, fault=rule.fault.id)):
                        self._dialect.steal_lease(call, rule.fault.steal_lease.cluster)
            try:
                result = self._run(call, run, record)
            except Postponed as postponed:
                raise self._recorded(postponed, record, encoded) from None
            if record is not None:
                record.answer(encoded(result))
            return result

        return self._with_faults(call, rules, record, carry_out) if rules else carry_out()

    def _recorded(self, postponed: Postponed, record: Record | None, encoded: Callable[[Any], bytes]) -> Postponed:
        """Return the wait of a write that takes time, whose end is recorded."""
        if record is None:
            return postponed

        def resume() -> Any:
            try:
                result = postponed.resume()
            except RpcError as error:
                with self._lock:
                    record.end(error.code.name, error.message)
                raise
            with self._lock:
                record.answer(encoded(result))
            return result

        def abandon() -> None:
            postponed.abandon()
            with self._lock:
                if not record.code:
                    record.lose_answer("CANCELED", "its client left while its write was under way, which goes on")

        return postponed.changed(resume, abandon)

    def open(
        self,
        call: Call[Any],
        run: Callable[[Call[Any]], OpenStream],
        as_of: Callable[[Call[Any], int], OpenStream],
    ) -> OpenStream:
        """Open a stream by `run`, or by `as_of` at an age, with its faults. Raises RpcError, Postponed."""
        caller = self._admit(call, lambda: self.open(call, run, as_of)) if self._admission is not None else None
        record, rules = self._begin(call)
        if rules:
            run = _now_or_then(rules, run, as_of)
        if caller is not None:
            run = self._as_caller(caller, run)
            if record is None and not rules:
                return run(call)

        def carry_out() -> OpenStream:
            stream = self._run(call, run, record)
            if record is not None:
                record.opened = True
            found = StreamFilter(rules, record, stream, lambda nanos: self._pause(found, stream, nanos))
            stream.filter = found
            stream.on_closed.append(lambda _: found.close())
            return stream

        return self._with_faults(call, rules, record, carry_out) if rules else carry_out()

    def _admit(self, call: Call[Any], again: Callable[[], Any]) -> Any:
        """Return the caller, None for a call that needs none; record a refusal. Raises RpcError.

        Raises Postponed where the caller isn't known yet; `again` makes the call once more then.
        """
        assert self._admission is not None
        if call.operation.access == "public":
            return None
        try:
            return self._admitted(call, again)
        except RpcError as error:
            if self.log.size:
                self.log.begin(call).end(error.code.name, error.message)
            raise

    def _admitted(self, call: Call[Any], again: Callable[[], Any]) -> Any:
        """Return the caller. Raises RpcError, Postponed."""
        assert self._admission is not None
        try:
            return self._admission.admit(call)
        except Postponed as postponed:
            held = self.delays.hold(call)

            def go_on(_: Any) -> Any:
                self.delays.release(held)
                return self._locked(again)

            raise postponed.then(go_on).in_turn() from None

    def _locked(self, function: Callable[[], T]) -> T:
        with self._lock:
            self._timeline.run_due()
            return function()

    def _as_caller(self, caller: Any, run: Callable[[Call[Any]], T]) -> Callable[[Call[Any]], T]:
        assert self._admission is not None
        return self._admission.as_caller(caller, run)

    def _run(self, call: Call[Any], run: Callable[[Call[Any]], T], record: Record | None) -> T:
        """Return what `run` returns, and record a refusal."""
        if record is None:
            return run(call)
        try:
            with self._causes.during(Cause(record.number)):
                return run(call)
        except RpcError as error:
            record.end(error.code.name, error.message)
            raise

    def _begin(self, call: Call[Any]) -> tuple[Record | None, Sequence[Rule]]:
        record = self.log.begin(call) if self.log.size else None
        rules: Sequence[Rule] = ()
        if self.may_concern(call.operation, call.request):
            subject = subject_of(call)
            rules = self.table.decide(subject)
            self.applied += len(rules)
            if rules and self.on_notice is not None:
                for rule in rules:
                    self.on_notice(fault_notice(rule, subject))
            if record is not None:
                record.fault_rules = tuple(rule.fault for rule in rules)
        return record, rules

    def _with_faults(
        self, call: Call[Any], rules: Sequence[Rule], record: Record | None, carry_out: Callable[[], T]
    ) -> T:
        ending = ending_of(rules[-1])

        def go_on() -> T:
            if ending is None:
                return carry_out()
            error, applied = ending
            if applied:
                if record is not None:
                    record.expect_loss()
                try:
                    lose(carry_out)
                except Postponed as postponed:
                    resume = postponed.resume
                    raise postponed.changed(lambda: end(lose(resume), error)) from None
            return end(None, error)

        def lose(run: Callable[[], Any]) -> None:
            with contextlib.suppress(RpcError):  # an answer is lost, whatever it was
                result = run()
                if isinstance(result, OpenStream):  # which has no reader
                    result.close()

        def end(_: None, error: RpcError) -> NoReturn:
            if record is not None:
                record.lose_answer(error.code.name, error.message)
            raise error

        def abandon() -> None:
            if record is not None:
                record.abandon("its client left while it was delayed")

        def refuse(error: RpcError) -> None:
            if record is not None:
                record.end(error.code.name, error.message)

        try:
            postponed = self.delays.postpone(call, rules, go_on, abandon, refuse)
        except RpcError as error:
            refuse(error)
            raise
        if postponed is not None:
            raise postponed.in_turn()
        return go_on()

    def _pause(self, found: StreamFilter, stream: OpenStream, nanos: int) -> None:
        """Let a stall end after so many nanoseconds; an `auto` clock goes there at once, as for a delayed call."""
        due = self._now() + nanos
        if self._timeline.real_seconds_until(due) == 0:
            found.resume()
            return
        owner = stall_timer(stream)
        stream.on_closed.append(lambda _: self._timeline.timers.cancel(owner))
        self._timeline.timers.schedule(due, owner, STALL_END, found, stream, progress=False)
        self._timeline.scheduled()

    def _report_standstill(self) -> bool:
        """Report that clients wait on a manual clock; return whether any do."""
        waits, _ = explain(self._timeline, self._dialect, self.delays.all(), AppGlobs(AppSelector()))
        notice = standstill_notice(waits, self._now())
        if notice is not None:
            (self.on_notice or log_notice)(notice)
        return notice is not None

    def _now(self) -> int:
        return self._timeline.clock.now()


def _now_or_then(
    rules: Sequence[Rule], run: Callable[[Call[Any]], T], as_of: Callable[[Call[Any], int], T]
) -> Callable[[Call[Any]], T]:
    """Return `run`, or `as_of` at the highest age that a rule for stale reads has."""
    age = max(rule.age for rule in rules)
    return (lambda call: as_of(call, age)) if age else run


def _get_response(stored: StoredApp) -> bytes:
    return field(1, stored.encoded)


def ending_of(rule: Rule) -> tuple[RpcError, bool] | None:
    """Return the error with which a rule ends a call, and whether the call is carried out; None if it ends none."""
    fault: Fault = rule.fault
    match rule.effect:
        case "fail":
            text = fault.fail.message or f"fault {fault.id}: {fault.rpc} fails"
            return RpcError(Code[fault.fail.code], text, list(fault.fail.details)), fault.fail.applied
        case "http":
            return HttpAnswer(fault.http.status, dict(fault.http.headers), fault.http.body), fault.http.applied
        case "reset":
            return ConnectionReset(), fault.reset.applied
        case _:
            return None
