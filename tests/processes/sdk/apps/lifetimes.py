"""Servers as functions, with what runs before and after them, in the asynchronous and in the plain form."""
# pyright: basic

import asyncio
import signal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import flyte.app

env = flyte.app.AppEnvironment(name="lifetimes", image="none", requires_auth=False)
plain = flyte.app.AppEnvironment(
    name="plain", image="none", requires_auth=False, parameters=[flyte.app.Parameter(name="word", value="hi")]
)
FILE = Path("NOTES")
started = []


def note(text: str) -> None:
    """Write a line that outlives the app."""
    print(text)
    with FILE.open("a") as file:
        file.write(text + "\n")


@env.on_startup
async def on_startup() -> None:
    started.append("ready")
    note("on_startup")


@env.server
async def server() -> None:
    """Answer until SIGTERM comes."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = " ".join(started).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", env.get_port().port):
        await stopped.wait()


@env.on_shutdown
async def on_shutdown() -> None:
    note("on_shutdown")


@plain.on_startup
def begin(word: str) -> None:
    started.append(word)


@plain.server
def serve() -> None:
    """Answer until the process ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = " ".join(started).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    HTTPServer(("127.0.0.1", plain.get_port().port), Handler).serve_forever()
