"""Reading one app: the flow that everybody runs, in a file of its own so that it is loaded alone."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps.flows.calls import call
from flyteapps.flows.methods import GET
from flyteapps.flows.operations import Flow
from flyteapps.settings import Settings


def get(settings: Settings, identifier: definition.Identifier) -> Flow[definition.App]:
    """The app. Raises AppNotFound, and ProtocolError where another app is answered."""
    response = yield from call(settings, GET, payload.GetRequest(app_id=identifier), identifier)
    return response.app
