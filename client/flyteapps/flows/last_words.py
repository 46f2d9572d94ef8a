"""The last lines of an app that failed, for the error that tells of it."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.errors import Error
from flyteapps.flows.logs import read_backlog
from flyteapps.flows.operations import Flow
from flyteapps.settings import Settings

SECONDS = 1.0
"""What an error may cost: it is late already."""

LINES = 20


def last_words(settings: Settings, identifier: definition.Identifier) -> Flow[tuple[str, ...]]:
    """The last lines, none where the plane gives no logs or not in time."""
    try:
        return tuple(str(line) for line in (yield from read_backlog(settings, identifier, SECONDS, LINES)))
    except Error:
        return ()  # the deployment failed: that is the news, not that there is no log
