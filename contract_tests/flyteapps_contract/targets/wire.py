"""The destination of raw bytes: an address with TLS or without, as the clients of each library take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pyqwest import Client, HTTPTransport, HTTPVersion, SyncClient, SyncHTTPTransport

from flyteapps_contract.outcomes import CannotJudge

if TYPE_CHECKING:
    import grpc

Protocol = Literal["connect", "connect-http2", "grpc", "grpc-web"]
NAMES: dict[Protocol, str] = {
    "connect": "Connect",
    "connect-http2": "Connect on HTTP/2",
    "grpc": "gRPC",
    "grpc-web": "gRPC-Web",
}


@dataclass(frozen=True, slots=True)
class Wire:
    """One endpoint: `authority` is host:port; `roots`: PEM certificates to trust, None for the system's."""

    authority: str
    tls: bool = False
    roots: bytes | None = None
    http2: bool = False

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    def client(self) -> Client:
        """Return an async HTTP client of this version of HTTP and no other."""
        return Client(HTTPTransport(**self._options))

    def sync_client(self, *, decodes: bool = True) -> SyncClient:
        """Return the same, blocking; unless it `decodes`, a gzip answer comes as it was sent, with its header."""
        return SyncClient(SyncHTTPTransport(**self._options, enable_gzip=decodes))

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "http_version": HTTPVersion.HTTP2 if self.http2 else HTTPVersion.HTTP1,
            "tls_ca_cert": self.roots,
            "tls_include_system_certs": self.tls and self.roots is None,
            "use_system_dns": True,  # so that a name means what it means to other programs of this machine
        }

    def channel(self) -> grpc.Channel:
        """Return a new gRPC channel; the caller closes it. CannotJudge where grpcio isn't there."""
        try:
            import grpc
        except ModuleNotFoundError:
            raise CannotJudge("--protocol grpc needs grpcio: pip install 'flyteapps[grpc]'") from None
        if self.tls:
            return grpc.secure_channel(self.authority, grpc.ssl_channel_credentials(self.roots))
        return grpc.insecure_channel(self.authority)
