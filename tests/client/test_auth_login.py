"""Logins of a person: with a browser, on another device, and by what the keyring holds."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import keyring
import keyring.backend
import pytest
from keyring.errors import KeyringLocked

from client.authority import SCOPE, Answer, Authority, plane_of
from flyteapps import Client
from flyteapps.auth import Auth, DeviceFlow, Pkce
from flyteapps.auth.sources import stored
from flyteapps.errors import ConfigError, DeadlineExceeded, ProtocolError, Unauthenticated
from flyteapps.testing import MockTransport

ENDPOINT = "in process"


class Memory(keyring.backend.KeyringBackend):
    """A keyring in memory. `failure`: what each use raises, or does."""

    priority = 1.0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], str] = {}
        self.failure: Callable[[], None] = lambda: None

    def get_password(self, service: str, username: str) -> str | None:
        """See KeyringBackend."""
        self.failure()
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """See KeyringBackend."""
        self.failure()
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """See KeyringBackend."""
        del self.items[service, username]


@pytest.fixture(autouse=True)
def ring() -> Iterator[Memory]:
    """An empty keyring, for the time of a test."""
    before, memory = keyring.get_keyring(), Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


class People(Authority):
    """An authority with logins of a person, and refresh tokens that are used once."""

    def __init__(self) -> None:
        super().__init__()
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.redirect_port = bound.getsockname()[1]
        self.refresh_tokens: set[str] = set()
        self.challenges: dict[str, str] = {}
        self.polls: list[Any] = []
        self.device = {
            "device_code": "device-secret",
            "user_code": "ABCD-EFGH",
            "verification_uri": "https://auth.example.org/device",
            "expires_in": 600,
            "interval": 0.05,
        }
        self.script = self._answer

    def tokens(self) -> Answer:
        """Return the response with both tokens."""
        refresh_token = f"refresh-{self.issued + 1}"
        self.refresh_tokens.add(refresh_token)
        return self.issue(refresh_token=refresh_token)

    def _answer(self, form: dict[str, str]) -> Answer:
        if form["path"] == "/oauth2/device_authorization":
            return Answer(body=self.device)
        grant = form["grant_type"]
        if grant == "refresh_token" and form["refresh_token"] in self.refresh_tokens:
            self.refresh_tokens.discard(form["refresh_token"])
            return self.tokens()
        if grant == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if self.challenges.pop(form["code"], "") == challenge and form["client_id"] == "cli":
                return self.tokens()
        if grant.endswith("device_code") and form["device_code"] == "device-secret":
            answer = self.polls.pop(0) if self.polls else None
            return Answer(400, {"error": answer}) if answer else self.tokens()
        return Answer(400, {"error": "invalid_grant"})

    def transport(self) -> MockTransport:
        """Return a transport to the plane."""
        redirect = f"http://localhost:{self.redirect_port}/callback"
        return plane_of(self, redirect_uri=redirect, client_id="cli", scopes=["all"], audience="plane")

    def client(self, auth: Auth, **options: Any) -> Client:
        """Return a client."""
        return Client(transport=self.transport(), auth=auth, **{**SCOPE, **options})

    def browse(self, url: str) -> None:
        """Log in as a browser does: the redirect brings a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and asked["scope"] == "all"
        code = f"code-{len(self.challenges)}-{self.issued}"
        self.challenges[code] = asked["code_challenge"]
        visit(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")


def visit(url: str) -> int:
    """Get a page, and return the status."""
    try:
        with urllib.request.urlopen(url.replace("localhost", "127.0.0.1"), timeout=10) as page:
            return page.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def people() -> Iterator[People]:
    """An authority."""
    with People() as running:
        yield running


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, people: People) -> list[str]:
    """A browser that logs in at once; the pages that were opened."""
    opened: list[str] = []

    def opens(url: str) -> bool:
        opened.append(url)
        people.browse(url)
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    return opened


def quiet(text: str) -> None:
    """Show nothing."""


@pytest.mark.parametrize("awaiting", [False, True])
def test_a_browser_logs_in_once(people: People, browser: list[str], ring: Memory, awaiting: bool) -> None:
    """The first refused call opens it; the tokens are stored, and other clients need none."""
    for _ in range(2):
        client = people.client(Pkce(prompt=quiet))
        if awaiting:
            asyncio.run(client.apps.get.aio("hello"))
        else:
            client.apps.get("hello")
    assert len(browser) == 1
    assert ring.items == {(ENDPOINT, "tokens"): '{"access_token": "token-1", "refresh_token": "refresh-1"}'}


