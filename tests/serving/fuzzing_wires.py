"""Random requests over the sockets of one server, and the judgement of each answer."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import hpack
import httpx
import psutil

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth
from flyteapps_fake.core.errors import Code
from flyteapps_fake.http.endpoints import Endpoint
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import FrontOptions

from .fuzzing import Request, Requests
from .fuzzing_web import WebRequests, odd_http1, odd_http2
from .raw_http2 import PATIENCE, RawHttp2
from .server_process import HTTP, ServerProcess, eventually

CONTROL = "/flyteapps.control.v1.ControlService/"
OF_EVERY_RPC = {"OK", "INVALID_ARGUMENT", "UNIMPLEMENTED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
"""Codes of any RPC: of the message, the protocol, the deadline, the limits."""
CODES = {
    "Create": {"ALREADY_EXISTS", "NOT_FOUND", "FAILED_PRECONDITION"},
    "Get": {"NOT_FOUND"},
    "Update": {"NOT_FOUND", "ABORTED", "FAILED_PRECONDITION"},
    "UpdateStatus": {"NOT_FOUND", "ABORTED", "FAILED_PRECONDITION"},
    "Delete": {"NOT_FOUND", "FAILED_PRECONDITION"},
    "List": set[str](),
    "Watch": {"NOT_FOUND"},
    "Lease": {"NOT_FOUND"},
    "TailLogs": {"NOT_FOUND"},
    "ServerReflectionInfo": set[str](),
    "AdvanceClock": {"FAILED_PRECONDITION", "OUT_OF_RANGE"},
}
"""Further codes of an RPC."""
OF_OTHER_RPCS = {"NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"}
OF_CREDENTIALS = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
NUMBERS = {"0": "OK", **{str(int(code)): code.name for code in Code}}
STATUSES = {*range(200, 500), 501, 503, 504, 505}
"""501 and 503 are those of apps' pages, 504 that of a deadline, 505 that of gRPC over HTTP/1.1."""
NOT_OVER_HTTP2 = {"connection", "upgrade", "te", "host", "content-type"}
A_CONNECTION = 50
"""Requests over one HTTP/2 connection."""
DRIVEN = 5
"""Of so many connections one drives the plane by the control API, and resets it."""
SLACK = {"threads": 8, "files": 8, "tasks": 4, "streams": 0}
"""By so much each may grow: pools of threads, connections that are kept."""
FINAL_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")
GRPC_STATUS = re.compile(rb"grpc-status: ?(\d+)\r\n")


def endpoints(auth: Auth | None) -> tuple[dict[str, Endpoint], dict[str, Endpoint]]:
    """Return the endpoints of a server beside the control API, and those of the control API."""
    with FakeControlPlane(auth=auth) as plane:
        found = Front(plane, FrontOptions(server="pyvoy")).endpoints
    control = {path: each for path, each in found.items() if path.startswith(CONTROL)}
    return {path: each for path, each in found.items() if path not in control}, control


def code_of(status: int, headers: Mapping[str, str], trailers: Mapping[str, str], body: bytes) -> str:
    """Return the code of an answered RPC, or `HTTP_` and the status of an answer without one."""
    kind = headers.get("content-type", "").lower()
    if kind.startswith("application/grpc"):
        found = trailers.get("grpc-status") or headers.get("grpc-status")
        ends = GRPC_STATUS.findall(body)
        return NUMBERS[found or ends[-1].decode()]
    if kind.startswith("application/connect"):
        while body and not body[0] & 2:
            body = body[5 + int.from_bytes(body[1:5], "big") :]
        end = json.loads(body[5:])
        return end["error"]["code"].upper() if "error" in end else "OK"
    if status != 200 and kind.startswith("application/json"):
        return json.loads(body).get("code", f"HTTP_{status}").upper()
    return "OK" if status == 200 else f"HTTP_{status}"


