"""insecure_skip_verify, in every way: against a certificate that signs itself, and one of a private authority."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import trustme

from flyteapps import Client, ConfigError, Error, Unimplemented
from flyteapps.endpoint import Endpoint
from flyteapps.transports.certificates import shown_by

from .conftest import SCOPE, Run
from .forked import OPTIONS


@contextlib.contextmanager
def serving(chain: bytes, key: bytes) -> Generator[str]:
    """Serve gRPC without methods, by TLS with this chain; yield the endpoint."""
    server: Any = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    server.start()
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private authority."""
    return trustme.CA()


def issued(authority: trustme.CA) -> tuple[bytes, bytes]:
    """Return a server's certificate and its key."""
    leaf = authority.issue_cert("127.0.0.1")
    return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()


def caught(run: Run, endpoint: str, transport: str, **options: Any) -> Error:
    """Return the error of a Get: that server has no such method."""
    with (
        Client(endpoint, retries=1, timeout=20, **OPTIONS[transport], **options, **SCOPE) as client,
        pytest.raises(Error) as found,
    ):
        run(client.apps.get, "hello")
    return found.value


@pytest.mark.parametrize("how", ["insecure_skip_verify", "ca_cert"])
@pytest.mark.parametrize("transport", OPTIONS)
def test_a_chain_of_a_private_authority(authority: trustme.CA, transport: str, how: str, run: Run) -> None:
    """The handshake is done: what the server then says to a call that it doesn't know."""
    leaf, key = issued(authority)
    options: dict[str, Any] = {"insecure_skip_verify": True}
    if how == "ca_cert":
        options = {"ca_cert": authority.cert_pem.bytes()}
    with serving(leaf + authority.cert_pem.bytes(), key) as endpoint:
        error = caught(run, endpoint, transport, **options)
        assert not isinstance(error, ConfigError), error
        if "grpc" in transport:  # the server speaks nothing else
            assert isinstance(error, Unimplemented)


@pytest.mark.parametrize("transport", OPTIONS)
def test_without_it_the_chain_is_not_trusted(authority: trustme.CA, transport: str, run: Run) -> None:
    """The error names ca_cert."""
    leaf, key = issued(authority)
    with serving(leaf + authority.cert_pem.bytes(), key) as endpoint:
        error = caught(run, endpoint, transport)
    assert isinstance(error, ConfigError)
    assert "ca_cert" in error.message


def test_what_is_shown(authority: trustme.CA) -> None:
    """The whole chain, in its order."""
    leaf, key = issued(authority)
    chain = leaf + authority.cert_pem.bytes()
    with serving(chain, key) as endpoint:
        assert shown_by(Endpoint.parse(endpoint)).split() == chain.split()


@pytest.mark.parametrize("transport", ["grpc", "grpcio"])
def test_a_certificate_without_its_authority(authority: trustme.CA, transport: str, run: Run) -> None:
    """grpcio takes it; pyqwest can't, and says what is missing."""
    with serving(*issued(authority)) as endpoint:
        error = caught(run, endpoint, transport, insecure_skip_verify=True)
    if transport == "grpcio":
        assert isinstance(error, Unimplemented)
    else:
        assert isinstance(error, ConfigError)
        assert "has to present" in error.message
