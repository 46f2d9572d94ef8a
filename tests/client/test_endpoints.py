"""Endpoints that are not planes, or can't be reached: one clear error each, in time, that names what to change."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import (
    App,
    Client,
    ConfigError,
    DeadlineExceeded,
    Error,
    NetworkError,
    ProtocolError,
    Retries,
    Unavailable,
    Waits,
)
from flyteapps.flows import methods

from . import servers
from .conftest import SCOPE, Run

CONNECT = "application/proto"
STREAM = "application/connect+proto"

QUICK: dict[str, Any] = {"timeout": 5.0, "retries": Retries(attempts=2, initial=0, maximum=0), **SCOPE}


def at(port: int, *, secure: bool = False, **options: Any) -> Client:
    """Return a client of the server at that port."""
    return Client(f"{'https' if secure else 'http'}://127.0.0.1:{port}", **{**QUICK, **options})


@pytest.fixture(params=["connect", "grpc"])
def protocol(request: pytest.FixtureRequest) -> Any:
    """Both protocols over connectrpc; grpcio, which says things its own way, is tried by `test_grpcio`."""
    return request.param


def caught(run: Run, client: Client) -> Error:
    """Return the error of a Get."""
    with pytest.raises(Error) as found:
        run(client.apps.get, "hello")
    assert type(found.value).__module__ == "flyteapps.errors"
    return found.value


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("localhost:8090/path", "a path"),
        ("http://localhost:8090/v2", "a path"),
        ("ftp://localhost", "scheme"),
        ("localhost:port", "port"),
        ("localhost:70000", "port"),
        ("user@localhost", "a user"),
        ("", "empty"),
        ("a:b:c", "IPv6"),
    ],
)
def test_a_bad_endpoint_is_refused(endpoint: str, says: str) -> None:
    """Before anything is connected, with the forms that there are."""
    with pytest.raises(ConfigError, match=says) as found:
        Client(endpoint)
    assert "host:port" in str(found.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"protocol": "soap"}, "protocol"),
        ({"http_version": "3"}, "http_version"),
        ({"protocol": "grpc", "http_version": "1.1"}, "http_version"),
        ({"timeout": 0}, "timeout"),
        ({"retries": 0}, "retries"),
        ({"headers": {"a b": "c"}}, "header"),
        ({"headers": {"a": "b\r\nc: d"}}, "header"),
        ({"ca_cert": "/nowhere.pem"}, "ca_cert"),
        ({"ca_cert": b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"}, "PEM"),
        ({"ca_cert": b"\xff"}, "PEM"),
        ({"ca_cert": 5}, "ca_cert=5 should be the path"),
        ({"ca_cert": "\0"}, "should be the path"),
        ({"org": 5}, "org=5 should be a string"),
        ({"project": b"x"}, "should be a string, and is a bytes"),
        ({"domain": ["x"]}, "should be a string, and is a list"),
        ({"insecure": True, "ca_cert": b"x"}, "TLS"),
        ({"insecure": True, "insecure_skip_verify": True}, "TLS"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], says: str) -> None:
    """The error names the option."""
    with pytest.raises(ConfigError, match=says):
        Client("localhost:8090", **options)


def test_either_an_endpoint_or_a_transport() -> None:
    """Neither and both are errors."""
    with pytest.raises(ConfigError, match="either"):
        Client()


def test_nothing_listens(run: Run, protocol: Any) -> None:
    """The call surely didn't arrive: nothing may have been applied."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with at(port, protocol=protocol) as client:
        error = caught(run, client)
        with pytest.raises(Unavailable) as found:
            run(client.apps.delete, "hello")
    assert isinstance(error, Unavailable)
    assert "nothing listens" in error.message
    assert not found.value.maybe_applied


def test_a_host_that_does_not_resolve(run: Run, protocol: Any) -> None:
    """The error says that the name is the trouble."""
    with Client("http://no-such-host.invalid:80", protocol=protocol, **QUICK) as client:
        error = caught(run, client)
    assert isinstance(error, Unavailable)
    assert "is not known" in error.message


def test_a_server_that_never_answers(run: Run, protocol: Any) -> None:
    """The timeout ends the call."""
    with servers.listening(servers.silent) as port, at(port, protocol=protocol, timeout=0.2) as client:
        error = caught(run, client)
        with pytest.raises(DeadlineExceeded) as found:
            run(client.apps.delete, "hello")
    assert isinstance(error, DeadlineExceeded)
    assert isinstance(error, TimeoutError)
    assert "no answer in time" in error.message
    assert found.value.maybe_applied


