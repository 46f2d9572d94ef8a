"""Viewer: one open Watch, with the events that it has not sent yet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from flyteidl2.app import app_payload_pb2 as rpc


@dataclass(slots=True, eq=False)
class Viewer:
    """An open stream: `app` is "" for all of them; `ready` once its snapshot has left."""

    app: str
    events: asyncio.Queue[rpc.WatchResponse] = field(default_factory=asyncio.Queue[rpc.WatchResponse])
    ready: bool = False

    def sees(self, name: str) -> bool:
        """Return whether it shows the app."""
        return self.app in ("", name)
