"""The contract suite: what a control plane that serves Flyte's AppService guarantees, as checks.

Rules of this package: it is an oracle of its own, written from the contract. It never imports `flyteapps_fake`, speaks
to a plane through flyteidl2's raw stubs, and knows `flyteapps` only as one more thing under test. The names below are
public, every other module is private; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteapps_contract.clients.adapter import ClientFactory, ClientUnderTest, HandleUnderTest, Kind, blocking
    from flyteapps_contract.outcomes import NotOffered
    from flyteapps_contract.plugin import client_tests, contract_tests
    from flyteapps_contract.recordings import FLYTE_OSS as FLYTE_OSS_RECORDING
    from flyteapps_contract.recordings.recorder import Recorder
    from flyteapps_contract.recordings.replayer import Rules, replay, replay_file
    from flyteapps_contract.recordings.steps import load as load_recording
    from flyteapps_contract.recordings.steps import save as save_recording
    from flyteapps_contract.targets.endpoint import EndpointTarget
    from flyteapps_contract.targets.planes import PlanesTarget
    from flyteapps_contract.targets.target import Capabilities, Target

__all__ = [
    "FLYTE_OSS_RECORDING",
    "Capabilities",
    "ClientFactory",
    "ClientUnderTest",
    "EndpointTarget",
    "HandleUnderTest",
    "Kind",
    "NotOffered",
    "PlanesTarget",
    "Recorder",
    "Rules",
    "Target",
    "blocking",
    "client_tests",
    "contract_tests",
    "load_recording",
    "replay",
    "replay_file",
    "save_recording",
]

_HOMES = {
    "Capabilities": "targets.target",
    "FLYTE_OSS_RECORDING": "recordings:FLYTE_OSS",
    "ClientFactory": "clients.adapter",
    "ClientUnderTest": "clients.adapter",
    "EndpointTarget": "targets.endpoint",
    "HandleUnderTest": "clients.adapter",
    "Kind": "clients.adapter",
    "NotOffered": "outcomes",
    "PlanesTarget": "targets.planes",
    "Recorder": "recordings.recorder",
    "Rules": "recordings.replayer",
    "Target": "targets.target",
    "blocking": "clients.adapter",
    "client_tests": "plugin",
    "contract_tests": "plugin",
    "load_recording": "recordings.steps:load",
    "replay": "recordings.replayer",
    "replay_file": "recordings.replayer",
    "save_recording": "recordings.steps:save",
}
"""By public name, the module that defines it, and its name there where that is another one."""

_MODULES_NEEDED = {"client_tests": ("pytest",), "contract_tests": ("pytest", "hypothesis")}
"""By public name, the modules of the extra `contract` that it needs."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for needed in _MODULES_NEEDED.get(name, ()):
        if find_spec(needed) is None:
            raise ModuleNotFoundError(f"{name} needs {needed}: pip install 'flyteapps[contract]'", name=needed)
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(f"{__name__}.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
