"""A typed client for Flyte's AppService: create, list, watch and control apps on a Flyte control plane.

Rules of this package: production code only; it never imports `flyteapps_fake` or `flyteapps_contract`, and importing
it loads nothing heavy: each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from flyteapps.support.version import __version__

if TYPE_CHECKING:
    from flyteapps.apps.builder import new_app as new_app
    from flyteapps.apps.states import DeploymentStatus as DeploymentStatus
    from flyteapps.apps.states import DesiredState as DesiredState
    from flyteapps.apps.states import Substate as Substate
    from flyteapps.client import App as App
    from flyteapps.client import Change as Change
    from flyteapps.client import Client as Client
    from flyteapps.config import Config as Config
    from flyteapps.console import Console as Console
    from flyteapps.drivers.observing import Attempt as Attempt
    from flyteapps.errors import AppDeleted as AppDeleted
    from flyteapps.errors import AppExists as AppExists
    from flyteapps.errors import AppNotFound as AppNotFound
    from flyteapps.errors import CallerError as CallerError
    from flyteapps.errors import Code as Code
    from flyteapps.errors import ConfigError as ConfigError
    from flyteapps.errors import Conflict as Conflict
    from flyteapps.errors import DeadlineExceeded as DeadlineExceeded
    from flyteapps.errors import DeploymentFailed as DeploymentFailed
    from flyteapps.errors import Error as Error
    from flyteapps.errors import FailedPrecondition as FailedPrecondition
    from flyteapps.errors import InvalidArgument as InvalidArgument
    from flyteapps.errors import NetworkError as NetworkError
    from flyteapps.errors import Overloaded as Overloaded
    from flyteapps.errors import PermissionDenied as PermissionDenied
    from flyteapps.errors import PlaneError as PlaneError
    from flyteapps.errors import ProtocolError as ProtocolError
    from flyteapps.errors import Unauthenticated as Unauthenticated
    from flyteapps.errors import Unavailable as Unavailable
    from flyteapps.errors import Unimplemented as Unimplemented
    from flyteapps.errors import Violation as Violation
    from flyteapps.errors import WaitError as WaitError
    from flyteapps.errors import WaitTimeout as WaitTimeout
    from flyteapps.errors import WatchStalled as WatchStalled
    from flyteapps.flows.changes import ChangeKind as ChangeKind
    from flyteapps.flows.logs import LogLine as LogLine
    from flyteapps.flows.waiting import Waited as Waited
    from flyteapps.initialization import init as init
    from flyteapps.initialization import init_from_config as init_from_config
    from flyteapps.retries import Retries as Retries
    from flyteapps.retries import Waits as Waits
    from flyteapps.transports.transport import AsyncStream as AsyncStream
    from flyteapps.transports.transport import Stream as Stream
    from flyteapps.transports.transport import Transport as Transport


_HOME = {
    "apps.builder": ("new_app",),
    "apps.states": ("DeploymentStatus", "DesiredState", "Substate"),
    "client": ("App", "Change", "Client"),
    "config": ("Config",),
    "console": ("Console",),
    "drivers.observing": ("Attempt",),
    "errors": (
        "AppDeleted", "AppExists", "AppNotFound", "CallerError", "Code", "ConfigError", "Conflict", "DeadlineExceeded",
        "DeploymentFailed", "Error", "FailedPrecondition", "InvalidArgument", "NetworkError", "Overloaded",
        "PermissionDenied", "PlaneError", "ProtocolError", "Unauthenticated", "Unavailable", "Unimplemented",
        "Violation", "WaitError", "WaitTimeout", "WatchStalled",
    ),
    "flows.changes": ("ChangeKind",),
    "flows.logs": ("LogLine",),
    "flows.waiting": ("Waited",),
    "initialization": ("init", "init_from_config"),
    "retries": ("Retries", "Waits"),
    "transports.transport": ("AsyncStream", "Stream", "Transport"),
}  # fmt: skip

_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
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


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
