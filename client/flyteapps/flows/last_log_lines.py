"""The last log lines of a failed app, for its DeploymentFailed."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.errors import Error
from flyteapps.flows.logs import read_backlog
from flyteapps.flows.operations import Flow
from flyteapps.settings import Settings
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

MAX_SECONDS = 1.0
"""Maximum duration of reading them: it delays the error."""

MAX_LINES = 20


def last_log_lines(settings: Settings, identifier: definition.Identifier) -> Flow[tuple[str, ...]]:
    """Return the last lines, none if the plane serves no logs or is late."""
    try:
        return tuple(str(line) for line in (yield from read_backlog(settings, identifier, MAX_SECONDS, MAX_LINES)))
    except Error:
        return ()  # the failed deployment is reported, not the missing log
