"""Servers for the tests of serving: one of each kind a module, since starting one takes half a second."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from .server_process import ServerProcess

_NEEDS_PYVOY = pytest.mark.skipif(importlib.util.find_spec("pyvoy") is None, reason="pyvoy is not installed")

EACH_KIND = [pytest.param("portable"), pytest.param("pyvoy", marks=_NEEDS_PYVOY)]
"""The kinds of servers, for tests of what each server does by itself."""
KINDS = [EACH_KIND[0], pytest.param("pyvoy", marks=[_NEEDS_PYVOY, pytest.mark.matrix])]
"""The kinds of servers, for tests of the front: the second kind repeats them."""

OF_EACH_SERVER = frozenset(
    (
        "test_console",
        "test_http",
        "test_pipelining",
        "test_tls",
        "test_wire",
        "test_a_client_that_dies_frees_its_streams",
        "test_a_client_that_hangs_does_not_keep_the_server",
        "test_a_malformed_header_is_the_callers_mistake",
        "test_a_server_is_there_on_both",
        "test_a_signal_ends_streams_with_unavailable",
        "test_grpc_over_http_1_is_refused",
        "test_head_has_no_body",
        "test_the_end_of_the_terminal_ends_the_server",
    )
)
"""The modules, and further tests, of what each server does by itself: connections, protocols, signals, files."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a server once for each kind; a repetition of a test of the front belongs to the matrix."""
    names = {metafunc.definition.path.stem, metafunc.function.__name__}
    kinds = KINDS if names.isdisjoint(OF_EACH_SERVER) else EACH_KIND
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", kinds, indirect=True, scope="module")
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", kinds)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server that the tests of one module share."""
    running = ServerProcess("--server", request.param)
    yield running
    status, _ = running.stop()
    assert status == 0, running.output
