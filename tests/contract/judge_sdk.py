"""Judges the Flyte SDK by the client laws, in this process alone; prints the outcomes as JSON. Argument: seconds."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from flyteapps_contract.outcomes import Outcome, Verdict

SECONDS = 6.0
"""For each check. The SDK sleeps a second for each snapshot, and half a second and more before it tries again."""


def sdk_outcomes() -> list[Outcome]:
    """What all checks came to on the SDK, judged in a process and a home of their own."""
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "DO_NOT_TRACK": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(Path(__file__)), str(SECONDS)]
        done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=90, check=False)
    if done.returncode:
        raise RuntimeError(f"judging the SDK failed:\n{done.stdout}{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return [Outcome(**{**each, "verdict": Verdict(each["verdict"])}) for each in found]


def main() -> None:
    """In the process of the SDK."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from contract.client_adapters import Sdk

    from flyteapps_contract.clients.judging import judge_client
    from flyteapps_contract.clients.registry import all_client_checks

    logging.disable()
    outcomes = judge_client(Sdk, all_client_checks(), float(sys.argv[1]))
    print(json.dumps([dataclasses.asdict(each) for each in outcomes]), flush=True)
    os._exit(0)  # waits that hang are still going on, on the SDK's own loop


if __name__ == "__main__":
    main()
