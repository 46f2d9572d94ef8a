"""The flow of Get, the most frequent one, in a file of its own so that it can be loaded alone."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps.flows.calls import call
from flyteapps.flows.methods import GET
from flyteapps.flows.operations import Flow
from flyteapps.settings import Settings
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests


def get(settings: Settings, identifier: definition.Identifier) -> Flow[definition.App]:
    """Return the app. Raises AppNotFound, and ProtocolError if the response holds another app."""
    response = yield from call(settings, GET, payload.GetRequest(app_id=identifier), identifier)
    return response.app
