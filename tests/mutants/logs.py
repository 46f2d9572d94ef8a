"""Wrong planes: logs."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteapps_fake.standard import logs
from flyteapps_fake.standard.apps import AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.replicas import ReplicaBook
from flyteapps_fake.standard.simulation import log_lines

from .planting import around, mutant, same


@mutant("LO-1")
def the_lines_of_a_stopped_app_are_lost() -> AbstractContextManager[Any]:
    return patch.object(ReplicaBook, "ended", same([]))


@mutant("LO-1")
def live_only_is_live_or_persisted() -> AbstractContextManager[Any]:
    def tail(real: Any, state: State, request: Any) -> Any:
        if request.source == logs.logs.LIVE_ONLY:
            request.source = logs.logs.LIVE_OR_PERSISTED
        return real(state, request)

    real = logs.tail_logs
    return patch("flyteapps_fake.standard.dialect.tail_logs", lambda *arguments: tail(real, *arguments))


@mutant("LO-1")
def persisted_lines_are_followed() -> AbstractContextManager[Any]:
    def init(real: Any, self: Any, state: State, record: AppRecord, replicas: Any, *, follow: bool) -> None:
        real(self, state, record, replicas, follow=True)

    real = logs.LogStream.__init__
    return patch.object(logs.LogStream, "__init__", lambda *arguments, **options: init(real, *arguments, **options))


@mutant("LO-2")
def the_replicas_are_not_listed() -> AbstractContextManager[Any]:
    return patch.object(logs.LogStream, "_ids", same([]))


@mutant("LO-2")
def times_differ_after_a_reconnect() -> AbstractContextManager[Any]:
    numbers = itertools.count()

    def of_life(real: Any, replica: Any, shared: Any) -> Any:
        return [line._replace(at=line.at + next(numbers)) for line in real(replica, shared)]

    return around(log_lines, "_of_life", of_life)


@mutant("LO-2")
def a_log_outlives_its_replicas() -> AbstractContextManager[Any]:
    return patch.object(logs.LogStream, "_same", same(True))


@mutant("LO-2")
def a_batch_of_lines_has_no_limit() -> AbstractContextManager[Any]:
    return patch.object(logs, "MAX_LINES", 10_000)


@mutant("LO-2")
def a_backlog_goes_back_for_ever() -> AbstractContextManager[Any]:
    return patch.object(log_lines, "BACKLOG", 100_000)


@mutant("LO-2")
def one_replica_means_all() -> AbstractContextManager[Any]:
    def tail(real: Any, state: State, request: Any) -> Any:
        if request.HasField("replica_id"):
            request.app_id.CopyFrom(request.replica_id.app_id)
        return real(state, request)

    real = logs.tail_logs
    return patch("flyteapps_fake.standard.dialect.tail_logs", lambda *arguments: tail(real, *arguments))
