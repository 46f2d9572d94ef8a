"""A service as the backend sends it to the cluster."""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Identifier


class Written(NamedTuple):
    """The service of an app that is about to be created or updated; `now`: the plane's time."""

    resource: str
    app: App
    spec: bytes
    """The encoded spec of the app."""
    now: int
    new: bool = True

    @property
    def id(self) -> Identifier:
        """The id of the app."""
        return self.app.metadata.id