def test_a_crowd_logs_in_once(people: People, browser: list[str]) -> None:
    """Fifty tasks open one browser."""
    client = people.client(Pkce(prompt=quiet))

    async def crowd() -> None:
        await asyncio.gather(*(client.apps.get.aio("hello") for _ in range(50)))

    asyncio.run(crowd())
    assert len(browser) == 1 and people.issued == 1


def test_refresh_tokens_rotate(people: People, browser: list[str], ring: Memory) -> None:
    """Each is used once, and the next one is stored."""
    client = people.client(Pkce(prompt=quiet))
    for _ in range(4):
        client.apps.get("hello")
        people.revoke()
    client.apps.get("hello")
    assert len(browser) == 1 and people.issued == 5
    assert "refresh-5" in ring.items[ENDPOINT, "tokens"]


def test_the_tokens_of_another_process_count(people: People, browser: list[str]) -> None:
    """Where it has rotated them meanwhile, its tokens are taken from the keyring."""
    one, other = people.client(Pkce(prompt=quiet)), people.client(Pkce(prompt=quiet))
    one.apps.get("hello")
    other.apps.get("hello")
    people.revoke()
    one.apps.get("hello")  # rotates
    other.apps.get("hello")
    assert len(browser) == 1 and people.issued == 2


def test_a_login_that_expired_begins_anew(people: People, browser: list[str]) -> None:
    """A refresh token that is refused leads to another login."""
    client = people.client(Pkce(prompt=quiet))
    client.apps.get("hello")
    people.revoke()
    people.refresh_tokens.clear()
    client.apps.get("hello")
    assert len(browser) == 2


def test_the_sdk_reads_our_item_and_we_its(people: People, browser: list[str], ring: Memory) -> None:
    """One login counts for both."""
    from flyte.remote._client.auth._keyring import Credentials, KeyringStore

    people.client(Pkce(prompt=quiet)).apps.get("hello")
    ours = KeyringStore.retrieve(ENDPOINT)
    assert ours is not None and (ours.access_token, ours.refresh_token) == ("token-1", "refresh-1")
    ring.items.clear()
    KeyringStore.store(Credentials(access_token="token-1", for_endpoint=ENDPOINT, refresh_token="refresh-1"))
    people.client(Pkce(interactive=False)).apps.get("hello")
    assert len(browser) == 1
    for endpoint in ("https://host:8090", "https://host", "http://[::1]:80"):
        service = stored.Keyring(endpoint).service
        KeyringStore.store(Credentials(access_token="x", for_endpoint=endpoint))
        assert (service, "tokens") in ring.items


def test_without_a_keyring_a_login_serves_its_client(people: People, browser: list[str], ring: Memory) -> None:
    """Nothing is stored, and the refresh token is kept in memory."""
    client = people.client(Pkce(prompt=quiet, keyring=False))
    client.apps.get("hello")
    people.revoke()
    client.apps.get("hello")
    assert ring.items == {} and len(browser) == 1


def test_a_locked_keyring_stops_no_login(people: People, browser: list[str], ring: Memory) -> None:
    """It can neither be read nor written; the error of a client that may not log in says so."""

    def locked() -> None:
        raise KeyringLocked

    ring.failure = locked
    people.client(Pkce(prompt=quiet)).apps.get("hello")
    with pytest.raises(Unauthenticated, match=r"not logged in .*it can't be used: KeyringLocked.*flyteapps login"):
        people.client(Pkce(interactive=False)).apps.get("hello")


