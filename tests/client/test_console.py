"""Console: the links of the SDK, for every endpoint of which the SDK makes a right one."""

from __future__ import annotations

import pytest
from flyte._utils import sanitize_endpoint
from flyte.remote._client.auth._session import normalize_rpc_endpoint
from flyte.remote._client.controlplane import Console as SdkConsole

from flyteapps.console import Console
from flyteapps.errors import ConfigError

PAGE = "/v2/domain/d/project/p/apps/n"

# endpoints that the SDK's class handles by itself
ALONE = [
    "dns:///localhost:8090",
    "dns:///localhost:8091",
    "dns:///example.com",
    "dns:///example.com:443",
    "dns:localhost:8090",
    "dns:///127.0.0.1:8090",
    "dns:///[::1]:8090",
    "http://localhost:8090",
    "http://example.com:8080",
    "https://localhost:8090",
    "https://example.com",
    "https://Example.com:8443",
    "http://[::1]:8090",
    "[2001:db8::1]:8090",
    "example.com",
    "127.0.0.1:8090",
]
# endpoints that come to it in the form that the SDK's session has brought them into
WITHIN_A_SESSION = [
    "localhost:8090",
    "localhost",
    "example.com:443",
    "example.com/",
    "app.localhost:8090",
    "dns:///example.com/",
    "https://example.com/",
    "http://localhost:8090/",
    "dns:8090",
]


@pytest.mark.parametrize("endpoint", ALONE)
@pytest.mark.parametrize("insecure", [False, True])
def test_same_as_the_sdk(endpoint: str, insecure: bool) -> None:
    """The link is that of the SDK's Console, which goes by `insecure`, not by the scheme."""
    assert Console(endpoint, insecure).app_url("p", "d", "n") == SdkConsole(endpoint, insecure).app_url("p", "d", "n")


@pytest.mark.parametrize("endpoint", [*ALONE[:4], *ALONE[5:], *WITHIN_A_SESSION])
@pytest.mark.parametrize("insecure", [False, True])
def test_same_as_in_a_session_of_the_sdk(endpoint: str, insecure: bool) -> None:
    """The link is the one that the SDK shows after init(endpoint, insecure)."""
    normal = normalize_rpc_endpoint(sanitize_endpoint(endpoint) or "", insecure=insecure)
    assert Console(endpoint, insecure).app_url("p", "d", "n") == SdkConsole(normal, insecure).app_url("p", "d", "n")


@pytest.mark.parametrize(
    ("endpoint", "ours", "sdk"),
    [
        ("::1", "https://[::1]", "https://::1"),
        ("dns:///::1", "https://[::1]", "https://::1"),
        ("localhost:8090", "https://localhost:8080", "https://8090"),
        ("dns:///localhost:8090/", "https://localhost:8080", "https://localhost:8090/"),
        ("dns:///LOCALHOST:8090", "https://localhost:8080", "https://LOCALHOST:8090"),
    ],
)
def test_right_where_the_sdk_is_wrong(endpoint: str, ours: str, sdk: str) -> None:
    """IPv6 without brackets, a bare host and port, a slash at the end, a host in capitals: the link leads somewhere."""
    assert Console(endpoint).app_url("p", "d", "n") == ours + PAGE
    assert SdkConsole(endpoint).app_url("p", "d", "n") == sdk + PAGE


@pytest.mark.parametrize(
    ("endpoint", "domain"),
    [
        ("localhost:8090", "localhost:8080"),
        ("localhost:8091", "localhost:8091"),
        ("localhost", "localhost"),
        ("127.0.0.1:8090", "127.0.0.1:8090"),
        ("[::1]:8090", "[::1]:8090"),
    ],
)
def test_console_of_a_local_plane(endpoint: str, domain: str) -> None:
    """localhost:8090 has its console at localhost:8080; no other endpoint has it elsewhere."""
    assert Console(endpoint, insecure=True).app_url("p", "d", "n") == f"http://{domain}{PAGE}"


@pytest.mark.parametrize(
    ("given", "insecure", "domain"),
    [
        ("https://console.example.com", True, "https://console.example.com"),
        ("http://console.example.com/", False, "http://console.example.com"),
        ("HTTP://console.example.com", False, "http://console.example.com"),
        ("console.example.com:81", True, "http://console.example.com:81"),
        ("console.example.com:81", False, "https://console.example.com:81"),
        ("dns:///console.example.com", True, "http://console.example.com"),
        ("localhost:8090", True, "http://localhost:8090"),
        ("[::1]:8080", True, "http://[::1]:8080"),
    ],
)
def test_console_endpoint(given: str, insecure: bool, domain: str) -> None:
    """A console that is elsewhere wins, as it is given; its scheme counts, else `insecure` does."""
    assert Console("example.com", insecure, given).app_url("p", "d", "n") == domain + PAGE


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_console_endpoint(nothing: str | None) -> None:
    """None and an empty text say nothing about where the console is."""
    assert Console("example.com", console_endpoint=nothing).app_url("p", "d", "n") == "https://example.com" + PAGE


@pytest.mark.parametrize("endpoint", ["", "http://example.com/console", "ftp://example.com"])
def test_refuses(endpoint: str) -> None:
    """An invalid endpoint, of the plane or of the console, is refused under its own name."""
    with pytest.raises(ConfigError, match=r"^endpoint "):
        Console(endpoint)
    if endpoint:
        with pytest.raises(ConfigError, match=r"^console_endpoint "):
            Console("example.com", console_endpoint=endpoint)


def test_quotes_names() -> None:
    """Characters that end the path or begin another part of the URL are quoted, and plain names are not."""
    url = Console("example.com").app_url("a/b", "c d", "é?#&%")
    assert url == "https://example.com/v2/domain/c%20d/project/a%2Fb/apps/%C3%A9%3F%23%26%25"
    assert Console("example.com").app_url("p-1", "d_1", "n.1~").endswith("/domain/d_1/project/p-1/apps/n.1~")
