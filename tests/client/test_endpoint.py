"""Endpoint: every form that is taken, every one that is refused, and what messages may show."""

from __future__ import annotations

from typing import Any

import pytest
from flyte._utils import sanitize_endpoint
from flyte.remote._client.auth._session import normalize_rpc_endpoint
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError

TAKEN = [
    ("localhost:8090", Endpoint("localhost", 8090, True)),
    ("example.com", Endpoint("example.com", None, True)),
    ("example.com.", Endpoint("example.com.", None, True)),
    ("example.com:443/", Endpoint("example.com", 443, True)),
    ("a_b-c.example:1", Endpoint("a_b-c.example", 1, True)),
    ("dns:///example.com:443", Endpoint("example.com", 443, True)),
    ("dns:///example.com/", Endpoint("example.com", None, True)),
    ("dns:example.com:443", Endpoint("example.com", 443, True)),
    ("DNS:///example.com", Endpoint("example.com", None, True)),
    ("dns:8090", Endpoint("dns", 8090, True)),
    ("http:80", Endpoint("http", 80, True)),
    ("http://example.com", Endpoint("example.com", None, False)),
    ("http://example.com:8080/", Endpoint("example.com", 8080, False)),
    ("https://example.com:8443", Endpoint("example.com", 8443, True)),
    ("HTTPS://Example.com", Endpoint("Example.com", None, True)),
    ("127.0.0.1:65535", Endpoint("127.0.0.1", 65535, True)),
    ("::1", Endpoint("::1", None, True)),
    ("[::1]", Endpoint("::1", None, True)),
    ("[::1]:8090", Endpoint("::1", 8090, True)),
    ("dns:///[2001:db8::1]:8090", Endpoint("2001:db8::1", 8090, True)),
    ("http://[::1]:8090/", Endpoint("::1", 8090, False)),
    ("http://::1", Endpoint("::1", None, False)),
]

REFUSED = [
    ("", "is empty"),
    (" ", "a space"),
    ("localhost:8090 ", "a space"),
    ("localhost:8090\n", "a line end"),
    ("local\x00host", "a control character"),
    ("https://", "names no host"),
    ("dns:///", "third slash"),
    ("dns:////", "names no host"),
    (":8090", "names no host"),
    ("dns://example.com:443", "third slash"),
    ("dns://8.8.8.8/example.com", "DNS server"),
    ("dns:/example.com", "a path"),
    ("http://example.com/v2", "a path"),
    ("http://example.com//", "a path"),
    ("example.com/console", "a path"),
    ("http://example.com?a=b", "a query"),
    ("http://example.com#top", "a fragment"),
    ("http://me@example.com", "a user"),
    ("ftp://example.com", "the scheme 'ftp'"),
    ("grpc://example.com", "the scheme 'grpc'"),
    ("://example.com", "no scheme before ://"),
    ("localhost:", "'' for a port"),
    ("localhost:0", "'0' for a port"),
    ("localhost:65536", "'65536' for a port"),
    ("localhost:-1", "'-1' for a port"),
    ("localhost:http", "'http' for a port"),
    ("localhost:٨٠", "for a port"),
    ("localhost:" + "9" * 5000, "for a port"),
    ("[::1]:", "'' for a port"),
    ("[::1", "in brackets"),
    ("[::1]8090", "in brackets"),
    ("[127.0.0.1]:80", "no IPv6 address"),
    ("1:2:3", "no IPv6 address"),
    ("fe80::1%eth0", "a zone"),
    ("8090", "neither a name nor an IPv4 address"),
    ("127.1", "neither a name nor an IPv4 address"),
    ("256.0.0.1:80", "neither a name nor an IPv4 address"),
    ("0x7f000001", "neither a name nor an IPv4 address"),
    ("münchen.de", "not ASCII"),
    ("a..b", "for a host"),
    ("-a.de", "for a host"),
    ("*", "for a host"),
    ("x" * 64, "for a host"),
    (".".join(["x" * 60] * 5), "for a host"),
]


@pytest.mark.parametrize(("text", "endpoint"), TAKEN)
def test_takes(text: str, endpoint: Endpoint) -> None:
    """Each form is taken apart; by its scheme it is secure or not, and without one it is secure."""
    assert Endpoint.parse(text, None) == endpoint


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_refuses(text: str, why: str) -> None:
    """Another text is rejected, with the reason and the valid forms, in a few words."""
    with pytest.raises(ConfigError) as refused:
        Endpoint.parse(text)
    assert why in refused.value.message
    assert refused.value.message.endswith('"dns:///host:port", "http://host:port" or "https://host:port"')
    assert len(refused.value.message) < 450


@pytest.mark.parametrize("text", [None, 8090, b"localhost:8090", ["localhost"]])
def test_refuses_what_is_no_text(text: Any) -> None:
    """Anything but text is refused."""
    with pytest.raises(ConfigError, match="is not a string"):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    ("text", "insecure", "secure"),
    [
        ("example.com", True, False),
        ("example.com", False, True),
        ("dns:///example.com", True, False),
        ("dns:///example.com", False, True),
        ("http://example.com", True, False),
        ("https://example.com", False, True),
    ],
)
def test_insecure(text: str, insecure: bool, secure: bool) -> None:
    """`insecure` decides where the scheme doesn't, and may repeat what the scheme says."""
    assert Endpoint.parse(text, insecure).secure is secure


