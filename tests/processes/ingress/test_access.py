"""Access: the host names that are answered, and tokens for apps that need them."""

from __future__ import annotations

import pytest

from .running import GET, OK, Running, answering, no_token


def for_host(host: bytes, target: bytes = b"/") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"localhost:9",
        b"127.0.0.1:9",
        b"[::1]",
        b"x.localhost",
        b"demo-1.apps.localhost",
        b"demo.example.com",
    ],
)
async def test_names_of_this_machine_and_the_app_are_answered(running: Running, host: bytes) -> None:
    """An app's port answers for each name that leads to it."""
    route = await running.app(
        await running.replica(answering(OK)), label="demo-1", hosts=frozenset({"demo.example.com"})
    )
    assert (await (await running.client(route)).request(for_host(host))).body == b"ok"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:80",
        b"localhost.evil.example",
        b"a@localhost",
        b"",
        b"\xff",
        b"other.example.com",
        b"x" * 9000,
    ],
)
async def test_other_names_are_refused(running: Running, host: bytes) -> None:
    """A web page whose name leads to this machine (DNS rebinding) gets no app's answer, on its port or the router's."""
    seen: list[bytes] = []
    replica = await running.replica(answering(OK, seen))
    route = await running.app(replica, label="demo-1", hosts=frozenset({"demo.example.com"}))
    await running.app(replica, name="other", hosts=frozenset({"other.example.com"}))
    if host:
        response = await (await running.client(route)).request(for_host(host))
        assert response.status == 421 and b"localhost" in response.body
    if host != b"other.example.com":
        router = await running.router()
        for target in (b"/apps/demo-1/", b"/_flyteapps/apps/p/d/demo/"):
            response = await (await running.client(router)).request(for_host(host, target))
            assert response.status == 421
    assert seen == [] and running.lines == []


async def test_a_router_may_answer_for_further_names(running: Running) -> None:
    """Names that the server was started with are answered for paths of apps."""
    await running.use(allows_host="host.docker.internal".__eq__)
    await running.app(await running.replica(answering(OK)), label="demo-1")
    client = await running.client(await running.router())
    assert (await client.request(for_host(b"host.docker.internal", b"/apps/demo-1/"))).body == b"ok"


async def test_a_token_is_needed_where_the_app_says_so(running: Running) -> None:
    """A request without a valid token is refused, wakes no app, and tells the client what to send."""
    await running.use(authorize="good".__eq__)
    seen: list[bytes] = []
    route = await running.app(await running.replica(answering(OK, seen)), requires_auth=True)
    client = await running.client(route)
    for header in (
        b"",
        b"Authorization: Basic Z29vZA==\r\n",
        b"Authorization: Bearer\r\n",
        b"Authorization: Bearer bad\r\n",
    ):
        response = await client.request(GET[:-2] + header + b"\r\n")
        assert response.status == 401 and response.one(b"www-authenticate").startswith(b"Bearer")
        assert response.one(b"x-flyteapps-app") == b"p/d/demo"
    assert seen == [] and running.wakes == 0 and [line.status for line in running.lines] == [401] * 4
    response = await client.request(GET[:-2] + b"authorization: bearer good\r\n\r\n")
    assert response.body == b"ok" and b"\r\nauthorization: bearer good\r\n" in seen[0]


async def test_a_token_is_needed_on_every_path_to_the_app(running: Running) -> None:
    """The router asks for it, too, by host name, by path and by name."""
    await running.use(authorize=no_token)
    await running.app(await running.replica(answering(OK)), label="demo-1", requires_auth=True)
    client = await running.client(await running.router())
    for host, target in (
        (b"demo-1.apps.localhost", b"/"),
        (b"localhost", b"/apps/demo-1/"),
        (b"localhost", b"/_flyteapps/apps/p/d/demo/"),
    ):
        assert (await client.request(for_host(host, target))).status == 401


async def test_no_token_is_needed_without_authentication(running: Running) -> None:
    """On a plane without authentication no app needs a token, and with it none that doesn't ask for one."""
    open_app = await running.app(await running.replica(answering(OK)), requires_auth=True)
    assert (await (await running.client(open_app)).request(GET)).body == b"ok"
    await running.use(authorize=no_token)
    other = await running.app(await running.replica(answering(OK)), name="other")
    assert (await (await running.client(other)).request(GET)).body == b"ok"
