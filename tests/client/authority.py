"""A scripted authority: a token endpoint on the loopback, and a transport whose plane knows its tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.auth import auth_service_pb2 as auth

from flyteapps.testing import SILENCE, Call, MockTransport

CLIENT_ID, SECRET = "robot", "s3cret+/ value-0123456789"
SCOPE: dict[str, Any] = {"project": "demo", "domain": "development"}


class Answer:
    """An HTTP response of the authority."""

    def __init__(
        self, status: int = 200, body: Any = None, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {"content-type": kind, "content-length": str(len(self.body)), **(headers or {})}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore it: a client that was interrupted closes its connection."""


class Authority:
    """A token endpoint that issues `token-1`, `token-2`, ... of `lifetime` seconds; `script` answers otherwise.

    `requests` are the forms that it was sent, each with its `authorization`.
    """

    def __init__(self, port: int = 0) -> None:
        self.lifetime: Any = 3600
        self.requests: list[dict[str, str]] = []
        self.script: Callable[[dict[str, str]], Answer | None] = lambda form: None
        self.valid: set[str] = set()
        self.issued = 0
        self._lock = threading.Lock()
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                form["authorization"] = self.headers.get("authorization", "")
                form["path"] = self.path
                answer = authority.answer(form)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *args: Any, **kwargs: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, form: dict[str, str]) -> Answer:
        """Return the response to a form."""
        with self._lock:
            self.requests.append(form)
        scripted = self.script(form)
        return scripted if scripted is not None else self.issue()

    def issue(self, **more: Any) -> Answer:
        """Return the response with the next token; earlier ones stay valid."""
        with self._lock:
            self.issued += 1
            token = f"token-{self.issued}"
            self.valid.add(f"Bearer {token}")
        return Answer(body={"access_token": token, "token_type": "bearer", "expires_in": self.lifetime, **more})

    def revoke(self) -> None:
        """Make the plane refuse all tokens so far."""
        with self._lock:
            self.valid.clear()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plane_of(authority: Authority, header: str = "authorization", **public: Any) -> MockTransport:
    """Return a transport to a plane that answers with the authority's tokens only; it counts its calls."""

    def answer(call: Call) -> Any:
        if call.rpc == "GetOAuth2Metadata":
            return auth.GetOAuth2MetadataResponse(
                issuer=authority.url,
                token_endpoint=f"{authority.url}/oauth2/token",
                authorization_endpoint=f"{authority.url}/oauth2/authorize",
                device_authorization_endpoint=f"{authority.url}/oauth2/device_authorization",
            )
        if call.rpc == "GetPublicClientConfig":
            return auth.GetPublicClientConfigResponse(authorization_metadata_key=header, **public)
        if call.headers.get(header) not in authority.valid:
            refused = ConnectError(Code.UNAUTHENTICATED, "no valid credentials")
            return [refused] if call.streaming else refused
        if call.rpc == "Watch":
            event = payload.WatchResponse()
            event.create_event.app.metadata.id.CopyFrom(call.request.app_id)
            return [event, SILENCE]
        if call.rpc == "TailLogs":
            return []
        response = call.method.output()
        if call.rpc == "Get":
            response.app.metadata.id.CopyFrom(call.request.app_id)
        return response

    return MockTransport(answer)
