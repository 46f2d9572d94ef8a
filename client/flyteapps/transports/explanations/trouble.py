"""The probable cause of an error without a response of a plane: a table of the libraries' error texts.

Why a table: the texts of http.client, OpenSSL, pyqwest, connectrpc and grpcio are known here alone, and each row holds
one text as it was recorded, so that a library's new wording fails the test of its row
(tests/client/test_trouble.py). How to read it: `describe` renders an error with its causes as one text; the first row
that matches it explains the error. An error without a matching row is the plane's own. Rules of this file: it reads
errors, and decides nothing but messages and classes.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple

from connectrpc.errors import ConnectError

from flyteapps.errors import Code, ConfigError, Error, ProtocolError, Unavailable


class Explanation(NamedTuple):
    """An explained error.

    `kind`: its class, None for its code's own. `reached`: whether the call may have been carried out. `collided`:
    whether it is a write that met another one.
    """

    message: str
    kind: type[Error] | None
    reached: bool
    collided: bool = False


class Row(NamedTuple):
    """One explanation.

    `sample`: a recorded text. `any_of`: the row matches texts with one of these, and with one of `also`, if there are
    any. `message`: with the endpoint, and the error's own message as `detail`. `kind`, `reached`: of Explanation.
    `plaintext`: whether it is for endpoints without TLS alone.
    """

    sample: str
    any_of: tuple[str, ...]
    message: str
    kind: type[Error] | None = None
    reached: bool = True
    also: tuple[str, ...] = ()
    plaintext: bool = False

    def matches(self, text: str, endpoint: str) -> bool:
        """Return whether the row explains that text, of an error of that endpoint."""
        if self.plaintext and not endpoint.startswith("http:"):
            return False
        return any(each in text for each in self.any_of) and (not self.also or any(each in text for each in self.also))


_TLS = ("<TLS>", "peer certificate", "CERTIFICATE_VERIFY", "InvalidContentType", "SSL_ERROR_SSL")
_GRPCIO = ("failed to connect to all addresses",)
_CONNECTION = "ConnectError: Request failed: error sending request for url (https://h/x): client error (Connect): "
_REQUEST = "ConnectError: Request failed: error sending request for url (http://h/x): client error (SendRequest): "
_ADDRESSES = "ConnectError: failed to connect to all addresses; last error: "

TABLE = (
    Row(
        "ConnectError: [Errno -2] Name or service not known | gaierror: [Errno -2] Name or service not known",
        ("gaierror: ", "dns error", "DNS resolution failed", "Domain name not found", "Address lookup failed"),
        "the host of {endpoint} is not known: check the endpoint's name",
        reached=False,
    ),
    Row(
        "ConnectError: [Errno 111] Connection refused | ConnectionRefusedError: [Errno 111] Connection refused",
        ("ConnectionRefusedError: ", "Connection refused"),
        "nothing listens at {endpoint}: check the port, and that the plane runs",
        reached=False,
    ),
    Row(
        "ConnectError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006) | SSLError: ... | <TLS>",
        ("WRONG_VERSION_NUMBER", "InvalidContentType", "RECORD_LAYER", "record layer"),
        "{endpoint} does not speak TLS: pass insecure=True, or write http:// ({detail})",
        ConfigError,
        reached=False,
        also=_TLS,
    ),
    Row(
        "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: IP address mismatch, certificate is "
        "not valid for '127.0.0.1'. (_ssl.c:1006) | SSLCertVerificationError: ... | <TLS>",
        ("not valid for name", "Hostname mismatch", "doesn't match", "address mismatch"),
        "{endpoint} has a certificate for another name: use the name that it was made for ({detail})",
        ConfigError,
        reached=False,
        also=_TLS,
    ),
    Row(
        f"{_CONNECTION}invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        ("CaUsedAsEndEntity",),
        "{endpoint} has the certificate of an authority for its own, which this transport can't accept: make one for a "
        'server, or use the blocking calls, or protocol="grpcio" ({detail})',
        ConfigError,
        reached=False,
        also=_TLS,
    ),
    Row(
        f"{_CONNECTION}invalid peer certificate: UnknownIssuer",
        ("UnknownIssuer",),
        "{endpoint} has a certificate that is not trusted: give the authority's by ca_cert (for insecure_skip_verify "
        "the plane has to present it along with its own) ({detail})",
        ConfigError,
        reached=False,
        also=_TLS,
    ),
    Row(
        f"{_ADDRESSES}UNKNOWN: ipv4:127.0.0.1:37889: Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: "
        "error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: self signed certificate: OK",
        _TLS,
        "{endpoint} has a certificate that is not trusted: give the authority's by ca_cert ({detail})",
        ConfigError,
        reached=False,
    ),
    Row(
        "ConnectError: Error parsing message with type 'flyteidl2.app.GetResponse': Wire format was corrupt | "
        "DecodeError: ...",
        ("MalformedMessage: ", "DecodeError", "Wire format was corrupt"),
        "{endpoint} sent a malformed message: {detail}",
        ProtocolError,
    ),
    Row(
        "ConnectError: missing grpc-status trailer",
        ("missing grpc-status trailer",),
        "{endpoint} ended the call without a gRPC status: is it a gRPC server?",
        ProtocolError,
    ),
    Row(
        "ConnectError: invalid content-type: 'text/html'; expecting 'application/proto'",
        ("invalid content-type", "received http2 header with status"),
        "{endpoint} is not a Flyte plane, or not by this protocol: {detail}",
        ProtocolError,
    ),
    Row(
        f"{_ADDRESSES}UNAVAILABLE: ipv4:127.0.0.1:43745: Failed parsing HTTP/2 (Expected SETTINGS frame as the first "
        "frame, got frame type 80)",
        ("Failed parsing HTTP/2", "ALPN"),
        "{endpoint} does not speak HTTP/2, which gRPC needs: {detail}",
        ProtocolError,
        reached=False,
        also=_GRPCIO,
    ),
    Row(
        f"{_ADDRESSES}UNAVAILABLE: ipv4:127.0.0.1:42217: Socket closed",
        _GRPCIO,
        "no connection to {endpoint} can be made; if it is a TLS port, leave out insecure=True ({detail})",
        reached=False,
        plaintext=True,
    ),
    Row(
        f"{_ADDRESSES}UNKNOWN: ipv4:127.0.0.1:44861: HTTP proxy returned response code 403",
        _GRPCIO,
        "no connection to {endpoint} can be made ({detail})",
        reached=False,
    ),
    Row(
        "ConnectError: \x15\x03\x01\x00\x02\x02\x16 | BadStatusLine: \x15\x03\x01\x00\x02\x02\x16",
        ("BadStatusLine: \x15\x03",),
        "{endpoint} speaks TLS: leave out insecure=True, or write https://",
        ConfigError,
        reached=False,
    ),
    Row(
        "ConnectError: SSH-2.0-OpenSSH_9.2\r\n | BadStatusLine: SSH-2.0-OpenSSH_9.2\r\n",
        ("BadStatusLine: ", "invalid HTTP version"),
        "{endpoint} does not speak HTTP: is it a Flyte plane, and is the port right?",
        ProtocolError,
    ),
    Row(
        f"{_REQUEST}connection closed before message completed",
        ("RemoteDisconnected", "closed before message completed", "channel closed", "Connection reset"),
        "{endpoint} closed the connection without a response: it broke down, or speaks another protocol (if it is a "
        "TLS port, leave out insecure=True)",
        plaintext=True,
    ),
    Row(
        "ConnectError: Not Found | <status 404 UNIMPLEMENTED>",
        ("<status 404 ",),
        "{endpoint} answered 404 Not Found: it doesn't offer this method, or is not a Flyte plane",
    ),
    Row(
        "ConnectError: Bad Request | <status 400 INTERNAL>",
        ("<status 400 ",),
        "{endpoint} answered 400 Bad Request: it is not a Flyte plane, or a TLS port (then leave out insecure=True)",
        ProtocolError,
        plaintext=True,
    ),
    Row(
        "ConnectError: Found | <status 302 UNKNOWN>",
        (" UNKNOWN>",),
        "{endpoint} is not a Flyte plane, or not by this protocol: it answered {status} {detail}",
        ProtocolError,
        also=("<status ",),
    ),
    Row(
        "ConnectError: Service Unavailable | <status 503 UNAVAILABLE>",
        ("<status ",),
        "{endpoint} answered {status} {detail}",
    ),
    Row(
        "ConnectError: Request failed: stream error received: unexpected internal error encountered",
        ("stream error received",),
        "{endpoint} aborted its response ({detail})",
        Unavailable,
    ),
    Row(
        "ConnectError: Request timed out | TimeoutError: the deadline passed while reading | <no response>",
        ("<no response>",),
        "{endpoint} gave no answer in time: is it a plane, and reachable? (`timeout` sets the limit)",
    ),
)

_STATUSES = {status.phrase: int(status) for status in HTTPStatus}


def explain(error: ConnectError, code: Code, endpoint: str) -> Explanation | None:
    """Return the explanation of an error, None for an error of the plane itself."""
    text = describe(error, code)
    for row in TABLE:
        if row.matches(text, endpoint):
            status = _STATUSES.get(error.message, 0)
            message = row.message.format(endpoint=endpoint, detail=error.message, status=status)
            return Explanation(message, row.kind, row.reached)
    return None


def describe(error: ConnectError, code: Code) -> str:
    """Return the text of an error for the table: the types and messages of it and its causes, and facts in <>."""
    causes = list(_causes(error))
    parts = [f"{type(each).__name__}: {each}" for each in (error, *causes)]
    if any(isinstance(each, ssl.SSLError) for each in causes):
        parts.append("<TLS>")
    if not error.details and error.message in _STATUSES:  # connectrpc's message for a bare HTTP status
        parts.append(f"<status {_STATUSES[error.message]} {code.name}>")
    if code is Code.DEADLINE_EXCEEDED and causes:
        parts.append("<no response>")
    return " | ".join(parts)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen, cause = {id(error)}, error.__cause__
    while cause is not None and id(cause) not in seen:  # a cancelled call can be its own context
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