def test_a_server_that_trickles(run: Run) -> None:
    """Bytes that come one by one don't move the deadline."""
    stopped = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.recv(65_536)
        for byte in servers.http("200 OK", CONNECT, b"x" * 100):
            connection.sendall(bytes([byte]))
            if stopped.wait(0.02):
                return

    with servers.listening(trickle) as port, at(port, timeout=0.2) as client:
        assert isinstance(caught(run, client), DeadlineExceeded)
        stopped.set()


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (servers.http("200 OK", "text/html", b"<html>"), ProtocolError, "not a Flyte plane"),
        (servers.http("404 Not Found", "text/html", b"<html>"), Error, "404"),
        (servers.http("302 Found", "text/html", b"", "location: /login\r\n"), ProtocolError, "302"),
        (servers.http("503 Service Unavailable", "text/html", b"down"), Unavailable, "503"),
        (servers.http("400 Bad Request", "text/plain", b"HTTP request to an HTTPS server"), ProtocolError, "TLS"),
        (servers.http("200 OK", CONNECT, b"\xff\xff\xff"), ProtocolError, "malformed message"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ProtocolError, "does not speak HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x16", ConfigError, "speaks TLS"),
    ],
    ids=["html", "404", "302", "503", "400", "rubbish", "ssh", "tls alert"],
)
def test_a_server_that_speaks_something_else(run: Run, answer: bytes, kind: type[Error], says: str) -> None:
    """The error describes the server, not a library's view; no retry, unless the server may be down."""
    asked: list[None] = []

    def behave(connection: socket.socket) -> None:
        asked.append(None)
        servers.saying(answer)(connection)

    with servers.listening(behave) as port, at(port) as client:
        if says in ("speaks TLS", "does not speak HTTP") and run.awaiting:
            says, kind = "HTTP", ProtocolError  # hyper doesn't tell which bytes came
        error = caught(run, client)
    assert isinstance(error, kind), repr(error)
    assert says in error.message
    assert len(asked) == (2 if "503" in says else 1)


def test_a_server_that_closes(run: Run, protocol: Any) -> None:
    """A connection that ends without an answer: the call may have arrived."""
    with (
        servers.listening(servers.closing) as port,
        at(port, protocol=protocol) as client,
        pytest.raises(Unavailable) as found,
    ):
        run(client.apps.delete, "hello")
    assert found.value.maybe_applied
    assert "closed the connection" in found.value.message


@pytest.mark.parametrize("then", ["close", "wait"])
def test_a_stream_of_rubbish(run: Run, then: str) -> None:
    """Bytes that are not frames end the wait with an error that says so."""
    answer = servers.chunked(STREAM, b"hello, this is no frame at all")
    with servers.listening(servers.saying(answer, then=then)) as port, at(port) as client:
        handle = App(definition.App(metadata={"id": {"name": "hello", **SCOPE}}), client)
        with pytest.raises(ProtocolError, match="not frames"):
            run(handle.watch, timeout=60)


def test_a_stream_of_broken_messages(run: Run) -> None:
    """Frames that hold no message end it, too."""
    answer = servers.chunked(STREAM, b"\x00\x00\x00\x00\x03\xff\xff\xff")
    with servers.listening(servers.saying(answer, then="wait")) as port, at(port) as client:
        handle = App(definition.App(metadata={"id": {"name": "hello", **SCOPE}}), client)
        with pytest.raises(ProtocolError, match="malformed message"):
            run(handle.watch, timeout=60)


def test_a_wait_on_a_server_that_never_answers(run: Run, protocol: Any) -> None:
    """The wait's own deadline ends it."""
    with servers.listening(servers.silent) as port, at(port, protocol=protocol, waits=Waits(poll=0.05)) as client:
        handle = App(definition.App(metadata={"id": {"name": "hello", **SCOPE}}), client)
        with pytest.raises(RuntimeError, match="demo/development/hello"):
            run(handle.watch, timeout=0.3)


