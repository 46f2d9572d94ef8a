"""The handler of uploads to signed URLs."""

from __future__ import annotations

import time

from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.options import AccessLine
from flyteapps_fake.http.protocol.wire import Receive, Whole, discard, respond
from flyteapps_fake.http.request_timeouts import CallAbandoned

UPLOAD = "upload"
"""The method of an upload's access line."""


class UploadHandler:
    """The handler of uploads: each has an access line, but metrics and traces don't count it."""

    def __init__(self, services: Services) -> None:
        self._uploads = services.uploads
        self._timeouts = services.timeouts
        self._log = services.options.access_log

    async def __call__(self, exchange: Exchange) -> None:
        """Receive the file, and answer."""

        async def put(receive: Receive) -> tuple[int, str]:
            whole = Whole(receive)
            answer = await self._uploads.put(exchange.scope, whole)
            if not whole.read:  # it was refused by its head
                await discard(receive)
            return answer

        try:
            status, text = await self._timeouts.read(exchange, put)
        except CallAbandoned:
            return
        exchange.answering = True
        await respond(exchange.send, status, text.encode(), b"text/plain; charset=utf-8")
        if self._log is not None:
            code = "OK" if status == 200 else f"HTTP_{status}"
            self._log(AccessLine(UPLOAD, "", code, (time.perf_counter() - exchange.started) * 1000))
