"""Planted bugs of the saving of a plane's state: a line of one function changed, and the test that must find it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from planted import Case, Planted

from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.state.saving import Saving
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.directory import state_directory
from flyteapps_fake.flyte_oss import watch_hub
from flyteapps_fake.flyte_oss.answers import Answers
from flyteapps_fake.saving import saver
from flyteapps_fake.saving.saver import Saver
from flyteapps_fake.standard import watch
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators.leases import LeaseStream
from flyteapps_fake.standard.state import app_messages
from flyteapps_fake.standard.state.sections import Apps

from . import disks, test_failures, test_forks, test_random, test_waiting
from .disks import FULL, Disk

PATIENCE_SECONDS = 4.0
"""Time that a test waits for what a planted bug keeps from happening."""


@contextmanager
def impatient() -> Generator[None]:
    """Let tests wait for a short time."""
    with (
        patch.object(disks, "PATIENCE_SECONDS", PATIENCE_SECONDS),
        patch.object(disks, "HELD_SECONDS", 4 * PATIENCE_SECONDS),
        patch.object(saver, "CLOSE_SECONDS", 1.0),
        patch.object(test_forks, "SECONDS", 4),
    ):
        yield


def on_disk(test: Callable[..., object], *arguments: Any, threads: bool = False) -> Case:
    """Return the test with a disk and a folder of its own, and with threads where it needs some."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder, impatient(), Disk().under() as disk:
            if not threads:
                test(disk, Path(folder), *arguments)
                return
            with ThreadPoolExecutor(16) as pool:
                try:
                    test(disk, Path(folder), pool, *arguments)
                finally:
                    disk.mend()

    return run


def in_folder(test: Callable[..., object], *arguments: Any) -> Case:
    """Return the test with a folder of its own."""

    def run(_: Disk, folder: Path) -> None:
        test(folder, *arguments)

    return on_disk(run)


def waits(test: Callable[..., object], *arguments: Any) -> Case:
    """Return the test with a disk, a folder and threads."""
    return on_disk(test, *arguments, threads=True)


def restarts(sync: str = "group") -> Case:
    """Return the test of a restart."""
    return lambda: test_random.test_a_restart_changes_nothing(sync)


refuses = on_disk(test_failures.test_a_write_that_cannot_be_saved_is_refused_and_undone, "group", FULL)
refuses_at_once = on_disk(test_failures.test_a_write_that_cannot_be_saved_is_refused_and_undone, "always", FULL)
cuts = on_disk(test_failures.test_streams_end_and_show_nothing_of_what_was_undone, "group")
shows = waits(test_waiting.test_what_shows_a_change_waits_until_it_is_safe, "standard")
shows_in_oss = waits(test_waiting.test_what_shows_a_change_waits_until_it_is_safe, "flyte-oss")
batches = waits(test_waiting.test_an_answer_waits_for_its_own_batch)
fails_together = on_disk(test_failures.test_a_call_that_was_made_before_the_failure_is_refused)
on_the_disk = in_folder(test_waiting.test_what_is_answered_is_on_the_disk, "group", 2)
adopts = in_folder(test_waiting.test_an_org_that_was_adopted_is_the_one_of_the_next_run)
leases = in_folder(test_waiting.test_a_lease_runs_out_after_a_restart)
forks = on_disk(test_forks.test_a_child_that_is_forked_while_a_batch_is_written_goes_on)

