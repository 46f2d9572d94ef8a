"""A request as the ingress reads it: its target, its host and its headers. Refuses those that no app should get."""

from __future__ import annotations

from aiohttp import web

from flyteapps_fake.processes.ingress.answers import Answer, Refused
from flyteapps_fake.processes.ingress.destinations import Host, read_host
from flyteapps_fake.processes.ingress.heads import Client, Fields

_SCHEMES = (b"http://", b"https://")


class Incoming:
    """A request. `target`: path and query as sent; `authority`: the host and port that it is for, b"" for none."""

    __slots__ = ("authority", "fields", "host", "request", "target")

    def __init__(self, request: web.BaseRequest) -> None:
        if request.method == "CONNECT":
            raise Refused(Answer(405, "CONNECT is not passed: send the request to the app's URL itself"))
        self.request = request
        self.fields = fields = Fields(request.raw_headers)
        self.target = request.raw_path.encode("utf-8", "surrogateescape")
        hosts = fields.values(b"host")
        if len(hosts) > 1:
            raise Refused(Answer(400, "the request has several Host headers: send one"))
        self.authority = hosts[0] if hosts else b""
        if not self.target.startswith((b"/", b"*")):
            self._read_absolute()
        self.host: Host = read_host(self.authority)

    @property
    def accept(self) -> str:
        """Return the types that the client accepts."""
        return self.fields.value(b"accept").decode("latin-1")

    def client(self) -> Client:
        """Return the client, as the app is to know it."""
        protocol = self.request.protocol
        peer, own = protocol.peername, protocol.sockname
        address = str(peer[0]) if isinstance(peer, tuple) else "unknown"
        port = int(own[1]) if isinstance(own, tuple) else 0
        return Client(address, port, "https" if protocol.ssl_context is not None else "http")

    def _read_absolute(self) -> None:
        """Read a whole URL as target, whose host counts (RFC 9112, 3.2.2)."""
        for scheme in _SCHEMES:
            if self.target.lower().startswith(scheme):
                authority, slash, rest = self.target[len(scheme) :].partition(b"/")
                authority, question, query = authority.partition(b"?")
                self.authority = authority
                self.target = b"/" + (rest if slash else question + query)
                if slash and question:
                    break  # a query before the first slash: no host that is one
                lines = self.fields.lines
                lines[:] = [line for line in lines if not line.lower().startswith(b"host:")]
                lines.append(b"Host: " + authority)
                return
        raise Refused(Answer(400, "the request's target is neither a path nor a URL of http"))
