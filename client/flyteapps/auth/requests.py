"""OneRequest: HTTP requests to other servers than the plane, such as token endpoints, each over its own connection.

Rules of this file: no redirect is followed, no body is larger than MAX_BODY_BYTES, and nothing of a request or of a
response gets into an error: both hold secrets.
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError, DeadlineExceeded, Error, ProtocolError, Unavailable
from flyteapps.flows.operations import Perform
from flyteapps.support.secret import Secret

if TYPE_CHECKING:
    from flyteapps.transports.certificates import ClientCertificate

MAX_BODY_BYTES = 1_048_576


class HttpResponse:
    """A response. `headers`: by name in lower case."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content


class OneRequest:
    """The settings of such requests, which are those of the client: certificates to trust, and proxies.

    `certificates`: trusted for the plane's own host instead of the system's, for other hosts besides them.
    """

    def __init__(
        self,
        plane: Endpoint | None = None,
        certificates: bytes | None = None,
        skip_verify: bool = False,
        client_cert: ClientCertificate | None = None,
        http_proxy: str | None = None,
    ) -> None:
        self.plane = plane
        self._certificates = certificates
        self._skip_verify = skip_verify
        self._client_cert = client_cert
        self._http_proxy = http_proxy

    def through(self, http_proxy: str | None) -> OneRequest:
        """Return the same through another proxy than the environment's, itself for None."""
        if http_proxy is None:
            return self
        return OneRequest(self.plane, self._certificates, self._skip_verify, self._client_cert, Secret(http_proxy))

    def post(self, url: str, headers: Mapping[str, str], content: bytes, timeout: float) -> Perform:
        """Return the request as an operation, which results in an HttpResponse. It raises Error."""
        return Perform(
            lambda: self._blocking("POST", url, headers, content, timeout),
            lambda: self._awaiting("POST", url, headers, content, timeout),
        )

    def get(self, url: str, headers: Mapping[str, str], timeout: float) -> Perform:
        """Return a GET as an operation, as `post`."""
        return Perform(
            lambda: self._blocking("GET", url, headers, b"", timeout),
            lambda: self._awaiting("GET", url, headers, b"", timeout),
        )

    def _blocking(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, timeout: float
    ) -> HttpResponse:
        endpoint = endpoint_of(url)
        try:
            if self._proxy(endpoint) is not None:
                return self._by_pyqwest(endpoint, method, url, headers, content, timeout)
            return self._by_sockets(endpoint, method, url, headers, content, timeout)
        except Exception as error:
            raise _unanswered(url, error, timeout) from None

    def _by_sockets(
        self, endpoint: Endpoint, method: str, url: str, headers: Mapping[str, str], content: bytes, timeout: float
    ) -> HttpResponse:
        from flyteapps.transports.http1 import Exchange, Http1Client

        client = Http1Client(endpoint, self._context(endpoint) if endpoint.secure else None)
        try:
            with Exchange(client, timeout) as exchange:
                exchange.begin(method, url, headers.items(), content)
                body = bytearray()
                for chunk in exchange.content:
                    _extend(body, chunk)
                return HttpResponse(exchange.status, _plain(exchange.headers), bytes(body))
        finally:
            client.close()

    def _by_pyqwest(
        self, endpoint: Endpoint, method: str, url: str, headers: Mapping[str, str], content: bytes, timeout: float
    ) -> HttpResponse:
        import pyqwest

        from flyteapps.transports.connect import PYQWEST
        from flyteapps.transports.worker_thread import WorkerThread

        PYQWEST.use()
        options = self._options(endpoint)

        def request() -> HttpResponse:
            with pyqwest.SyncHTTPTransport(**options) as transport:
                found = pyqwest.SyncClient(transport).execute(
                    method, url, headers=dict(headers), content=content, timeout=timeout
                )
                return HttpResponse(found.status, _plain(found.headers), _limited(found.content))

        thread = WorkerThread()
        try:
            return thread.run(request, timeout)
        finally:
            thread.close()

    async def _awaiting(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, timeout: float
    ) -> HttpResponse:
        import asyncio

        import pyqwest

        from flyteapps.transports.connect import PYQWEST, wait_at_exit

        endpoint = endpoint_of(url)
        PYQWEST.use()
        wait_at_exit()
        try:
            async with asyncio.timeout(timeout), pyqwest.HTTPTransport(**self._options(endpoint)) as transport:
                client = pyqwest.Client(transport)
                async with client.stream(method, url, headers=dict(headers), content=content) as found:
                    body = bytearray()
                    async for chunk in found.content:
                        _extend(body, bytes(chunk))
                    return HttpResponse(found.status, _plain(found.headers), bytes(body))
        except Exception as error:
            raise _unanswered(url, error, timeout) from None

    def _proxy(self, endpoint: Endpoint) -> str | None:
        from flyteapps.transports.proxies import proxy_of

        if endpoint.is_loopback:
            return None
        if self._http_proxy is not None:
            return self._http_proxy
        found = proxy_of(endpoint, os.environ)
        return found.url if found is not None else None

    def _options(self, endpoint: Endpoint) -> dict[str, Any]:
        import pyqwest

        proxy = self._proxy(endpoint)
        nowhere = pyqwest.Proxy("http://127.0.0.1:9", scheme="http" if endpoint.secure else "https")
        options: dict[str, Any] = {
            "http_version": None if endpoint.secure else pyqwest.HTTPVersion.HTTP1,
            "enable_otel": False,
            "follow_redirects": False,
            "use_system_dns": True,
            "proxy": pyqwest.Proxy(proxy) if proxy is not None else nowhere,
        }
        if endpoint.secure:
            from flyteapps.transports.certificates import shown_by

            trusted = shown_by(endpoint) if self._skip_verify else self._certificates
            system = trusted is None or not (self._skip_verify or self._is_plane(endpoint))
            options |= {"tls_ca_cert": trusted, "tls_include_system_certs": system}
            if self._client_cert is not None:
                options |= {"tls_cert": self._client_cert.cert, "tls_key": self._client_cert.key}
        return options

    def _context(self, endpoint: Endpoint) -> ssl.SSLContext:
        from flyteapps.transports.certificates import client_context

        only = self._certificates if self._is_plane(endpoint) else None
        context = client_context(only, self._skip_verify, self._client_cert)
        if self._certificates is not None and only is None:
            context.load_verify_locations(cadata=self._certificates.decode("latin-1"))
        return context

    def _is_plane(self, endpoint: Endpoint) -> bool:
        return self.plane is not None and self.plane.host == endpoint.host


