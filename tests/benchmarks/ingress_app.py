"""The app of the ingress' benchmark: FastAPI on uvicorn, on the port of PORT. Run as a process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

PART = bytes(1 << 18)
app = FastAPI()


@app.get("/")
async def hello() -> dict[str, str]:
    """Answer a small request."""
    return {"hello": "world"}


@app.post("/up")
async def up(request: Request) -> int:
    """Return the size of a body."""
    size = 0
    async for part in request.stream():
        size += len(part)
    return size


@app.get("/down/{size}")
async def down(size: int) -> StreamingResponse:
    """Return a body of that size."""

    async def parts() -> AsyncIterator[bytes]:
        left = size
        while left:
            part = PART[: min(left, len(PART))]
            left -= len(part)
            yield part

    return StreamingResponse(parts(), headers={"content-length": str(size)})


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Answer each message by itself."""
    await socket.accept()
    try:
        while True:
            await socket.send_bytes(await socket.receive_bytes())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning", access_log=False, ws="wsproto")
