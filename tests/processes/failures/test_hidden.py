"""A process that hides another: it starts it and exits while the keeper looks for what a replica has left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from flyteapps_fake.processes import programs

from ..running import runs

KEEPS = """
import importlib.util, os, signal, subprocess, sys
spec = importlib.util.spec_from_file_location("keeper", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.PRCTL(module.PR_SET_CHILD_SUBREAPER, 1)

STARTS = '''import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.readline()
if not os.fork():
    os.setsid()
    print(os.getpid(), flush=True)
    signal.alarm(600)
    while True: signal.pause()
os._exit(0)
'''
process = subprocess.Popen(
    [sys.executable, "-S", "-E", "-c", STARTS],
    env={module.MARK: "replica"}, start_new_session=True,
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
)
keeper = module.Keeper(None, os.getppid())
keeper._groups["replica"] = process.pid
listed = os.listdir
hidden = 0

def listing(path):
    global hidden
    found = listed(path)
    if path == "/proc" and not hidden:  # it is as it was before the process starts the other one and exits
        process.stdin.write(b"\\n")
        process.stdin.flush()
        hidden = int(process.stdout.readline())
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return found

os.listdir = listing
os.killpg = lambda group, number: None  # it had exited by itself
keeper._signal = lambda name, number: keeper._families.setdefault(name, set())
{ends}
print(hidden)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc, and a keeper that is asked")
@pytest.mark.parametrize("ends", ["keeper._end('replica')", "keeper._end_all()"])
def test_a_process_that_starts_another_while_they_are_looked_for_hides_none(ends: str) -> None:
    """The list of processes is older than the other one, whose parent is dead when its turn comes."""
    done = subprocess.run(
        [sys.executable, "-c", KEEPS.replace("{ends}", ends), str(programs.KEEPER)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hidden = int(done.stdout)
    left = runs(hidden)
    if left:
        os.kill(hidden, signal.SIGKILL)
    assert not left