def endpoint_of(url: str) -> Endpoint:
    """Return the address of a URL. Raises ConfigError for anything that is no URL by HTTP."""
    try:
        parts = urlsplit(url)
        return Endpoint.parse(f"{parts.scheme}://{parts.netloc}", what="the address")
    except (ValueError, ConfigError):
        raise ConfigError(f"{shown(url)!r} is no URL with http:// or https://, a host, and no user") from None


def shown(url: str) -> str:
    """Return a URL for messages: without what may be secret in it."""
    return str(url).partition("?")[0].partition("#")[0].rpartition("@")[2][:200]


def _unanswered(url: str, error: Exception, timeout: float) -> Error:
    """Return the error for a request without a response."""
    import traceback

    traceback.clear_frames(error.__traceback__)
    where = shown(url)
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, Error):
        return error
    if isinstance(error, TimeoutError) or "timed out" in text:
        return DeadlineExceeded(f"{where} gave no answer within {timeout:.3g} s")
    if "certificate" in text.lower():
        return ConfigError(f"{where} has a certificate that is not trusted: give the authority's by ca_cert")
    malformed = isinstance(error, http.client.HTTPException | _TooLargeError) and not isinstance(error, OSError)
    if malformed or "invalid HTTP version" in text:
        return ProtocolError(f"{where} gave no HTTP response that can be read ({type(error).__name__})")
    why = error.strerror if isinstance(error, OSError) and error.strerror else "no connection, or a broken one"
    return Unavailable(f"{where} can't be reached: {why}")


class _TooLargeError(Exception):
    pass


def _extend(body: bytearray, chunk: bytes) -> None:
    body += chunk
    _limited(body)


def _limited(body: Any) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise _TooLargeError
    return bytes(body)


def _plain(headers: Any) -> dict[str, str]:
    return {name: headers[name] for name in ("content-type", "location", "retry-after") if name in headers}