PLANTED = (
    # ---- the disk
    Planted(state_directory, "_connected", "connect(root, sync)", 'connect(root, "never")', on_the_disk),
    Planted(Saver, "_write", "self._position += 1", "pass", batches),
    Planted(Saver, "_encoded", "if image is not None else None", "if image is not None else b''", restarts()),
    Planted(Saver, "_encoded", 'yield TIME, b"", batch.time.SerializeToString()', "pass", on_the_disk),
    Planted(
        Saver,
        "_encoded",
        "for entry, image in batch.images.items()",
        "for entry, image in [*batch.images.items()][1:]",
        restarts(),
    ),
    # ---- what is stored
    Planted(State, "_delete", "self.changes.touch(DELETED_IDS, digest)", "pass", restarts()),
    Planted(State, "_touch_plane", 'self.changes.touch(STANDARD_PLANE, "")', "pass", adopts),
    Planted(
        Timeline,
        "advance_to",
        "self.changes.time_moves()",
        "pass",
        in_folder(test_waiting.test_a_clock_that_was_moved_stays_there),
    ),
    Planted(Apps, "image", "(key, lease_timer(key))", "(key,)", leases),
    Planted(app_messages, "timer_of", "state.due", "state.due + 1", restarts()),
    # ---- answers
    Planted(Saving, "_waiting", "if self.is_safe(entry):", "if True:", shows),
    Planted(
        Saving,
        "answer",
        "raise self._postponed(waiting, error, None) from None",
        "raise",
        waits(test_waiting.test_an_error_that_shows_a_deletion_waits),
    ),
    Planted(
        Saving, "_waiting", "self.changes.batch if unsaved else", "self.changes.batch - 1 if unsaved else", batches
    ),
    Planted(
        Saving,
        "_waiting",
        "if failures != self._failures and",
        "if False and",
        on_disk(test_failures.test_a_change_outside_of_the_lock_is_refused_as_well),
    ),
    Planted(
        Saving,
        "_waiting",
        "None if answer.over and answer.error is answer.outcome is None else answer",
        "None",
        refuses_at_once,
    ),
    Planted(Saving, "is_safe", "and entry not in flying", "", shows),
    Planted(
        Saving,
        "later",
        "postponed.in_turn(lambda: self.answer(postponed.resume))",
        "postponed",
        on_disk(test_failures.test_a_delayed_call_is_saved_before_it_is_answered, "100ms"),
    ),
    # ---- streams
    Planted(
        watch.Subscription,
        "_next",
        "if event.batch and not self._changes.is_safe(event.batch, self):",
        "if False:",
        shows,
    ),
    Planted(watch.Subscription, "_next", "not self._changes.is_safe(self._opened_in, self)", "False", shows),
    Planted(
        watch_hub.Subscription,
        "_next",
        "if batch and not self._changes.is_safe(batch, self):",
        "if False:",
        shows_in_oss,
    ),
    Planted(
        LeaseStream, "_next", "if is_safe(batch, self)", "", waits(test_waiting.test_a_lease_waits_until_it_is_safe)
    ),
    Planted(OpenStream, "cut", "self._is_cut = True", "pass", cuts),
    Planted(
        Changes,
        "wake_streams",
        "stream.notify()",
        "pass",
        waits(test_waiting.test_a_thousand_watchers_are_woken_once_each),
    ),
    # ---- failures
    Planted(Saving, "failed", "changes.undo(self._safe_mark)", "changes.undo(changes.mark())", refuses),
    Planted(Saving, "failed", "each.undone(error)", "each.end(error)", fails_together),
    Planted(Saving, "failed", "each.undone(error)", "each.end(None)", fails_together),
    Planted(Saving, "recovered", "self.changes.refuse(None)", "pass", refuses),
    Planted(
        Timeline,
        "run_due",
        "if self.frozen:",
        "if False:",
        on_disk(test_failures.test_reads_go_on_with_timers_overdue, "realtime", "group"),
    ),
    Planted(
        Timeline,
        "thaw",
        "stream.notify()",
        "pass",
        on_disk(test_failures.test_a_watch_that_was_opened_meanwhile_goes_on, "auto"),
    ),
    Planted(
        Answers,
        "store",
        "self._changes.refusal is not None",
        "False",
        on_disk(test_failures.test_stopped_apps_are_read),
    ),
    # ---- the end, and forks
    Planted(
        Saving,
        "stop",
        "self.changes.refuse(refusal)",
        "pass",
        on_disk(test_failures.test_a_closed_plane_changes_nothing),
    ),
    Planted(Saver, "forked", "self._turn = threading.Lock()", "pass", forks),
    Planted(
        Saving,
        "forked",
        "self._leave()",
        "self.on = False",
        on_disk(test_forks.test_a_child_refuses_nothing_and_keeps_no_images),
    ),
)
