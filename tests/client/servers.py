"""Servers that are no planes: each accepts connections on the loopback and does one thing with them."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(behave: Behaviour, context: ssl.SSLContext | None = None) -> Generator[int]:
    """Serve a behaviour, each connection on a thread of its own; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if context is None:
                behave(connection)
                return
            with context.wrap_socket(connection, server_side=True) as encrypted:
                behave(encrypted)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            accepted.append(connection)
            threads.append(threading.Thread(target=one, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in accepted:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in threads:
            thread.join()


def silent(connection: socket.socket) -> None:
    """Read, and never answer."""
    while connection.recv(65_536):
        pass


def closing(connection: socket.socket) -> None:
    """Read a request, and close."""
    connection.recv(65_536)
    connection.close()


def saying(answer: bytes, *, then: str = "close") -> Behaviour:
    """Read a request, send this, and close, or wait."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)
        if then == "wait":
            silent(connection)
        connection.close()

    return behave


def http(status: str, content_type: str, body: bytes, extra: str = "") -> bytes:
    """Return an HTTP response."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n{extra}\r\n".encode() + body


def chunked(content_type: str, *chunks: bytes) -> bytes:
    """Return the beginning of an HTTP response whose end is open."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)


def certificate(directory: Path, name: str = "127.0.0.1", *, authority: bool = False) -> tuple[ssl.SSLContext, bytes]:
    """Return a server's context with a certificate that signs itself, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_ip = name.replace(".", "").isdigit()
    import ipaddress

    alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name)) if is_ip else x509.DNSName(name)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "cert.pem").write_bytes(pem)
    (directory / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context, pem