class Wires:
    """Sends random requests to a server, in turns over HTTP/1.1 and HTTP/2, and judges the answers."""

    def __init__(
        self, server: ServerProcess, rng: random.Random, auth: Auth | None = None, client: tuple[str, str] = ("", "")
    ) -> None:
        """Prepare. `client`: id and secret of an admin's client, for the control API of a server with `auth`."""
        self._server = server
        self._rng = rng
        self._auth = auth
        self._client = client
        plane, control = endpoints(auth)
        self._rpcs = Requests(plane, rng)
        self._driving = Requests(control, rng, filled=0.4, limited=True)
        self._driven = Requests(plane, rng, limited=True)
        self._web = WebRequests(rng, authorization=auth is not None)
        self._http1 = httpx.Client(trust_env=False, timeout=PATIENCE)
        self._token = ""
        encoder = hpack.Encoder()
        paths = ("/", "/flyteidl2.app.AppService/Watch", "/flyteidl2.app.AppService/Get", "*")
        self._blocks = [
            encoder.encode(
                [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path), *more]
            )
            for path in paths
            for more in (
                [],
                [("content-type", "application/grpc")],
                [("X", "y")],
                [("connection", "x"), (":path", "/")],
            )
        ]
        self.codes: Counter[str] = Counter()

    def close(self) -> None:
        """Close the connection that is kept."""
        self._http1.close()

    def run(self, count: int) -> None:
        """Send so many requests; fail for the first that isn't answered as it should be."""
        for number in range(0, count, A_CONNECTION):
            many = min(A_CONNECTION, count - number)
            self._renew()
            if number // A_CONNECTION % DRIVEN == DRIVEN - 1:
                self._drive(many)
            else:
                self._ask(many)

    def _renew(self) -> None:
        """Get a token, since the clock may have passed the last one's end, or its key may be gone."""
        if self._auth is not None:
            name, secret = self._client
            form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
            answer = self._http1.post(f"{self._server.url}/oauth2/token", data=form)
            self._token = answer.raise_for_status().json()["access_token"]

    def _ask(self, many: int) -> None:
        rng = self._rng
        with RawHttp2(self._server.port) as raw:
            for _ in range(many):
                match rng.randrange(10):
                    case 0:
                        self._odd()
                    case 1 | 2 | 3:
                        request = self._web.draw()
                        if rng.random() < 0.5:
                            self._check_page(self._over_http1(request), request)
                        else:
                            raw = self._page_over_http2(raw, request)
                    case _:
                        raw = self._rpc(raw, self._rpcs.draw(), self._check)

    def _drive(self, many: int) -> None:
        """Make calls while rules, clocks and keys change; each is answered or cut. Reset the plane afterwards."""
        with RawHttp2(self._server.port) as raw:
            for _ in range(many):
                if self._rng.random() < 0.6:
                    raw = self._rpc(raw, self._driving.draw(), self._check_driven)
                else:
                    raw = self._rpc(raw, self._driven.draw(), self._check_driven)
        self._renew()
        headers = self._credentials(always=True)
        answer = self._http1.post(f"{self._server.url}{CONTROL}Reset", json={}, headers=headers)
        assert answer.status_code == 200, answer.text

    def _credentials(self, *, always: bool = False) -> dict[str, str]:
        if not self._token or not (always or self._rng.random() < 0.9):
            return {}
        other = None if always else self._web.known("access_token")
        return {"authorization": f"Bearer {other or self._token}"}

    # ---- sending

    def _rpc(self, raw: RawHttp2, request: Request, check: Any) -> RawHttp2:
        """Send an RPC; return the connection, a new one where the server has closed it."""
        credentials = self._credentials()
        if not request.content_type.lower().startswith("application/grpc") and self._rng.random() < 0.5:
            url = f"{self._server.url}{request.path}{'?' + request.query if request.query else ''}"
            headers = [*request.headers, *credentials.items()]
            got = self._over_http1_kept(request.method, url, headers, request.body)
            if got is None:
                assert check == self._check_driven, request  # a fault's reset
                return raw
            self._web.learn(got.content)
            check(request, got.status_code, got.headers, {}, got.content)
            return raw
        path = request.path + (f"?{quote(request.query, safe='&=%-_.~')}" if request.query else "")
        headers = {name: value for name, value in request.headers if name != "content-type"} | credentials
        answer = raw.answer(raw.asked(path, request.content_type, request.body, headers, method=request.method))
        if answer.headers and answer.ended:
            self._web.learn(bytes(answer.body))
            check(request, int(answer.headers[":status"]), answer.headers, answer.trailers, bytes(answer.body))
        else:
            assert check == self._check_driven or answer.reset is not None, (request, answer)
        return self._standing(raw)

    def _over_http1_kept(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes
    ) -> httpx.Response | None:
        """Return the answer on a connection that is kept; None where it is closed twice, since once may be its time."""
        for _ in range(2):
            with contextlib.suppress(httpx.RemoteProtocolError):
                return self._http1.request(method, url, headers=headers, content=body)
        return None

    def _page_over_http2(self, raw: RawHttp2, request: Request) -> RawHttp2:
        path = request.path + (f"?{request.query}" if request.query else "")
        headers = {name: value for name, value in request.headers if name not in NOT_OVER_HTTP2}
        headers = {name: value for name, value in headers.items() if value == value.strip()}
        kind = request.content_type or "text/plain"
        answer = raw.answer(
            raw.asked(quote(path, safe="/%?&=;:@+$,!*'()~"), kind, request.body, headers, request.method)
        )
        if answer.headers:
            data = f"HTTP/1.1 {answer.headers[':status']} \r\n\r\n".encode() + bytes(answer.body)
            self._check_page(data + answer.headers.get("location", "").encode(), request)
        else:
            assert answer.reset is not None or raw.closed, request
        return self._standing(raw)

    def _standing(self, raw: RawHttp2) -> RawHttp2:
        if not raw.closed:
            return raw
        raw.close()
        return RawHttp2(self._server.port)

    def _over_http1(self, request: Request) -> bytes:
        port = self._server.console_port if self._rng.random() < 0.3 else self._server.port
        lines = [f"{request.method} {request.path}{'?' + request.query if request.query else ''} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers if name != "connection"]
        lines += [f"content-length: {len(request.body)}", "connection: close", "", ""]
        return exchanged(port, "\r\n".join(lines).encode("latin-1", "replace") + request.body)

    def _odd(self) -> None:
        """Send bytes that are hardly HTTP: whatever they are, the connection comes to an end."""
        rng = self._rng
        port = self._server.console_port if rng.random() < 0.2 else self._server.port
        if rng.random() < 0.5:
            data = odd_http2(rng, self._blocks)
            exchanged(port, data, ends=True)
            return
        request = rng.choice((self._web, self._rpcs, self._driven)).draw()
        data = odd_http1(request, rng)
        received = exchanged(port, data, ends=True)
        for status in FINAL_STATUS.findall(received):
            assert int(status) in STATUSES, (data, received)

    # ---- judging

    def _check(
        self, request: Request, status: int, headers: Mapping[str, str], trailers: Mapping[str, str], body: bytes
    ) -> None:
        assert status in STATUSES, (status, body[-2_000:], request)
        if request.method == "HEAD":
            return
        code = code_of(status, headers, trailers, body)
        self.codes[code] += 1
        method = request.path.rpartition("/")[2]
        fitting = OF_EVERY_RPC | CODES.get(method, OF_OTHER_RPCS) | (OF_CREDENTIALS if self._auth else set())
        assert code in fitting or (code.startswith("HTTP_") and code != "HTTP_500"), (code, body[-2_000:], request)

    def _check_driven(
        self, request: Request, status: int, headers: Mapping[str, str], trailers: Mapping[str, str], body: bytes
    ) -> None:
        if request.path.startswith(CONTROL):  # no fault concerns it
            self._check(request, status, headers, trailers, body)

    def _check_page(self, received: bytes, request: Request) -> None:
        self._web.learn(received)
        found = FINAL_STATUS.search(received)
        assert found is not None and int(found[1]) in STATUSES, (received[-2_000:], request)
        self.codes[f"page {found[1].decode()}"] += 1


def exchanged(port: int, data: bytes, *, ends: bool = False) -> bytes:
    """Return all that the server answers until it closes the connection. `ends`: close this side after `data`."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as raw:
        try:
            raw.sendall(data)
            if ends:
                raw.shutdown(socket.SHUT_WR)
            while chunk := raw.recv(65_536):
                received += chunk
        except ConnectionError:
            pass
        except TimeoutError:
            raise AssertionError(f"the connection stays open: {data!r}, {received!r}") from None
    return received


class Sizes:
    """The memory, threads, files, tasks and streams of a server; `grown` names those that became more."""

    def __init__(self, server: ServerProcess) -> None:
        root = psutil.Process(server.process.pid)
        self._server = server
        self._processes = [root, *root.children(recursive=True)]
        self._before = self._now()

    def _now(self) -> dict[str, int]:
        health: Any = HTTP.get(f"{self._server.url}/healthz").json()
        return {
            "bytes": sum(each.memory_info().rss for each in self._processes),
            "threads": sum(each.num_threads() for each in self._processes),
            "files": sum(each.num_fds() for each in self._processes),
            "tasks": health["tasks"],
            "streams": health["streams"]["open"],
        }

    def check(self, max_bytes: int) -> None:
        """Wait until no more is held than before: fail where something stays."""
        most = {name: size + {"bytes": max_bytes, **SLACK}[name] for name, size in self._before.items()}

        def grown() -> dict[str, tuple[int, int]]:
            return {name: (most[name], size) for name, size in self._now().items() if size > most[name]}

        eventually(lambda: not grown(), f"more than at most: {grown()}")