class TestTls:
    """TLS, trusted or not, and its confusion with plaintext."""

    def test_tls_to_a_plaintext_port(self, run: Run, protocol: Any) -> None:
        """The error says to leave TLS out."""
        with (
            servers.listening(servers.saying(servers.http("200 OK", CONNECT, b""))) as port,
            at(port, secure=True, protocol=protocol) as client,
        ):
            error = caught(run, client)
        assert isinstance(error, ConfigError), repr(error)
        assert "insecure=True" in error.message

    def test_plaintext_to_a_tls_port(self, run: Run, protocol: Any, tmp_path: Path) -> None:
        """The error says to use TLS."""
        context, _ = servers.certificate(tmp_path)
        with servers.listening(servers.silent, context) as port, at(port, protocol=protocol) as client:
            error = caught(run, client)
        assert "leave out insecure=True" in error.message, repr(error)

    def test_an_untrusted_certificate(self, run: Run, protocol: Any, tmp_path: Path) -> None:
        """The error names ca_cert."""
        context, _ = servers.certificate(tmp_path)
        with servers.listening(servers.silent, context) as port, at(port, secure=True, protocol=protocol) as client:
            error = caught(run, client)
        assert isinstance(error, ConfigError), repr(error)
        assert "ca_cert" in error.message

    def test_a_certificate_for_another_name(self, run: Run, protocol: Any, tmp_path: Path) -> None:
        """The error says that the name is wrong."""
        context, pem = servers.certificate(tmp_path, "plane.example")
        with (
            servers.listening(servers.silent, context) as port,
            at(port, secure=True, protocol=protocol, ca_cert=pem) as client,
        ):
            error = caught(run, client)
        assert "another name" in error.message, repr(error)

    @pytest.mark.parametrize("how", ["ca_cert", "ca_cert file", "insecure_skip_verify"])
    def test_a_trusted_certificate(self, run: Run, how: str, tmp_path: Path) -> None:
        """By the authority's certificate, or by trusting what is shown."""
        context, pem = servers.certificate(tmp_path)
        options: dict[str, Any] = {"insecure_skip_verify": True}
        if how != "insecure_skip_verify":
            options = {"ca_cert": pem if how == "ca_cert" else tmp_path / "cert.pem"}
        answer = servers.http("404 Not Found", "application/json", b'{"code":"not_found","message":"a plane"}')
        with servers.listening(servers.saying(answer), context) as port, at(port, secure=True, **options) as client:
            error = caught(run, client)
        assert error.message == "a plane", repr(error)


def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """A server may close what it answered on; the next blocking call takes another connection, and not an attempt."""
    closed = threading.Semaphore(0)

    def once(connection: socket.socket) -> None:
        connection.recv(65_536)
        body = b'{"code":"not_found","message":"a plane"}'
        head = f"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        closed.release()

    with servers.listening(once) as port, at(port, retries=1) as client:
        for _ in range(5):
            assert caught(Run(False), client).message == "a plane"
            assert closed.acquire(timeout=30)


@pytest.mark.parametrize("secure", [False, True], ids=["plaintext", "tls"])
def test_a_blocking_stream_can_be_closed_before_it_has_begun(protocol: Any, secure: bool, tmp_path: Path) -> None:
    """At once, with its thread, while the server says nothing."""
    context, pem = servers.certificate(tmp_path) if secure else (None, None)
    with servers.listening(servers.silent, context) as port:
        client = at(port, secure=secure, protocol=protocol, **({"ca_cert": pem} if secure else {}))
        stream = client.transport.stream(methods.WATCH, payload.WatchRequest())
        with pytest.raises(TimeoutError):
            stream.receive(0.2)
        stream.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "flyteapps stream"]
        with pytest.raises(EOFError):
            stream.receive(0)
        client.close()


def test_errors_of_libraries_are_causes_only(run: Run) -> None:
    """`__cause__` leads to what connectrpc raised; nothing of it is in the way."""
    with servers.listening(servers.closing) as port, at(port) as client:
        error = caught(run, client)
    assert isinstance(error, NetworkError)
    assert type(error.__cause__).__module__ == "connectrpc.errors"


GRPCIO = tuple(map(int, grpc.__version__.split(".")[:2]))
HTML = servers.saying(servers.http("200 OK", "text/html", b"<html>"))


@pytest.mark.parametrize(
    ("behave", "server_secure", "client_secure", "kind", "says"),
    [
        (None, False, False, Unavailable, "nothing listens"),
        (servers.silent, False, False, DeadlineExceeded, "no answer in time"),
        (servers.closing, False, False, Unavailable, "no connection"),
        pytest.param(
            *(HTML, False, False, ProtocolError, "does not speak HTTP/2"),
            marks=pytest.mark.skipif(GRPCIO < (1, 81), reason="an older grpcio does not say what came"),
        ),
        (HTML, False, True, ConfigError, "insecure=True"),
        (servers.silent, True, False, Unavailable, "leave out insecure=True"),
        (servers.silent, True, True, ConfigError, "ca_cert"),
    ],
    ids=["refused", "silent", "closing", "html", "tls to plaintext", "plaintext to tls", "untrusted"],
)
def test_grpcio(
    run: Run,
    behave: servers.Behaviour | None,
    server_secure: bool,
    client_secure: bool,
    kind: type[Error],
    says: str,
    tmp_path: Path,
) -> None:
    """The same troubles over grpcio, told in the same words."""
    context = servers.certificate(tmp_path)[0] if server_secure else None
    seconds = 1.0 if kind is DeadlineExceeded else 60.0
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(servers.listening(behave, context)) if behave is not None else 1
        client = stack.enter_context(at(port, secure=client_secure, protocol="grpcio", timeout=seconds))
        error = caught(run, client)
    assert isinstance(error, kind), repr(error)
    assert says in error.message
    with at(1, protocol="grpcio") as client, pytest.raises(Unavailable) as found:
        run(client.apps.delete, "hello")
    assert not found.value.maybe_applied