def test_a_keyring_that_waits_for_a_person_is_given_up(
    people: People, ring: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some seconds; its thread is left alone."""
    monkeypatch.setattr(stored, "MAX_SECONDS", 0.05)
    release = threading.Event()

    def waits() -> None:
        release.wait(30)

    ring.failure = waits
    try:
        with pytest.raises(Unauthenticated, match="no answer in time: is it locked"):
            people.client(Pkce(interactive=False)).apps.get("hello")
    finally:
        release.set()


@pytest.mark.parametrize("item", ["no JSON", "[]", '{"access_token": 3}', "{}", ""])
def test_a_broken_item_counts_as_none(people: People, ring: Memory, item: str) -> None:
    """No call fails for it in another way than without."""
    ring.items[ENDPOINT, "tokens"] = item
    with pytest.raises(Unauthenticated, match="not logged in"):
        people.client(Pkce(interactive=False)).apps.get("hello")


def test_a_browser_that_never_comes_back(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call ends by its timeout, and says what to do; the port is free again."""
    monkeypatch.setattr("webbrowser.open", bool)
    for call in ("blocking", "awaiting"):
        client = people.client(Pkce(prompt=quiet), timeout=0.3, retries=1)
        with pytest.raises(DeadlineExceeded, match=r"no login came back .*flyteapps login --device"):
            client.apps.get("hello") if call == "blocking" else asyncio.run(client.apps.get.aio("hello"))
    with socket.create_server(("127.0.0.1", people.redirect_port)):
        pass


def test_a_port_that_is_taken(people: People, browser: list[str]) -> None:
    """One error, and no browser."""
    client = people.client(Pkce(prompt=quiet), retries=1)
    taken = pytest.raises(ConfigError, match=f"port {people.redirect_port} .* can't be used .*DeviceFlow")
    with socket.create_server(("127.0.0.1", people.redirect_port)), taken:
        client.apps.get("hello")
    assert browser == []


def test_an_answer_to_another_login_is_refused(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong state, and another path, get an error page; the right answer still counts."""
    statuses: list[int] = []

    def opens(url: str) -> bool:
        base = f"http://localhost:{people.redirect_port}"
        statuses.extend(visit(f"{base}{path}") for path in ("/favicon.ico", "/callback?code=x&state=y", "/callback"))
        people.browse(url)
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    people.client(Pkce(prompt=quiet)).apps.get("hello")
    assert statuses == [404, 400, 400]


def test_a_login_that_is_denied(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority's reason is in the error."""

    def opens(url: str) -> bool:
        state = parse_qs(urlsplit(url).query)["state"][0]
        visit(
            f"http://localhost:{people.redirect_port}/callback?error=access_denied&error_description=no%0Away&state={state}"
        )
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    with pytest.raises(Unauthenticated, match="the login failed: access_denied no way"):
        people.client(Pkce(prompt=quiet), retries=1).apps.get("hello")


def test_a_redirect_to_another_machine_is_refused(people: People) -> None:
    """The code would be sent there."""
    for uri in ("https://evil.example.org/callback", "http://evil.example.org:80/", "", "javascript:x"):
        transport = plane_of(people, redirect_uri=uri, client_id="cli")
        with pytest.raises(ConfigError, match="is no address of this machine"):
            Client(transport=transport, auth=Pkce(prompt=quiet), retries=1, **SCOPE).apps.get("hello")


@pytest.mark.parametrize("awaiting", [False, True])
def test_a_login_on_another_device(people: People, awaiting: bool) -> None:
    """The address and the code are shown; the token endpoint is asked until it is approved."""
    people.polls = ["authorization_pending", "authorization_pending"]
    texts: list[str] = []
    client = people.client(DeviceFlow(prompt=texts.append))
    asyncio.run(client.apps.get.aio("hello")) if awaiting else client.apps.get("hello")
    assert texts == ["Log in at https://auth.example.org/device with the code ABCD-EFGH"]
    assert len(people.requests) == 4


def test_a_device_login_slows_down(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause grows after slow_down, and after an answer that asks for time."""
    from flyteapps.auth.sources import device_flow

    monkeypatch.setattr(device_flow, "SLOW_DOWN_SECONDS", 0.2)
    people.polls = ["slow_down"]
    began = time.monotonic()
    people.client(DeviceFlow(prompt=quiet)).apps.get("hello")
    assert time.monotonic() - began >= 0.05 + 0.25


@pytest.mark.parametrize(
    ("reason", "text"),
    [("access_denied", "was denied on the other device"), ("expired_token", "expired before it was approved")],
)
def test_a_device_login_that_fails(people: People, reason: str, text: str) -> None:
    """The reason is in the error."""
    people.polls = ["authorization_pending", reason]
    with pytest.raises(Unauthenticated, match=text):
        people.client(DeviceFlow(prompt=quiet), retries=1).apps.get("hello")


def test_a_device_code_that_expires(people: People) -> None:
    """By its own lifetime, or by the timeout of the call."""
    people.polls = ["authorization_pending"] * 1_000
    people.device["expires_in"] = 0.3  # pyright: ignore[reportArgumentType]
    with pytest.raises(DeadlineExceeded, match=r"the code expired, after 0\.3 s: log in again"):
        people.client(DeviceFlow(prompt=quiet), retries=1).apps.get("hello")
    people.device["expires_in"] = 600
    with pytest.raises(DeadlineExceeded, match="was not approved within the timeout"):
        people.client(DeviceFlow(prompt=quiet), retries=1, timeout=0.3).apps.get("hello")


def test_a_malformed_device_answer(people: People) -> None:
    """One error for each."""
    for name, value in (("device_code", 3), ("expires_in", 0), ("expires_in", None), ("interval", "x")):
        before = dict(people.device)
        people.device[name] = value  # pyright: ignore[reportArgumentType]
        with pytest.raises(ProtocolError, match="malformed answer"):
            people.client(DeviceFlow(prompt=quiet), retries=1).apps.get("hello")
        people.device = before
