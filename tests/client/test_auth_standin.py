"""The client's logins against the stand-in: each source, over each transport, and through many lifetimes of a token."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import flyteapps
from client.authority import Answer, Authority
from client.conftest import SCOPE, TRANSPORTS, client_of
from client.test_auth_login import Memory, quiet
from flyteapps import Client, cli
from flyteapps.auth import (
    ApiKey,
    Auth,
    ClientSecret,
    DeviceFlow,
    ExternalCommand,
    Passthrough,
    Pkce,
    TokenFunction,
    auth_metadata,
)
from flyteapps.errors import Unauthenticated, Unavailable
from flyteapps_fake import FakeControlPlane

pytest.importorskip("authlib")
dialect = "standard"

SECRET = "robots-have-secrets-0123456789"


@pytest.fixture
def settings() -> dict[str, Any]:
    """The authentication of the plane."""
    return {
        "users": [{"subject": "alice", "role": "admin", "name": "Alice"}],
        "clients": [
            {"client_id": "cli", "redirect_uris": ["http://localhost:53593/callback"]},
            {"client_id": "robot", "secret": SECRET, "role": "contributor"},
        ],
        "device_interval_seconds": 0.05,
    }


@pytest.fixture
def plane(settings: dict[str, Any]) -> Iterator[FakeControlPlane]:
    """A plane that authenticates."""
    with FakeControlPlane(auth=settings) as fresh:
        yield fresh


@pytest.fixture
def ring() -> Iterator[Memory]:
    """An empty keyring, for the time of a test."""
    import keyring

    before, memory = keyring.get_keyring(), Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def round_trip(client: Client) -> str:
    """Create, watch, list, read the logs, stop, delete; return the creator."""
    app = client.apps.create(flyteapps.new_app("hello", image="x"))
    app.watch(timeout=20)
    assert [each.name for each in client.apps.listall()] == ["hello"]
    list(app.logs(follow=False))
    app.deactivate(wait=True, timeout=20)
    client.apps.delete("hello")
    return app.pb2.spec.creator.application.id.subject or app.pb2.spec.creator.user.id.subject


async def async_round_trip(client: Client) -> None:
    """Do the same, awaiting."""
    app = await client.apps.create.aio(flyteapps.new_app("hello", image="x"))
    await app.watch.aio(timeout=20)
    assert [each.name async for each in client.apps.listall.aio()] == ["hello"]
    await app.deactivate.aio(wait=True, timeout=20)
    await client.apps.delete.aio("hello")
    await client.aclose()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_round_trip_over_each_transport(plane: FakeControlPlane, transport: str) -> None:
    """A client secret where there is a token endpoint; in process the plane makes the tokens."""
    endpoint = f"{plane.serve().url}/oauth2/token" if transport == "grpcio" else ""  # its port serves AppService alone
    auth: Auth = ClientSecret("robot", SECRET, token_endpoint=endpoint)
    if transport == "direct":
        auth = TokenFunction(lambda: plane.token("robot", 60))
    with client_of(plane, transport, auth=auth) as client:
        assert round_trip(client) == "robot"
        asyncio.run(async_round_trip(client))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_revoked_token_is_replaced(plane: FakeControlPlane, transport: str) -> None:
    """Calls, and a stream that is open, go on with another one."""
    got: list[str] = []

    def token() -> str:
        got.append(plane.token("robot"))
        return got[-1]

    with client_of(plane, transport, auth=token) as client:
        app = client.apps.create(flyteapps.new_app("hello", image="x"))
        app.watch(timeout=20)
        events = app.events(timeout=20)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(next, events)
            client.apps.get("hello")
            plane.revoke_token(got[-1])
            client.apps.replace("hello", flyteapps.new_app("hello", image="y").spec, "another image")
            assert waiting.result(20).app.name == "hello"
        events.close()
        assert len(got) in (2, 3)


def test_an_api_key(plane: FakeControlPlane) -> None:
    """It names endpoint, client and org."""
    plane.serve()
    with Client.from_api_key(plane.api_key(), **SCOPE) as client:
        assert round_trip(client) == "robot" and client.settings.org == "flyte"
    assert isinstance(client.settings.auth and client.settings.auth.auth, ApiKey)


def test_a_command_and_passthrough(plane: FakeControlPlane, tmp_path: Path) -> None:
    """Tokens that others got."""
    server = plane.serve()
    (tmp_path / "token").write_text(plane.token("alice"))
    with Client(server.url, auth=ExternalCommand(["cat", str(tmp_path / "token")]), **SCOPE) as client:
        assert round_trip(client) == "alice"
    with Client(server.url, auth=Passthrough(), **SCOPE) as client:
        with auth_metadata(("authorization", f"Bearer {plane.token('alice')}")):
            assert round_trip(client) == "alice"
        with pytest.raises(Unauthenticated):
            client.apps.get("hello")


def forms(page: str) -> tuple[str, dict[str, str]]:
    """Return the action and the hidden fields of a page's form."""
    [action] = re.findall(r'<form method="post" action="([^"]+)"', page)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return action, {name: value.replace("&amp;", "&") for name, value in fields.items()}


