"""A service as the backend sends it to the cluster."""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App


class Written(NamedTuple):
    """The service of an app that is about to be created or updated; `spec`: the encoded spec of the app."""

    resource: str
    app: App
    spec: bytes
    new: bool = True
