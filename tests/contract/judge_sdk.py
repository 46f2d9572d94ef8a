"""A judge of the Flyte SDK by the client guarantees, in a process of its own: seconds in, outcomes as JSON out."""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from flyteapps_contract.outcomes import Outcome, Verdict

SECONDS = 30.0
"""For each check, all at once. The SDK sleeps a second for each snapshot, and half a second and more before it tries
again; on a busy machine all of it takes longer."""


LISTS = "CL-27"
"""Its checks are judged one after the other: the SDK lists the one project of its process, each check has another."""

SDK_BREAKS = {
    "CL-1": "App.watch ignores CreateEvents",
    "CL-2": "its handle of the write shows the old ACTIVE, and revisions aren't compared",
    "CL-3": "a stream that ends is 'stalled'; one that fails is opened again, its snapshot ignored",
    "CL-4": "what failed before the watch opened is only in the snapshot",
    "CL-6": "DeleteEvents are ignored",
    "CL-7": "App.watch has no timeout",
    "CL-8": "a context leaves by the handle that it was entered with",
    "CL-9": "a context whose entry failed does, too; and the error of an exit hides the first one",
    "CL-10": "App.replace asserts that the stored spec has an ingress",
    "CL-12": "App.replace sends id, revision and labels alone",
    "CL-15": "a retried Update meets its own first attempt, and is ABORTED",
    "CL-18": "a handle isn't renewed by its own writes",
    "CL-19": "a handle writes at the revision that it has seen, or not at all",
    "CL-20": "RESOURCE_EXHAUSTED is not tried again",
    "CL-29": "a wait that is cancelled leaves its stream open",
}
"""The client guarantees that the Flyte SDK 2.12 breaks, and by what."""


def sdk_outcomes() -> list[Outcome]:
    """Return what all checks came to on the SDK, judged in a process and a home of their own."""
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "DO_NOT_TRACK": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(Path(__file__)), str(SECONDS)]
        done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        raise RuntimeError(f"judging the SDK failed:\n{done.stdout}{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return [
        Outcome(each["check"], tuple(each["guarantees"]), Verdict(each["verdict"]), each["reason"]) for each in found
    ]


def main() -> None:
    """Judge the client in the process of the SDK."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from contract.client_adapters import Sdk
    from flyteapps_contract.clients.judging import judge_client
    from flyteapps_contract.clients.registry import all_client_checks, client_checks_of

    logging.disable()
    importlib.import_module("flyte.remote")  # which takes seconds, and is no part of any check
    seconds = float(sys.argv[1])
    outcomes = judge_client(Sdk, [each for each in all_client_checks() if each.guarantee != LISTS], seconds)
    for check in client_checks_of(LISTS):
        outcomes += judge_client(Sdk, [check], seconds)
    print(json.dumps([dataclasses.asdict(each) for each in outcomes]), flush=True)
    os._exit(0)  # waits that hang are still going on, on the SDK's own loop


if __name__ == "__main__":
    main()
