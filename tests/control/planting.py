"""Planted bugs of the control API: one function each with a line of its source changed, and the test that must fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from planted import Case, Planted

from flyteapps_control.fault_table import Prepared, Rule
from flyteapps_control.loads import LoadTable
from flyteapps_control.selection import AppGlobs
from flyteapps_control.stream_faults import StreamFaults
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control import interceptor
from flyteapps_fake.control.call_log import CallLog
from flyteapps_fake.control.calls import written_test
from flyteapps_fake.control.clock_service import _Until  # pyright: ignore[reportPrivateUsage]  # to break it
from flyteapps_fake.control.interceptor import Interceptor
from flyteapps_fake.control.service import ControlService
from flyteapps_fake.control.state import sections
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.history import History
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.http.handlers.uploads import UploadHandler
from flyteapps_fake.inprocess import transport
from flyteapps_fake.simulation import admission
from flyteapps_fake.simulation.admission import Bounds
from flyteapps_fake.standard import dialect, past, writes
from flyteapps_fake.standard.dialect import Standard
from flyteapps_fake.standard.past import Past
from flyteapps_fake.standard.simulation.reactor import Reactor
from flyteapps_fake.standard.store import AppStore
from flyteapps_fake.standard.watch import EventLog, Subscription
from serving import test_uploads

from . import (
    test_calls,
    test_causes,
    test_clock,
    test_faults,
    test_leases,
    test_loads,
    test_quick_reads,
    test_stale,
    test_written,
)


def on_plane(test: Callable[..., object], *arguments: Any) -> Case:
    """Return the test with a plane of its own."""

    def run() -> None:
        with FakeControlPlane(call_log=1_000, clock="manual") as plane:
            test(plane, *arguments)

    return run


def on_app(test: Callable[..., object], *arguments: Any) -> Case:
    """Return the test with a plane that has an app."""

    def run() -> None:
        with FakeControlPlane(call_log=1_000, clock="manual") as plane:
            plane.stub().create(test_clock.create())
            test(plane, *arguments)

    return run


def on_calls(test: Callable[..., object]) -> Case:
    """Return the test with a plane that has recorded three calls."""

    def run() -> None:
        with FakeControlPlane(call_log=1_000, clock="manual") as plane:
            test_calls.make_calls(plane)
            test(plane)

    return run


def on_quiet_plane(test: Callable[..., object]) -> Case:
    """Return the test with a plane whose apps change by its clients alone."""

    def run() -> None:
        with FakeControlPlane(call_log=1_000, clock="manual", data_plane="none") as plane:
            test(plane)

    return run


def on_loop(test: Callable[..., Coroutine[Any, Any, object]], *arguments: Any) -> Case:
    """Return the awaited test."""
    return lambda: asyncio.run(test(*arguments))


attempts = test_faults.test_the_attempts_of_a_rule
selection = test_faults.test_the_selection_of_a_rule
rearranged = test_faults.test_messages_are_repeated_withheld_and_reordered
stale_get = on_quiet_plane(test_stale.test_a_deleted_app_is_still_there)
stale_list = on_quiet_plane(test_stale.test_a_list_shows_the_apps_of_some_time_ago)
stale_watch = on_quiet_plane(test_stale.test_a_watch_begins_with_the_snapshot_of_then)
theft = test_leases.test_a_cluster_that_lost_its_app_is_refused_until_it_leases_again
kept_upload = on_loop(test_uploads.test_a_file_is_kept_only_if_its_upload_was_carried_out, True, 1)
dropped_upload = on_loop(test_uploads.test_a_file_is_kept_only_if_its_upload_was_carried_out, False, 0)
scales, by_glob = test_loads.test_an_app_scales_to_its_load, test_loads.test_apps_by_glob
lifetime = on_plane(test_faults.test_a_rule_of_a_lifetime_ends)

PLANTED = [
    # which calls get a fault
    Planted(
        Rule,
        "applies",
        "fault.matched == fault.nth",
        "fault.matched == fault.nth + 1",
        on_plane(attempts, {"nth": 2}, [2]),
    ),
    Planted(
        Rule,
        "applies",
        "fault.matched <= fault.first",
        "fault.matched <= fault.first + 1",
        on_plane(attempts, {"first": 3}, [1, 2, 3]),
    ),
    Planted(Rule, "applies", "% fault.every == 0", "% fault.every == 1", on_plane(attempts, {"every": 2}, [2, 4, 6])),
    Planted(Rule, "applies", "fault.applied >= fault.times", "False", on_plane(attempts, {"times": 2}, [1, 2])),
    Planted(Rule, "applies", "now >= self._until", "False", lifetime),
    Planted(Rule, "applies", "now >= self._until", "now > self._until", lifetime),
    Planted(
        Rule,
        "__init__",
        'self.random = random.Random(f"{seed}/{fault.id}")',
        'if fault.id == "f1": globals()["shared"] = random.Random(seed)\n    self.random = globals()["shared"]',
        test_faults.test_draws_are_the_rules_own_and_follow_the_seed,
    ),
    Planted(Prepared, "__init__", "(name.lower(), ", "(name, ", on_plane(test_faults.test_headers_select)),
    Planted(
        AppGlobs, "__init__", "selector.project", '""', on_plane(selection, {"project": "other"}, "web", "proj", False)
    ),
    # what a fault does
    Planted(
        Interceptor,
        "_with_faults",
        "if applied:",
        "if False:",
        on_plane(test_faults.test_an_applied_fault_commits_and_loses_the_answer),
    ),
    Planted(
        Interceptor,
        "_with_faults",
        "if applied:",
        "if True:",
        on_plane(test_faults.test_each_code_is_answered_and_nothing_is_stored, "ABORTED"),
    ),
    Planted(
        transport,
        "pauses",
        "deadline is not None and now >= deadline",
        "False",
        test_faults.test_a_delay_ends_with_the_calls_deadline,
    ),
    Planted(StreamFaults, "_is_cut", ">=", ">", on_plane(test_faults.test_a_stream_is_cut_before_its_first_message)),
    Planted(StreamFaults, "offer", "get(self._made, {})", "get(self._made + 1, {})", rearranged),
    Planted(StreamFaults, "offer", "self._release()", "None", rearranged),
    Planted(
        StreamFaults,
        "end",
        "self._release()",
        "None",
        test_faults.test_a_message_held_back_is_sent_at_the_end,
    ),
    Planted(
        Plane, "end_streams_of", "if globs.matches(each.app)", "", on_plane(test_faults.test_streams_are_dropped_by_app)
    ),
    # stale reads
    Planted(interceptor, "_now_or_then", "if age else run", "if not age else run", stale_get),
    Planted(Past, "_find", "if change is not None", "if change is not None and change.new is not None", stale_get),
    Planted(Past, "_store", "record.key not in self._undone", "True", stale_list),
    Planted(Past, "_store", "if change.old is not None", "if change.new is not None and change.old", stale_list),
    Planted(History, "add", "changes[0].at <= since", "changes[0].at >= since", stale_get),
    Planted(History, "after", "change.at <= then", "change.at < then", stale_get),
    Planted(past, "undone", "first.setdefault(change.key, change)", "first[change.key] = change", stale_get),
    Planted(EventLog, "subscribe", "snapshot, since,", "snapshot, (),", stale_watch),
    # leases that are stolen
    Planted(dialect, "steal", "if not traits_of(record.status).held:", "if True:", theft),
    Planted(Standard, "steal_lease", '("", cluster)', '("",)', test_leases.test_the_thief_itself_may_report),
    # uploads
    Planted(UploadHandler, "__call__", "and not stored", "and stored", kept_upload),
    Planted(UploadHandler, "__call__", "if status == 200 and not stored", "if not stored and False", dropped_upload),
    Planted(
        UploadHandler,
        "__call__",
        "bytes=size)",
        'bytes=size)\n    self._plane.intercept(Call(UPLOAD, request, HttpMetadata(scope)), lambda _: b"")',
        dropped_upload,
    ),
    # declared load
    Planted(Bounds, "demand", "self.replicas(", "(", on_plane(scales, "1000rps", test_loads.RATE, 5)),
    Planted(admission, "replicas_for", "math.ceil", "math.floor", on_plane(scales, "10.5rps", test_loads.RATE, 2)),
    Planted(Reactor, "_rest", "demand < record.replicas", "True", on_plane(scales, "10rps", test_loads.RATE, 1)),
    Planted(
        Reactor,
        "load_changed",
        "run.requested_at = self._state.clock.now()",
        "pass",
        on_plane(test_loads.test_it_scales_down_after_its_time),
    ),
    Planted(
        Reactor, "_demand", "run.loaded or load is not None", "False", on_plane(test_loads.test_to_zero_and_from_zero)
    ),
    Planted(LoadTable, "of", "reversed(self._loads.values())", "self._loads.values()", on_plane(by_glob)),
    Planted(LoadTable, "set", "self._loads.pop(key, None)", "pass", on_plane(by_glob)),
    Planted(
        sections.Loads,
        "keys",
        "self._loads.keys()",
        "()",
        on_plane(test_loads.test_without_its_load_an_app_is_idle),
    ),
    # the log of calls
    Planted(
        ControlService,
        "_verify_calls",
        "sum(map(query.matches, records))",
        'sum(query.matches(each) for each in records if each.code == "OK")',
        on_calls(test_calls.test_verify_explains_what_differs),
    ),
    Planted(
        ControlService,
        "_verify_calls",
        'found == request.times if request.HasField("times")',
        "found == request.times if request.times",
        on_calls(test_calls.test_verify_explains_what_differs),
    ),
    Planted(CallLog, "_trim", "popleft()", "pop()", test_calls.test_the_oldest_calls_are_forgotten),
    Planted(CallLog, "_oldest", "self.size + 1", "self.size", test_calls.test_the_oldest_calls_are_forgotten),
    Planted(CallLog, "_oldest", "self.size + 1", "self.size", test_quick_reads.test_the_oldest_of_reads_are_forgotten),
    Planted(CallLog, "_trim", "oldest.number + 1", "oldest.number", test_calls.test_bytes_of_calls_are_bounded),
    # a Get without faults, and its record
    Planted(
        Plane,
        "call",
        "log.answer(response, call.protocol, call.caller)",
        "pass",
        on_calls(test_calls.test_a_call_is_recorded_whole),
    ),
    Planted(
        Interceptor,
        "read_again",
        "record, named",
        "record, ()",
        test_quick_reads.test_a_rule_that_is_added_later_is_not_passed_by,
    ),
    Planted(
        Interceptor,
        "read_again",
        "named is None or not self._dialect.read_again(record, named)",
        "not self._dialect.read_again(record, named or ())",
        test_quick_reads.test_a_rule_of_a_glob_is_not_passed_by,
    ),
    Planted(
        Interceptor,
        "read_again",
        "if (log := self.log).size",
        "if False",
        test_quick_reads.test_a_repeated_read_over_http_is_recorded,
    ),
    # cause and effect, and tests that are written
    Planted(
        Timeline,
        "_dispatch",
        "Cause(timer.call, ",
        "Cause(0, ",
        on_plane(test_causes.test_a_change_is_an_effect_of_the_call_that_led_to_it),
    ),
    Planted(
        Interceptor,
        "_run",
        "Cause(record.number)",
        "Cause(record.number + 1)",
        on_plane(test_causes.test_a_change_is_an_effect_of_the_call_that_led_to_it),
    ),
    Planted(
        Subscription,
        "_next",
        "self.cause = event.cause",
        "pass",
        on_plane(test_causes.test_a_message_of_a_watch_has_its_cause),
    ),
    Planted(
        StreamFaults,
        "offer",
        'self._moved(message, effects["repeat"])',
        "message",
        on_plane(test_causes.test_a_message_that_a_fault_moved_names_it, "repeat"),
    ),
    Planted(
        written_test,
        "_faults",
        '"times=1"',
        '"times=2"',
        partial(test_written.test_a_written_test_makes_the_same_calls, "standard"),
    ),
    Planted(
        written_test,
        "_start",
        "EPOCH",
        "records[-1].time_ns",
        partial(test_written.test_a_written_test_makes_the_same_calls, "standard"),
    ),
    # the clock, and resets
    Planted(
        _Until,
        "_part",
        "max(0, due - now)",
        "max(0, due - now + 10**9)",
        test_clock.test_time_stops_at_the_timer_that_brought_the_status,
    ),
    Planted(
        sections.FaultRules,
        "keys",
        "self._table.ids()",
        "()",
        on_app(test_clock.test_a_reset_of_all_leaves_nothing),
    ),
    Planted(
        AppStore, "put", "if scope not in after:", "if False:", on_app(test_clock.test_a_reset_of_all_leaves_nothing)
    ),
    Planted(
        Reactor,
        "_drop",
        "self._state.timers.cancel(key)",
        "pass",
        on_app(test_clock.test_a_reset_removes_the_selected_apps),
    ),
    Planted(
        writes,
        "remove",
        "state.hosts.move(old.key, None)",
        "pass",
        test_clock.test_a_reset_frees_the_host_name,
    ),
]
"""Planted bugs: a rule that counts wrongly, a fault that does something else, a log and a reset that forget."""
