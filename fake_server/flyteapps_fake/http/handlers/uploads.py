"""The handler of uploads to signed URLs: for the faults and the log of calls an upload is an RPC, http/Upload."""

from __future__ import annotations

from typing import Any

from flyteapps_control.v1.control_pb2 import Upload, UploadAnswer
from flyteapps_fake.control.effects import HttpAnswer, Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.http.builtin.uploads import UPLOAD
from flyteapps_fake.http.delays import outcome
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.metadata import HttpMetadata
from flyteapps_fake.http.protocol.wire import Receive, Whole, discard, respond
from flyteapps_fake.http.request_timeouts import CallAbandoned

TEXT = "text/plain; charset=utf-8"


class UploadHandler:
    """The handler of uploads. A file whose upload a fault ended is read to its end, and dropped."""

    def __init__(self, services: Services) -> None:
        self._plane = services.plane
        self._uploads = services.uploads
        self._timeouts = services.timeouts

    async def __call__(self, exchange: Exchange) -> None:
        """Receive the file, and answer. Raises RpcError."""

        async def put(receive: Receive) -> tuple[int, str, int]:
            whole = Whole(receive)
            status, text = await self._uploads.put(exchange.scope, whole)
            if not whole.read:  # it was refused by its head
                await discard(receive)
            return status, text, whole.size

        try:
            status, text, size = await self._timeouts.read(exchange, put)
        except CallAbandoned:
            return
        exchange.code = "CANCELED"
        stored = False

        def store(_: Call[Any]) -> bytes:
            nonlocal stored
            stored = True
            if status != 200:
                raise HttpAnswer(status, {"content-type": TEXT}, text.encode(), f"HTTP {status}: {text.strip()}")
            return UploadAnswer(status=status).SerializeToString()

        scope = exchange.scope
        request = Upload(method=scope["method"], path=scope["path"], bytes=size)
        try:
            self._plane.intercept(Call(UPLOAD, request, HttpMetadata(scope), protocol="http"), store)
        except Postponed as postponed:
            await outcome(postponed, None)
        finally:
            if status == 200 and not stored:
                self._uploads.drop(scope["path"])
        exchange.answering = True
        await respond(exchange.send, status, b"", TEXT.encode())
        exchange.code = "OK"
