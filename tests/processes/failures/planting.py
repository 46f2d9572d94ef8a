"""Planted bugs of apps that run: a line of one function, or of the keeper's file, changed; and the test that must fail.

No bug here makes a test end processes that aren't its own: what `sweep` matches is never changed.
"""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import planted
import pytest
from planted import Case

from flyteapps_fake.processes import output, ports, programs, usage
from flyteapps_fake.processes.data_plane import DataPlane
from flyteapps_fake.processes.keeper import Keeper
from flyteapps_fake.processes.launching import bundles
from flyteapps_fake.processes.output import Log, LogFile, Splitter
from flyteapps_fake.processes.ports import ReplicaPorts
from flyteapps_fake.processes.programs import Programs
from flyteapps_fake.processes.replica import Replica
from flyteapps_fake.processes.running_app import RunningApp

from .. import test_logs, test_output, test_ports, test_secrets
from ..running import Apps, Patience
from . import test_bundles, test_commands, test_exits, test_left_behind, test_programs, test_storms

PATIENCE_SECONDS = 6.0
"""Time that a test waits for what a planted bug keeps from happening."""


class Planted(planted.Planted):
    """One that may be in the keeper, which is run as a file."""

    def plant(self) -> AbstractContextManager[Any]:
        """Put the changed function, or the changed keeper, in the place of the right one."""
        return in_keeper(self.right, self.wrong) if self.owner is Keeper else super().plant()


@contextmanager
def in_keeper(right: str, wrong: str) -> Generator[None]:
    """Run a changed keeper."""
    source = programs.KEEPER.read_text()
    assert source.count(right) == 1, f"keeper: {right}: the text isn't there once"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keeper.py"
        path.write_text(source.replace(right, wrong))
        with patch.object(programs, "KEEPER", path):
            yield


def on_apps(test: Callable[..., object], *arguments: Any, **settings: Any) -> Case:
    """Return the test with a plane that runs apps, and with a folder and a patch where it has these parameters."""

    def run() -> None:
        with Apps(**settings) as apps:
            on_files(test, *arguments, apps=apps)()

    return run


def on_files(test: Callable[..., object], *arguments: Any, **more: Any) -> Case:
    """Return the test with a folder, and a patch, where it has these parameters."""

    def run() -> None:
        names = list(inspect.signature(test).parameters)
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patching:
            fixtures = {"tmp_path": Path(folder), "monkeypatch": patching, **more}
            given = {name: fixtures[name] for name in names if name in fixtures}
            rest = [name for name in names if name not in fixtures]
            test(**given, **dict(zip(rest, arguments, strict=True)))

    return run


@contextmanager
def impatience() -> Generator[None]:
    """Let tests give up soon."""
    with patch.object(Patience, "seconds", PATIENCE_SECONDS):
        yield


leaves_with_app = test_left_behind.test_processes_that_leave_their_group_end_with_the_app
ends_by_itself = test_exits.test_a_process_ends_by_itself_on_sigterm
keeper_killed = test_left_behind.test_a_keeper_that_is_killed
ends, end_of_three = test_exits.test_ends, ("raise SystemExit(3)", "Exited with code 3")
updates = test_storms.test_fifty_updates_at_once
split, too_long = test_output.test_lines, test_output.test_a_line_that_is_too_long_is_split_between_characters

