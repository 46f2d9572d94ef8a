"""Settings: what flows need of their client: defaults of requests, limits, and the endpoint for error messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.errors import ConfigError, InvalidArgument, Violation
from flyteapps.retries import Retries, Waits
from flyteapps.support.arguments import text
from flyteapps.support.request_ids import REQUEST_ID as REQUEST_ID
from flyteapps.support.request_ids import request_id

if TYPE_CHECKING:
    from flyteapps.auth.session import Session

IN_PROCESS = "in process"
"""The endpoint, for messages, of a plane that is reached by a transport."""


_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,28}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one client; `timeout` in seconds for a whole call, its retries included, None for no limit.

    `auth`: the credentials of its calls, None for none.
    """

    endpoint: str = ""
    org: str = ""
    project: str = ""
    domain: str = ""
    timeout: float | None = 30.0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    retries: Retries = field(default_factory=Retries)
    waits: Waits = field(default_factory=Waits)
    auth: Session | None = None

    def call_headers(self) -> dict[str, str]:
        """Return the headers of one call: the client's own, and a request id unless they hold one."""
        return {REQUEST_ID: request_id(), **self.headers}

    def identifier(self, name: str, project: str | None, domain: str | None) -> definition.Identifier:
        """Return the id of an app, with defaults for missing parts. Raises InvalidArgument and ConfigError."""
        try:
            if not _is_valid(name):
                raise bad_name(name)
            return definition.Identifier(
                org=self.org,
                project=project or self.project or self._missing("project"),
                domain=domain or self.domain or self._missing("domain"),
                name=name,
            )
        except TypeError:
            if not is_name(name):
                raise bad_name(name) from None
            text(project, "project")
            text(domain, "domain")
            raise

    def completed(self, identifier: definition.Identifier) -> definition.Identifier:
        """Return an id with its empty parts filled in. Raises as `identifier`."""
        filled = self.identifier(identifier.name, identifier.project, identifier.domain)
        filled.org = identifier.org or self.org
        return filled

    def _missing(self, what: str) -> str:
        raise ConfigError(
            f"no {what}: pass {what}=... to the call or to the client, or set task.{what} in the configuration file "
            f"(variable FLYTE_TASK_{what.upper()})"
        )


@lru_cache(maxsize=1024)  # clients ask for few names, and the pattern takes longer than the look-up
def _is_valid(name: str) -> bool:
    """Return whether it can be the name of an app. Raises TypeError for no text."""
    return _NAME.fullmatch(name) is not None


def is_name(name: object) -> bool:
    """Return whether it can be the name of an app."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def bad_name(name: object) -> InvalidArgument:
    """Return the error for an invalid name."""
    if not isinstance(name, str):
        reason = f"has to be a string, not {type(name).__name__}"
    elif not name:
        reason = "is empty"
    elif len(name) > 30:
        reason = f"has {len(name)} characters, at most 30 are allowed"
    else:
        reason = "may hold letters, digits and hyphens only (ASCII), and no hyphen at either end"
    return InvalidArgument(f"app name {name!r} {reason}", violations=[Violation("name", reason)])


def label(identifier: definition.Identifier) -> str:
    """Return an app's id for error messages: PROJECT/DOMAIN/NAME."""
    return f"{identifier.project}/{identifier.domain}/{identifier.name}"
