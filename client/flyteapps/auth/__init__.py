"""Ways to log in to a plane: `Client(auth=...)`; `import flyteapps` loads none of them.

A token or a function that returns one can be passed as it is. The names are those of the Flyte SDK's `admin.authType`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyteapps.auth.base import Auth as Auth
    from flyteapps.auth.sources.client_secret import ApiKey as ApiKey
    from flyteapps.auth.sources.client_secret import ClientSecret as ClientSecret
    from flyteapps.auth.sources.device_flow import DeviceFlow as DeviceFlow
    from flyteapps.auth.sources.external_command import ExternalCommand as ExternalCommand
    from flyteapps.auth.sources.given import Passthrough as Passthrough
    from flyteapps.auth.sources.given import StaticToken as StaticToken
    from flyteapps.auth.sources.given import TokenFunction as TokenFunction
    from flyteapps.auth.sources.given import auth_metadata as auth_metadata
    from flyteapps.auth.sources.pkce import Pkce as Pkce

_HOME = {
    "base": ("Auth",),
    "sources.client_secret": ("ApiKey", "ClientSecret"),
    "sources.device_flow": ("DeviceFlow",),
    "sources.external_command": ("ExternalCommand",),
    "sources.given": ("Passthrough", "StaticToken", "TokenFunction", "auth_metadata"),
    "sources.pkce": ("Pkce",),
}

_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "ApiKey",
    "Auth",
    "ClientSecret",
    "DeviceFlow",
    "ExternalCommand",
    "Passthrough",
    "Pkce",
    "StaticToken",
    "TokenFunction",
    "auth_metadata",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
