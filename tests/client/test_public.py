"""The public names of the client: this list is the promise."""

from __future__ import annotations

import subprocess
import sys

import flyteapps

PUBLIC = [
    "App",
    "AppDeleted",
    "AppExists",
    "AppNotFound",
    "AsyncStream",
    "Attempt",
    "CallerError",
    "Change",
    "ChangeKind",
    "Client",
    "Code",
    "Config",
    "ConfigError",
    "Conflict",
    "Console",
    "DeadlineExceeded",
    "DeploymentFailed",
    "DeploymentStatus",
    "DesiredState",
    "Error",
    "FailedPrecondition",
    "InvalidArgument",
    "LogLine",
    "NetworkError",
    "Overloaded",
    "PermissionDenied",
    "PlaneError",
    "ProtocolError",
    "Retries",
    "Stream",
    "Substate",
    "Transport",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Violation",
    "WaitError",
    "WaitTimeout",
    "Waited",
    "Waits",
    "WatchStalled",
    "__version__",
    "init",
    "init_from_config",
    "new_app",
]


def test_the_public_names_are_these() -> None:
    """No more, no fewer; each can be had, and `dir` shows it."""
    assert sorted(flyteapps.__all__) == PUBLIC
    assert all(hasattr(flyteapps, name) for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(flyteapps))
    assert not hasattr(flyteapps, "nothing")


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Its names are loaded when they are used; pytest and the command always import it."""
    program = (
        "import flyteapps, sys; print([m for m in sys.modules if m.split('.')[0] in ('google', 'connectrpc', 'grpc')])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_a_blocking_get_loads_no_more_than_it_needs() -> None:
    """Neither another transport's library, nor YAML, nor what the stand-in needs."""
    program = (
        "import sys\n"
        "from flyteapps import Client\n"
        "try: Client('http://127.0.0.1:1', project='p', domain='d', retries=1).apps.get('a')\n"
        "except ConnectionError: pass\n"
        "unneeded = ('grpc', 'yaml', 'rich', 'opentelemetry', 'flyteapps_fake')\n"
        "print([m for m in sys.modules if m.split('.')[0] in unneeded])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