def submit(base: str, page: str, **more: str) -> str:
    """Submit the form of a page, and return the next page."""
    action, fields = forms(page)
    data = urllib.parse.urlencode({**fields, **more}).encode()
    with urllib.request.urlopen(urllib.parse.urljoin(base, action), data, timeout=10) as answer:
        return answer.read().decode()


def get(url: str) -> str:
    """Return a page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def access_token(client: Client) -> str:
    """Return the token that a client uses."""
    session = client.settings.auth
    token = session and session._parts[0].token  # pyright: ignore[reportPrivateUsage]
    assert token is not None
    return token.access_token


@pytest.fixture
def pkce_plane(settings: dict[str, Any]) -> Iterator[FakeControlPlane]:
    """A plane whose redirect URI has a port that is free."""
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    settings["clients"][0]["redirect_uris"] = [f"http://localhost:{port}/callback"]
    with FakeControlPlane(auth=settings) as fresh:
        yield fresh


def test_a_browser(
    pkce_plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch, ring: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page lists the users; the login is kept, renewed, and ended by the commands."""
    server, opened = pkce_plane.serve(), []

    def opens(url: str) -> bool:
        opened.append(url)
        assert "You are logged in" in submit(url, get(url), user="alice", subject="alice", username="alice")
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    assert cli.main(["login", server.url]) == 0
    assert f"Logged in to {server.url} as Alice" in capsys.readouterr().out
    assert cli.main(["whoami", server.url]) == 0
    assert "subject: alice" in capsys.readouterr().out
    client = Client(server.url, auth=Pkce(prompt=quiet), **SCOPE)
    assert round_trip(client) == "alice" and len(opened) == 1
    pkce_plane.revoke_token(access_token(client))
    assert round_trip(client) == "alice" and len(opened) == 1  # by the refresh token
    assert cli.main(["logout", server.url]) == 0 and ring.items == {}
    assert cli.main(["logout", server.url]) == 0
    assert cli.main(["whoami", server.url]) == 1
    assert "There was no login" in capsys.readouterr().out


def test_another_device(plane: FakeControlPlane, ring: Memory) -> None:
    """The code is entered on the page, by a person with another browser."""
    server, shown = plane.serve(), []
    pool = ThreadPoolExecutor(1)

    def approve(text: str) -> None:
        shown.append(text)
        found = re.fullmatch(r"Log in at (\S+) with the code (\S+)", text)
        assert found is not None
        pool.submit(lambda: submit(found[1], get(found[1]), user_code=found[2], subject="alice", user="alice"))

    client = Client(server.url, auth=DeviceFlow(prompt=approve), **SCOPE)
    assert round_trip(client) == "alice" and len(shown) == 1
    pool.shutdown()


def lifetimes(minutes: float) -> tuple[FakeControlPlane, list[str], Any]:
    """Return a plane on the manual clock, the tokens of 2 s that were got, and the function that gets them."""
    plane = FakeControlPlane(auth={"users": [{"subject": "alice", "role": "admin"}]}, clock="manual")
    got: list[str] = []

    def token() -> str:
        got.append(plane.token("alice", 2))
        return got[-1]

    return plane, got, token


@pytest.mark.parametrize("minutes", [0.5, pytest.param(2, marks=pytest.mark.slow)])
def test_many_lifetimes_of_a_token(minutes: float) -> None:
    """200 concurrent calls and 50 watches, tokens of 2 s: no call fails, and refreshes are as many as lifetimes."""
    plane, got, token = lifetimes(minutes)
    with plane:
        client = Client(transport=plane.transport(), auth=token, **SCOPE)
        app = client.apps.create(flyteapps.new_app("hello", image="x"))

        async def main() -> None:
            streams = [app.events.aio() for _ in range(50)]
            watching = [asyncio.create_task(anext(stream)) for stream in streams]
            rounds = int(minutes * 60 / 2)
            for _ in range(rounds):
                await asyncio.gather(*(client.apps.get.aio("hello") for _ in range(200)))
                await asyncio.to_thread(plane.advance, 2)
            for each in watching:
                each.cancel()
            results = await asyncio.gather(*watching, return_exceptions=True)
            assert not [each for each in results if isinstance(each, flyteapps.Error)]
            for stream in streams:
                await stream.aclose()
            assert len(got) <= rounds + 1

        asyncio.run(main())


