"""The headers of an HTTP request as the metadata of a call, and the protocol that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flyteapps_fake.core.call import Protocol
from flyteapps_fake.http.protocol.wire import HeaderList, Scope


class HttpMetadata(Mapping[str, str]):
    """The headers of an ASGI scope as a call's metadata; they are decoded when one is read."""

    __slots__ = ("_headers", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._headers: dict[str, str] | None = None

    @property
    def origin(self) -> str:
        """The http(s)://host:port that the client sent its request to."""
        return f"{self._scope.get('scheme', 'http')}://{self.get('host', 'localhost')}"

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, str]:
        if self._headers is None:
            pairs: HeaderList = self._scope["headers"]
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        return self._headers


def protocol_of(content_type: bytes) -> Protocol:
    """Return the protocol of a request with that content type."""
    if content_type.startswith(b"application/grpc"):
        return "grpc-web" if content_type.startswith(b"application/grpc-web") else "grpc"
    return "connect"