PLANTED = [
    # the keeper
    Planted(Keeper, "_start", "start_new_session=True", "start_new_session=False", on_apps(ends_by_itself)),
    Planted(
        Keeper,
        "run",
        "PRCTL(PR_SET_CHILD_SUBREAPER, 1)",
        "PRCTL(PR_SET_CHILD_SUBREAPER, 0)",
        on_apps(leaves_with_app, "daemon"),
    ),
    Planted(Keeper, "_end", "(not mark and pid in family)", "False", on_apps(leaves_with_app, "unmarked")),
    Planted(Keeper, "_end", "== name or", "== 0 or", on_apps(leaves_with_app, "daemon")),
    Planted(
        Keeper,
        "_reap",
        "self._end(name)  # as",
        "pass  # as",
        on_apps(test_left_behind.test_processes_end_with_the_program_that_started_them),
    ),
    Planted(
        Keeper,
        "run",
        "signal.signal(number, signal.SIG_IGN)",
        "signal.signal(number, signal.SIG_DFL)",
        on_apps(test_left_behind.test_signals_do_not_end_the_keeper),
    ),
    Planted(
        Keeper,
        "run",
        "PRCTL(PR_SET_PDEATHSIG, signal.SIGUSR1)",
        "pass",
        on_files(test_left_behind.test_a_forked_child_that_lives_on_does_not_keep_the_apps_alive),
    ),
    Planted(
        Keeper,
        "run",
        "if self._directory and",
        "if False and",
        on_files(test_left_behind.test_a_process_that_ends_without_closing_its_plane, "kill"),
    ),
    Planted(
        Keeper,
        "_prepare",
        "PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)",
        "pass",
        on_files(test_left_behind.test_server_and_keeper_are_killed_at_once),
    ),
    Planted(
        Keeper,
        "_prepare",
        "signal.signal(number, signal.SIG_DFL)",
        "pass",
        on_apps(ends, "import os; os.kill(os.getpid(), 15)", "Was killed by SIGTERM"),
    ),
    # programs
    Planted(Programs, "_end_keeper", "if keeper.returncode:", "if False:", on_apps(keeper_killed, "daemon")),
    Planted(Programs, "_gone", "program.exited.set_result(signal.SIGKILL)", "pass", on_apps(keeper_killed, "session")),
    Planted(
        Programs,
        "_take",
        "if output == LOST:",
        "if False:",
        lambda: asyncio.run(test_programs.test_a_descriptor_that_cannot_be_received()),
    ),
    Planted(
        programs,
        "exit_text",
        "code >= 0",
        "code > 0",
        test_exits.test_the_text_of_an_exit,
    ),
    # replicas
    Planted(Replica, "_back_off", "2 ** (self.crashes - 1)", "1", on_apps(test_exits.test_the_back_off_grows)),
    Planted(
        Replica,
        "_run",
        "> STEADY_SECONDS",
        "> STEADY_SECONDS + 60",
        on_apps(test_exits.test_an_app_that_has_run_for_long_begins_anew),
    ),
    Planted(
        Replica,
        "_take_port",
        "not is_free(self.port)",
        "False",
        on_files(test_exits.test_a_port_that_is_taken_while_the_app_is_down),
    ),
    Planted(
        Replica,
        "_is_ready_now",
        "host=self._host",
        'host="127.0.0.1"',
        on_apps(test_commands.test_an_app_that_listens_on_ipv6_alone),
    ),
    Planted(Replica, "_failure_of", "if self.memory_exceeded:", "if False:", on_apps(test_exits.test_the_memory_limit)),
    Planted(
        Replica,
        "_until_ready",
        "now - began > settings.start_seconds",
        "False",
        on_files(test_commands.test_a_port_that_never_opens),
    ),
    Planted(
        Replica, "_watch", "late or self._failure_of", "self._failure_of", test_commands.test_a_port_that_never_opens
    ),
    Planted(Replica, "_launch", "raise Refused(why)\n", "pass\n", on_apps(test_bundles.test_odd_uris, "file://[")),
    Planted(
        Replica,
        "_once",
        "await in_thread(shutil.rmtree, directory, ignore_errors=True)",
        "pass",
        test_secrets.test_a_secret_file_is_removed_with_its_replica,
    ),
    Planted(
        Replica,
        "_shown_line",
        "printable(words[:MAX_SHOWN])",
        "words[:MAX_SHOWN]",
        on_apps(test_logs.test_escape_sequences_are_no_messages),
    ),
    # apps
    Planted(RunningApp, "_failing", ">= CRASHES", "> CRASHES", on_apps(ends, *end_of_three)),
    Planted(
        RunningApp,
        "_begin",
        "self._before, self.replicas = answering, []",
        "self._before, self.replicas = [], []; self._retire(answering)",
        on_apps(test_storms.test_a_broken_revision_leaves_the_old_one_answering),
    ),
    Planted(RunningApp, "_follow", "self._retire(self._before)", "pass", on_apps(updates)),
    Planted(
        RunningApp,
        "_stop",
        "if not self._ending:",
        "if True:",
        test_exits.test_a_process_that_ignores_sigterm_is_killed,
    ),
    Planted(
        DataPlane,
        "_follow",
        "not app.is_held()",
        "False",
        on_apps(test_storms.test_deleted_and_created_at_once),
    ),
    Planted(
        DataPlane,
        "_follow",
        "self._look_if_held(key)",
        "pass",
        on_apps(test_storms.test_created_by_another_kind_of_program),
    ),
    Planted(
        DataPlane,
        "_watch_usage",
        "usage.processes > MAX_PROCESSES",
        "False",
        on_apps(test_exits.test_processes_without_end),
    ),
    Planted(
        usage,
        "_proportional",
        '"pss"',
        '"rss"',
        on_apps(test_exits.test_the_memory_limit_counts_all_processes),
    ),
    # logs
    Planted(Log, "add", "at <= lines[-1].at", "at < lines[-1].at", test_output.test_times_grow),
    Planted(Splitter, "finish", "if rest else []", "if False else []", on_files(split, b"a\nb", ["a", "b"])),
    Planted(output, "_pieces", "line[end] & 0xC0 == 0x80", "False", on_files(too_long, "€")),
    Planted(
        LogFile,
        "_rotated",
        "range(OLD_FILES, 0, -1)",
        "range(1, OLD_FILES + 1)",
        on_files(test_output.test_a_full_file_is_rotated),
    ),
    Planted(
        LogFile,
        "write",
        "except OSError:",
        "except EOFError:",
        on_files(test_output.test_a_file_that_cannot_be_written),
    ),
    # ports, bundles, directories
    Planted(
        ReplicaPorts, "take", "wanted >= FIRST_UNPRIVILEGED", "True", on_files(test_ports.test_privileged_ports, 80)
    ),
    Planted(ReplicaPorts, "_claim", "claim(port)", "None", test_ports.test_two_planes_get_different_ports),
    Planted(
        ports,
        "is_free",
        '("0.0.0.0", *LOOPBACKS)',
        "LOOPBACKS[:1]",
        on_files(test_ports.test_a_port_that_a_program_has, "::1"),
    ),
    Planted(
        bundles,
        "_archive_problem",
        "if why := _escape(member, os.path.abspath(directory)):",
        "if why := '':",
        on_files(test_bundles.test_bad_archives, "../"),
    ),
    Planted(
        bundles,
        "_archive_problem",
        "number >= MAX_MEMBERS",
        "number > MAX_MEMBERS",
        on_files(test_bundles.test_an_archive_of_too_many_files),
    ),
]
