"""An app with a WebSocket and a stream of events."""
# pyright: basic

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from flyte.app.extras import FastAPIAppEnvironment

app = FastAPI()
env = FastAPIAppEnvironment(name="streams", app=app, image="none", requires_auth=False)
steps: asyncio.Queue[str] = asyncio.Queue()


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Send each message back, in upper case."""
    await socket.accept()
    try:
        while True:
            await socket.send_text((await socket.receive_text()).upper())
    except WebSocketDisconnect:
        print("the socket is closed", flush=True)


@app.post("/step/{text}")
async def step(text: str) -> None:
    """Add an event."""
    await steps.put(text)


@app.get("/events")
async def events() -> StreamingResponse:
    """Send the events, as they come, until one is called end."""

    async def stream() -> AsyncIterator[str]:
        while (text := await steps.get()) != "end":
            yield f"data: {text}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")