@pytest.mark.parametrize(("text", "insecure"), [("http://example.com", False), ("https://example.com", True)])
def test_contradiction(text: str, insecure: bool) -> None:
    """A scheme that contradicts `insecure` is refused: one of the two would have to be ignored."""
    with pytest.raises(ConfigError, match=f"contradicts insecure={insecure}: leave insecure out, or write http"):
        Endpoint.parse(text, insecure)


def test_insecure_is_no_text() -> None:
    """An unparsed boolean is refused: "false" would count as true."""
    with pytest.raises(ConfigError, match="insecure='false' should be True, False or None"):
        Endpoint.parse("localhost:8090", "false")  # pyright: ignore[reportArgumentType]  # the fault under test


@pytest.mark.parametrize(
    "text",
    [
        "http://me:hunter2@example.com",
        "me:hunter2@example.com:80",
        "me:hunter2@://example.com",
        "http://me:hunter2://@example.com",
        "http://me:hunter2 @example.com",
        "ftp://me:hunter2@example.com",
        "dns://me:hunter2@example.com",
        "https://example.com?token=hunter2",
        "https://example.com/app?token=hunter2",
        "https://example.com#hunter2",
    ],
)
def test_keeps_secrets(text: str) -> None:
    """No message repeats a password or a query."""
    with pytest.raises(ConfigError) as refused:
        Endpoint.parse(text)
    assert "hunter2" not in str(refused.value)


def test_names_the_setting() -> None:
    """Messages begin with the name of the setting."""
    with pytest.raises(ConfigError, match=r"^variable X 'ftp://h' has the scheme"):
        Endpoint.parse("ftp://h", what="variable X")


@pytest.mark.parametrize(
    ("text", "url", "authority", "target"),
    [
        ("https://example.com/", "https://example.com", "example.com", "example.com:443"),
        ("http://example.com/", "http://example.com", "example.com", "example.com:80"),
        ("http://example.com:8090", "http://example.com:8090", "example.com:8090", "example.com:8090"),
        ("dns:///example.com", "https://example.com", "example.com", "example.com:443"),
        ("::1", "https://[::1]", "[::1]", "[::1]:443"),
        ("http://[::1]:8090", "http://[::1]:8090", "[::1]:8090", "[::1]:8090"),
    ],
)
def test_spellings(text: str, url: str, authority: str, target: str) -> None:
    """The URL has no slash at the end, the authority shows the port as given, the target has one always."""
    endpoint = Endpoint.parse(text)
    assert (endpoint.url, endpoint.authority, endpoint.target) == (url, authority, target)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("localhost:8090", True),
        ("LocalHost", True),
        ("localhost.", True),
        ("app.localhost:80", True),
        ("127.0.0.1", True),
        ("127.9.9.9:1", True),
        ("[::1]:8090", True),
        ("0:0:0:0:0:0:0:1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("128.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:10.0.0.1", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_is_loopback(text: str, loopback: bool) -> None:
    """This machine is known by its names and by its addresses."""
    assert Endpoint.parse(text).is_loopback is loopback


@pytest.mark.parametrize(
    "text", [text for text, _ in TAKEN if not text.lower().startswith(("dns:e", "dns:///e", "http"))]
)
@pytest.mark.parametrize("insecure", [False, True])
def test_agrees_with_the_sdk(text: str, insecure: bool) -> None:
    """An endpoint without a scheme means the same address as in the SDK; but for bare IPv6."""
    sdk = normalize_rpc_endpoint(sanitize_endpoint(text) or "", insecure=insecure)
    ours = Endpoint.parse(text, insecure).url
    assert ours == (sdk.replace("::1", "[::1]") if text == "::1" else sdk)


HOSTS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map("[{}]".format),
    st.text(max_size=10),
)
PORTS = st.one_of(st.just(""), st.integers(-1, 70_000).map(":{}".format), st.text(max_size=6).map(":{}".format))
SCHEMES = st.sampled_from(
    ["", "dns:", "dns://", "dns:///", "http://", "https://", "HTTP://", "ftp://", "://", "//", "@"]
)
TAILS = st.sampled_from(["", "", "/", "//", "/a", "?a", "#a", "@a", " "])
TEXTS = st.one_of(st.text(), st.builds("{}{}{}{}".format, SCHEMES, HOSTS, PORTS, TAILS))


@settings(deadline=None)  # a busy machine is no fault
@given(TEXTS, st.sampled_from([None, True, False]))
@example("dns:8090", None)
def test_any_text(text: str, insecure: bool | None) -> None:
    """Any text is an Endpoint or a ConfigError; an endpoint's URL, and its target, is the same endpoint again."""
    try:
        endpoint = Endpoint.parse(text, insecure)
    except ConfigError:
        return
    assert Endpoint.parse(endpoint.url) == endpoint
    assert Endpoint.parse(endpoint.authority, not endpoint.secure) == endpoint
    again = Endpoint.parse(endpoint.target)
    assert (again.host, again.port) == (endpoint.host, endpoint.effective_port)
    assert endpoint.url.isascii() and not endpoint.url.endswith("/")
