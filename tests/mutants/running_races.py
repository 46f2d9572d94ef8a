"""Wrong planes: races of apps that run, with the reports of their cluster. Stopped apps fare well on each of them."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import should_run
from flyteapps_fake.standard import dialect, listing, writes
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.dialect import Standard
from flyteapps_fake.standard.operators import leases, reports

from .planting import all_of, around, draft_of, mutant, whole
from .races import yield_the_lock

LONG = 10
"""Turns of others while a report is under way."""


class Calls(threading.local):
    """The call that the thread is in: `within` names it, "" for what a plane does by itself."""

    within = ""


class Again(Exception):  # noqa: N818  # no fault
    """Another call was faster: this one begins anew, and gives way no more."""


def _during(owner: Any, name: str, calls: Calls) -> AbstractContextManager[Any]:
    """Let `calls` say that the thread is within that function."""

    def run(real: Any, *arguments: Any) -> Any:
        calls.within = name
        try:
            return real(*arguments)
        except Again:
            calls.within = ""
            return real(*arguments)
        finally:
            calls.within = ""

    return around(owner, name, run)


def _stale(name: str, owner: Any, stands: Callable[[AppRecord, AppRecord], bool]) -> AbstractContextManager[Any]:
    """Commit what that function made of an app as it was before other threads ran, if `stands(stale, current)`."""
    calls = Calls()

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        stale = draft.old
        if calls.within != name or stale is None or not stale.cluster:
            return real(self, draft)
        yield_the_lock(self.lock)
        current = self.store.get(stale.key)
        if current is None:
            raise RpcError(Code.NOT_FOUND, f"app {stale.key} not found")
        if current is stale:
            return real(self, draft)
        if not stands(stale, current):
            raise Again
        return real(self, draft_of(current, whole(draft)))

    return all_of(_during(owner, name, calls), around(State, "commit", commit))


@mutant("HI-1")
def a_report_undoes_an_update_that_races_it() -> AbstractContextManager[Any]:
    """The report writes the whole app, as it was when the report came."""
    return _stale("update_status", dialect, lambda stale, current: current.revision != stale.revision)


@mutant("HI-1")
def a_report_undoes_a_report_that_races_it() -> AbstractContextManager[Any]:
    """Two reports read the same conditions, and the later one's are kept."""
    return _stale("update_status", dialect, lambda stale, current: current.revision == stale.revision)


@mutant("UP-2")
def an_update_undoes_a_report_that_races_it() -> AbstractContextManager[Any]:
    """The update writes the status back that it has read."""
    return _stale("update", writes, lambda stale, current: current.revision == stale.revision)


@mutant("DE-2")
def a_delete_overtakes_a_start() -> AbstractContextManager[Any]:
    """Whether the app should run is looked up before other threads run."""

    def remove(real: Any, self: State, old: AppRecord) -> None:
        yield_the_lock(self.lock)
        current = self.store.get(old.key)
        if current is None:
            raise RpcError(Code.NOT_FOUND, f"app {old.key} not found")
        real(self, current)

    return around(State, "remove", remove)


@mutant("HI-1")
def a_report_brings_a_deleted_app_back() -> AbstractContextManager[Any]:
    """The report stores the app that it has read, whether it is there or not."""

    calls = Calls()

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        stale = draft.old
        if calls.within == "update_status" and stale is not None:
            yield_the_lock(self.lock)
            current = self.store.get(stale.key)
            if current is None:
                return real(self, draft_of(None, whole(draft)))
            if current is not stale:
                raise Again
        return real(self, draft)

    return all_of(_during(dialect, "update_status", calls), around(State, "commit", commit))


@mutant("HI-1")
def racing_reports_on_one_counter_are_all_taken() -> AbstractContextManager[Any]:
    """The revision and the counter of a report are compared before other threads run."""

    def update_status(real: Any, state: State, record: AppRecord, reported: Any) -> AppRecord:
        if reported.revision in (0, record.revision) and reported.counter in (0, record.counter):
            yield_the_lock(state.lock)
            reported = reported._replace(revision=0, counter=0)
            record = state.require(record.key)
        return real(state, record, reported)

    return around(reports, "report", update_status)


@mutant("HI-1")
def a_lease_takes_an_app_that_was_just_stopped() -> AbstractContextManager[Any]:
    """The app to lease is chosen before other threads run."""

    def lease(real: Any, state: State, record: AppRecord, cluster: str) -> AppRecord:
        yield_the_lock(state.lock)
        current = state.store.get(record.key)
        if current is None:
            return record
        if should_run(current.desired_state):
            return real(state, current, cluster)
        return leases._assign(state, Draft(current), cluster, state.clock.tick())

    return around(leases, "lease", lease)


@mutant("HI-1")
def a_read_is_of_two_moments() -> AbstractContextManager[Any]:
    """The spec is read before other threads run, the status after."""

    def stored(real: Any, self: Standard, request: Any, unless: Any) -> AppRecord | None:
        record = real(self, request, unless)
        if record is None or not record.cluster:
            return record
        yield_the_lock(self.state.lock)
        current = self.state.store.get(record.key)
        if current is None or current.front == record.front:
            return current or record
        torn = model.App.FromString(record.front)
        torn.status.CopyFrom(current.parse().status)
        return AppRecord(draft_of(record, torn), record.incarnation)

    return around(Standard, "_stored", stored)


@mutant("HI-1")
def a_list_that_races_a_report_is_kept() -> AbstractContextManager[Any]:
    """A List while a report is under way keeps the app as it is, for the Lists until its next revision."""
    calls = Calls()
    reporting: set[AppKey] = set()
    kept: dict[tuple[AppKey, int, int], bytes] = {}

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        if calls.within == "update_status":
            reporting.add(draft.key)
            for _ in range(LONG):
                yield_the_lock(self.lock)
            reporting.discard(draft.key)
            current = self.store.get(draft.key)
            if current is not draft.old:
                raise Again
        return real(self, draft)

    def shown(real: Any, record: AppRecord) -> bytes:
        key = record.key, record.incarnation, record.revision
        if record.key in reporting:
            kept[key] = real(record)
        return kept.get(key) or real(record)

    return all_of(
        _during(dialect, "update_status", calls), around(State, "commit", commit), around(listing, "_whole", shown)
    )


@mutant("HI-1")
def a_stop_forgets_the_cluster_that_reports_meanwhile() -> AbstractContextManager[Any]:
    """An update that stops an app whose cluster reports at that time takes the app from it."""
    calls = Calls()

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        if calls.within == "update" and draft.old is not None and draft.old.cluster:
            stale = draft.old
            yield_the_lock(self.lock)
            current = self.store.get(stale.key)
            if current is None:
                raise RpcError(Code.NOT_FOUND, f"app {stale.key} not found")
            if current is not stale:
                if current.revision != stale.revision:
                    raise Again
                app = whole(draft_with_history(draft, current))
                app.status.assigned_cluster = ""
                return real(self, draft_of(current, app))
        return real(self, draft)

    return all_of(_during(writes, "update", calls), around(State, "commit", commit))


def draft_with_history(draft: Draft, current: AppRecord) -> Draft:
    """Return the draft with the conditions of the current app before its own last one."""
    last = draft.history.last()
    last.revision = current.counter + 1
    draft.history = current.history.append(last)
    return draft