def test_many_lifetimes_over_threads() -> None:
    """The same with threads."""
    plane, got, token = lifetimes(1)
    with plane, ThreadPoolExecutor(40) as pool:
        client = Client(transport=plane.transport(), auth=token, **SCOPE)
        client.apps.create(flyteapps.new_app("hello", image="x"))
        for _ in range(20):
            assert len(list(pool.map(client.apps.get, ["hello"] * 200))) == 200
            plane.advance(2)
        assert len(got) <= 21


def test_the_authority_is_killed_and_comes_back(settings: dict[str, Any]) -> None:
    """Calls go on while the token lives, then fail with the reason, then recover."""
    with FakeControlPlane(auth=settings, clock="manual") as plane:
        authority = Authority()

        def issue(form: dict[str, str]) -> Answer:
            return Answer(body={"access_token": plane.token("robot", 60), "expires_in": 60})

        authority.script = issue
        auth = ClientSecret("robot", SECRET, token_endpoint=f"{authority.url}/token")
        client = Client(transport=plane.transport(), auth=auth, retries=1, **SCOPE)
        list(client.apps.listall())
        authority.close()
        credentials: Any = client.settings.auth and client.settings.auth._parts[0]  # pyright: ignore[reportPrivateUsage]
        credentials.token.renew_at = 0.0  # it is time to renew it
        list(client.apps.listall())
        list(client.apps.listall())
        plane.advance(61)
        with pytest.raises(Unavailable, match=r"ClientSecret: the token endpoint .*/token can't be reached"):
            list(client.apps.listall())
        with Authority(authority.port) as again:
            again.script = issue
            credentials._next_at = 0.0  # the pause has passed
            list(client.apps.listall())


def test_whoami_without_a_login(plane: FakeControlPlane, ring: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what to do; a plane that can't be reached is another."""
    server = plane.serve()
    assert cli.main(["whoami", server.url]) == 1
    assert "not logged in" in capsys.readouterr().err
    assert cli.main(["whoami", "http://127.0.0.1:9"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert cli.main(["whoami", "a b"]) == 1
    assert cli.main(["login", "--nothing"]) == 2


@pytest.mark.parametrize("name", ["login", "logout", "whoami"])
def test_the_help_of_a_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the form of the other commands: usage, what it does, options in groups, examples."""
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: flyteapps {name} [OPTIONS] [ENDPOINT]\n\n  ")
    assert "\nPlane:\n  ENDPOINT " in shown and "\nOther:\n  -h, --help " in shown
    assert f"\n  flyteapps {name} flyte.example.org" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_this_machine_needs_no_scheme(
    plane: FakeControlPlane, ring: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    """HOST:PORT of this machine is http, as for `flyteapps control`."""
    url = plane.serve().url
    assert cli.main(["whoami", url.removeprefix("http://")]) == 1
    assert "not logged in" in capsys.readouterr().err


def test_whoami_by_the_configuration(
    plane: FakeControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str], ring: Memory
) -> None:
    """A client secret of the file is used; `login` says that it needs none."""
    server = plane.serve()
    (tmp_path / "secret").write_text(SECRET)
    config = tmp_path / "config.yaml"
    config.write_text(
        f"admin:\n  endpoint: {server.url}\n  authType: ClientSecret\n  clientId: robot\n"
        f"  clientSecretLocation: {tmp_path / 'secret'}\n"
    )
    assert cli.main(["whoami", "--config", str(config)]) == 0
    assert "robot" in capsys.readouterr().out
    assert cli.main(["login", "--config", str(config)]) == 0
    assert "no login is needed" in capsys.readouterr().out
    config.write_text("admin: {endpoint: 3}\n")
    assert cli.main(["whoami", "--config", str(config)]) == 1


def test_a_plane_that_does_not_say_where_to_get_credentials(plane: FakeControlPlane) -> None:
    """One that wants them, and serves no AuthMetadataService."""
    refused = pytest.raises(Unauthenticated, match=r"serves no AuthMetadataService\): pass ClientSecret")
    with client_of(plane, "grpcio", auth=ClientSecret("robot", SECRET)) as client, refused:
        client.apps.get("hello")
