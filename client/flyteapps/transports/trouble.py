"""What is probably wrong when no plane answers, told from what the libraries say: their texts are known here alone.

`certain`: the call can't have arrived. Rules of this file: it reads errors, and decides nothing but words and classes.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from connectrpc.errors import ConnectError

from flyteapps.errors import Code, ConfigError, Error, ProtocolError, Unavailable
from flyteapps.transports.frames import Rubbish

_PHRASES = {status.phrase: int(status) for status in HTTPStatus}

_UNRESOLVED = ("dns error", "DNS resolution failed", "Domain name not found", "Address lookup failed")

_TLS_ALERT = "\x15\x03"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`kind`: the error's class where its code's own would mislead. `reached`: whether the call may have been carried
    out."""

    message: str
    kind: type[Error] | None = None
    reached: bool = True


def explain(error: ConnectError, code: Code, endpoint: str) -> Trouble | None:
    """What to tell the caller, None where the plane itself has answered."""
    causes = list(_causes(error))
    said = " | ".join(f"{type(cause).__name__}: {cause}" for cause in [error, *causes])
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls(said, error.message, endpoint)
        if isinstance(cause, socket.gaierror):
            return _unresolved(endpoint)
        if isinstance(cause, ConnectionRefusedError):
            return _refused(endpoint)
    if any(text in said for text in _UNRESOLVED):
        return _unresolved(endpoint)
    if "Connection refused" in said:
        return _refused(endpoint)
    if any(text in said for text in ("peer certificate", "CERTIFICATE_VERIFY", "InvalidContentType", "SSL_ERROR_SSL")):
        return _tls(said, error.message, endpoint)
    if isinstance(error, Rubbish) or "DecodeError" in said or "Wire format was corrupt" in said:
        return Trouble(f"{endpoint} sent what is no message of the protocol: {error.message}", ProtocolError)
    if "missing grpc-status trailer" in said:
        return Trouble(f"{endpoint} ended the call without a gRPC status: is it a gRPC server?", ProtocolError)
    if "invalid content-type" in error.message or "received http2 header with status" in said:
        return _other_server(error.message, endpoint)
    if "failed to connect to all addresses" in said:
        return _not_connected(said, error.message, endpoint)
    if (trouble := _talks_otherwise(said, causes, endpoint)) is not None:
        return trouble
    if not error.details and error.message in _PHRASES:
        return _http_status(_PHRASES[error.message], error.message, code, endpoint)
    if "Operation cannot be fulfilled on" in error.message:  # Kubernetes, behind the open-source plane
        return Trouble(f"{error.message} (another write came between; nothing was written)", reached=False)
    if "stream error received" in said:
        return Trouble(f"{endpoint} broke off its answer ({error.message})", Unavailable)
    if code is Code.DEADLINE_EXCEEDED and causes:
        return Trouble(f"{endpoint} gave no answer in time: is it a plane, and reachable? (`timeout` sets how long)")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen, cause = {id(error)}, error.__cause__
    while cause is not None and id(cause) not in seen:  # a cancelled call can be its own context
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _unresolved(endpoint: str) -> Trouble:
    return Trouble(f"the host of {endpoint} is not known: check the endpoint's name", None, reached=False)


def _refused(endpoint: str) -> Trouble:
    return Trouble(f"nothing listens at {endpoint}: check the port, and that the plane runs", None, reached=False)


def _tls(said: str, detail: str, endpoint: str) -> Trouble:
    if any(text in said.upper() for text in ("WRONG_VERSION_NUMBER", "INVALIDCONTENTTYPE", "RECORD_LAYER")):
        what = "does not speak TLS: pass insecure=True, or write http://"
    elif any(text in said for text in ("not valid for name", "Hostname mismatch", "doesn't match", "address mismatch")):
        what = "has a certificate for another name: use the name that it was made for"
    elif "CaUsedAsEndEntity" in said:
        what = (
            "has the certificate of an authority for its own, which this way can't take: make one for a server, or use "
            'the blocking calls, or protocol="grpcio"'
        )
    elif "UnknownIssuer" in said:
        what = (
            "has a certificate that is not trusted: give the authority's by ca_cert (for insecure_skip_verify the "
            "plane has to show it along with its own)"
        )
    else:
        what = "has a certificate that is not trusted: give the authority's by ca_cert"
    return Trouble(f"{endpoint} {what} ({detail})", ConfigError, reached=False)


def _other_server(message: str, endpoint: str) -> Trouble:
    return Trouble(f"{endpoint} is no Flyte plane, or not by this protocol: {message}", ProtocolError)


def _talks_otherwise(said: str, causes: list[BaseException], endpoint: str) -> Trouble | None:
    lines = [str(cause.args[0]) for cause in causes if type(cause) is http.client.BadStatusLine]
    bad_line = bool(lines)
    if any(_TLS_ALERT in line for line in lines):
        return Trouble(f"{endpoint} speaks TLS: leave out insecure=True, or write https://", ConfigError, reached=False)
    if bad_line or "invalid HTTP version" in said:
        return Trouble(f"{endpoint} does not speak HTTP: is it a Flyte plane, and is the port right?", ProtocolError)
    closed = ("RemoteDisconnected", "closed before message completed", "channel closed", "Connection reset")
    if any(text in said for text in closed) and endpoint.startswith("http:"):
        return Trouble(
            f"{endpoint} closed the connection without an answer: it broke down, or speaks another protocol (if it is "
            "a TLS port, leave out insecure=True)"
        )
    return None


def _not_connected(said: str, detail: str, endpoint: str) -> Trouble:
    """What grpcio says where a connection can't be made, or not as HTTP/2: the call was not sent."""
    if "Failed parsing HTTP/2" in said or "ALPN" in said:
        return Trouble(f"{endpoint} does not speak HTTP/2, which gRPC needs: {detail}", ProtocolError, reached=False)
    hint = "; if it is a TLS port, leave out insecure=True" if endpoint.startswith("http:") else ""
    return Trouble(f"no connection to {endpoint} can be made{hint} ({detail})", reached=False)


def _http_status(status: int, phrase: str, code: Code, endpoint: str) -> Trouble | None:
    if status == HTTPStatus.NOT_FOUND:
        return Trouble(f"{endpoint} answered 404 Not Found: it doesn't offer this method, or is no Flyte plane")
    if status == HTTPStatus.BAD_REQUEST and endpoint.startswith("http:"):
        return Trouble(
            f"{endpoint} answered 400 Bad Request: it is no Flyte plane, or a TLS port (then leave out insecure=True)",
            ProtocolError,
        )
    if code is Code.UNKNOWN:
        return _other_server(f"it answered {status} {phrase}", endpoint)
    return Trouble(f"{endpoint} answered {status} {phrase}")
