"""The control API of a server, over the wire: Connect by plain HTTP/1.1, each request on a connection of its own.

http.client instead of connectrpc's client: it starts in half the time, works in forked processes, and no proxy is ever
used for what drives a test.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote_plus, urlsplit

from google.protobuf.message import DecodeError, Message

from flyteapps_control.api import ControlError
from flyteapps_control.codes import CODES
from flyteapps_control.face import Control
from flyteapps_control.v1 import control_pb2 as pb

M = TypeVar("M", bound=Message)

SERVICE = pb.DESCRIPTOR.services_by_name["ControlService"].full_name
TIMEOUT_SECONDS = 60.0
"""The maximum duration of one request, without any other."""
PLAINTEXT_REASONS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
"""The reasons of an SSLError for the answer of a server without TLS."""
_BODY = "application/proto"
_UNAUTHENTICATED = 401
"""The status of HTTP by which Connect reports UNAUTHENTICATED."""
_TOKEN_PATH = "/oauth2/token"
_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")


def connect_control(
    endpoint: str,
    *,
    ca_cert: str | os.PathLike[str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    token: str | None = None,
    api_key: str | None = None,
) -> Control:
    """Return what drives the stand-in at an address: its faults, its clock, its recorded calls.

    `endpoint`: `http(s)://host:port`, or `host:port`, which is http on this machine and https elsewhere. `ca_cert`: a
    PEM file of authorities to trust instead of the system's. `timeout`: seconds of one request. `token`, `api_key`:
    credentials of an admin, for a stand-in that needs them; a key is used for the server that it names alone, and once
    that asks for it. Nothing is connected: a call raises ControlError with the code UNAVAILABLE where no server
    listens, UNIMPLEMENTED where it has no control API, UNAUTHENTICATED without credentials that it needs. Raises
    ValueError for an address, a file or a timeout that is invalid.
    """
    return Control(RemoteApi(endpoint, ca_cert, timeout, token, api_key))


class RemoteApi:
    """The control API of the server at an address. Its arguments: those of `connect_control`."""

    def __init__(
        self,
        endpoint: str,
        ca_cert: str | os.PathLike[str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        token: str | None = None,
        api_key: str | None = None,
    ) -> None:
        if not 0 < timeout <= 86_400:
            raise ValueError(f"timeout must be over 0 and at most a day, in seconds, not {timeout!r}")
        self._host, self._port, secure = _address(endpoint)
        self._timeout = timeout
        self._token = token
        self._api_key = api_key
        self._context: ssl.SSLContext | None = None
        if secure:
            try:
                self._context = ssl.create_default_context(cafile=ca_cert)
            except OSError as error:
                why = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
                raise ValueError(f"the file of an authority {os.fspath(ca_cert or '')!r} is unusable: {why}") from None
        self.url = f"{'https' if secure else 'http'}://{self._host}:{self._port}"
        """The server's address."""

    def call(self, method: str, request: Message, response: type[M]) -> M:
        """Return the response. Raises ControlError."""
        path, sent = f"/{SERVICE}/{method}", request.SerializeToString()
        status, content_type, body = self._post(path, sent)
        if status == _UNAUTHENTICATED and self._api_key:
            self._token = self._log_in(self._api_key)
            status, content_type, body = self._post(path, sent)
        if status == 200 and content_type.startswith(_BODY):
            try:
                return response.FromString(body)
            except DecodeError:
                raise self._no_plane("its answer can't be decoded") from None
        raise self._error(status, content_type, body)

    def _log_in(self, api_key: str) -> str:
        """Return a token for an API key, base64 of ENDPOINT:CLIENT_ID:SECRET:ORG. Raises ControlError."""
        try:
            endpoint, client, secret, _ = base64.b64decode(api_key, validate=True).decode().rsplit(":", 3)
            host, port, secure = _address(endpoint if "://" in endpoint else f"https://{endpoint}")
        except ValueError:
            raise ControlError("UNAUTHENTICATED", "the API key is no base64 of ENDPOINT:CLIENT_ID:SECRET:ORG") from None
        if (host, port, secure) != (self._host, self._port, self._context is not None):
            raise ControlError("UNAUTHENTICATED", f"{self.url} needs credentials, and the API key is for {endpoint}")
        basic = base64.b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()
        headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {basic}"}
        status, _, body = self._post(_TOKEN_PATH, b"grant_type=client_credentials", headers)
        try:
            return str(json.loads(body)["access_token"])
        except (ValueError, KeyError, TypeError):
            raise ControlError("UNAUTHENTICATED", f"{self.url} refuses the API key (HTTP {status})") from None

    def _post(self, path: str, body: bytes, others: Mapping[str, str] | None = None) -> tuple[int, str, bytes]:
        host = self._host.strip("[]")
        if self._context is None:
            connection = http.client.HTTPConnection(host, self._port, timeout=self._timeout)
        else:
            connection = http.client.HTTPSConnection(host, self._port, timeout=self._timeout, context=self._context)
        headers = {"content-type": _BODY, "connect-protocol-version": "1", "connection": "close"}
        if self._token and others is None:
            headers["authorization"] = f"Bearer {self._token}"
        headers |= others or {}
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        except TimeoutError:
            raise ControlError("DEADLINE_EXCEEDED", f"{self.url} has not answered within {self._timeout:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise ControlError(
                "UNAVAILABLE",
                f"the certificate of {self.url} is not trusted ({error.verify_message}): give the file of its "
                "authority, ca_cert or --ca-cert",
            ) from None
        except ssl.SSLError as error:
            if error.reason not in PLAINTEXT_REASONS:
                raise self._no_plane(str(error)) from None
            plain = self.url.replace("https:", "http:", 1)
            raise ControlError(
                "UNAVAILABLE",
                f"the server at {self.url} speaks no TLS: give {plain}; an address without http:// means https, unless "
                "it is of this machine",
            ) from None
        except http.client.HTTPException as error:
            raise self._no_plane(str(error) or type(error).__name__) from None
        except OSError as error:
            raise ControlError(
                "UNAVAILABLE",
                f"can't connect to {self.url} ({error.strerror or error}): start a server there by `flyteapps serve`, "
                "or give the address of another",
            ) from None
        finally:
            connection.close()

    def _error(self, status: int, content_type: str, body: bytes) -> ControlError:
        """Return the error of an answer: the plane's, or that of a server which is no plane."""
        try:
            answer: Any = json.loads(body) if content_type.startswith("application/json") else None
        except ValueError:
            answer = None
        fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        code, message = str(fields.get("code", "")).upper(), str(fields.get("message", ""))
        if code not in CODES:
            return self._no_plane(f"it answers with HTTP {status}")
        if code == "UNIMPLEMENTED":
            message = (
                f"{self.url} serves no control API, or an older one: `flyteapps serve` has it on this machine, and on "
                f"other addresses by --control ({message})"
            )
        return ControlError(code, message)

    def _no_plane(self, why: str) -> ControlError:
        return ControlError(
            "UNIMPLEMENTED",
            f"the server at {self.url} serves no control API ({why}): give the address of a `flyteapps serve`, such as "
            "http://localhost:8090",
        )


def _address(endpoint: str) -> tuple[str, int, bool]:
    """Return host, port and whether TLS is used. Raises ValueError."""
    wanted = "it should be such as http://localhost:8090"
    bare = endpoint.removeprefix("dns:///")
    url = urlsplit(bare if "://" in bare else f"//{bare}")
    secure = url.scheme == "https" or not (url.scheme or is_loopback(url.hostname or ""))
    try:
        port = url.port
    except ValueError:
        port = 0
    if url.scheme not in ("", "http", "https"):
        raise ValueError(f"the endpoint {endpoint!r} has the scheme {url.scheme!r}: {wanted}")
    if url.username is not None or url.path.strip("/") or url.query or url.fragment:
        raise ValueError(f"the endpoint has more than a host and a port: {wanted}")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    if port == 0 or not _HOST.fullmatch(host):
        raise ValueError(f"the endpoint {endpoint!r} is no host with a port: {wanted}")
    return host, port or (443 if secure else 80), secure


def is_loopback(host: str) -> bool:
    """Return whether a host without brackets is this machine, by its name or address alone.

    As the client's Endpoint has it: this package and the client don't import each other.
    """
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (inner or address).is_loopback
