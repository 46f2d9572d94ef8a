"""Credentials: got at the first call, renewed in time and after a refusal, by one caller at a time."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError

import flyteapps
from client.authority import CLIENT_ID, SCOPE, SECRET, Answer, Authority, plane_of
from flyteapps import App, Client
from flyteapps.auth import (
    ApiKey,
    Auth,
    ClientSecret,
    ExternalCommand,
    Passthrough,
    StaticToken,
    TokenFunction,
    auth_metadata,
)
from flyteapps.auth.credentials import Credentials
from flyteapps.errors import Error, PermissionDenied, Unauthenticated, Unavailable
from flyteapps.testing import Call, MockTransport


@pytest.fixture
def authority() -> Any:
    """A token endpoint."""
    with Authority() as running:
        yield running


def secret_client(authority: Authority, **options: Any) -> Client:
    """Return a client with a client secret."""
    return Client(transport=plane_of(authority), auth=ClientSecret(CLIENT_ID, SECRET), **{**SCOPE, **options})


def credentials_of(client: Client) -> Credentials:
    """Return the credentials that a client holds."""
    session = client.settings.auth
    assert session is not None
    return session._parts[0]  # pyright: ignore[reportPrivateUsage]


def test_a_client_secret_is_exchanged_at_the_first_call(authority: Authority) -> None:
    """One token serves all calls, blocking and awaiting; nothing is sent before the first."""
    client = secret_client(authority)
    assert authority.requests == []
    client.apps.get("hello")
    asyncio.run(client.apps.get.aio("hello"))
    [request] = authority.requests
    assert request["grant_type"] == "client_credentials" and request["authorization"].startswith("Basic ")


def test_scope_and_audience_are_the_planes_unless_given(authority: Authority) -> None:
    """Scopes and audience of AuthMetadataService are sent, in the header that it names."""
    transport = plane_of(authority, "flyte-authorization", scopes=["all", "offline"], audience="https://plane")
    Client(transport=transport, auth=ClientSecret(CLIENT_ID, SECRET), **SCOPE).apps.get("hello")
    own = ClientSecret(CLIENT_ID, SECRET, scopes=["one"], audience="two")
    Client(transport=transport, auth=own, **SCOPE).apps.get("hello")
    assert [(each["scope"], each["audience"]) for each in authority.requests] == [
        ("all offline", "https://plane"),
        ("one", "two"),
    ]
    assert transport.calls[-1].headers["flyte-authorization"] == "Bearer token-2"


@pytest.mark.parametrize("awaiting", [False, True])
def test_a_refused_call_is_repeated_with_another_token(authority: Authority, awaiting: bool) -> None:
    """A revoked token is replaced, and the caller notices nothing."""
    client = secret_client(authority)
    client.apps.get("hello")
    authority.revoke()
    if awaiting:
        asyncio.run(client.apps.get.aio("hello"))
    else:
        client.apps.get("hello")
    assert len(authority.requests) == 2


def test_a_hundred_tasks_make_one_refresh(authority: Authority) -> None:
    """At the first call, and after each refusal."""
    client = secret_client(authority)

    async def crowd() -> None:
        await asyncio.gather(*(client.apps.get.aio("hello") for _ in range(100)))

    for round_ in range(1, 4):
        asyncio.run(crowd())
        assert len(authority.requests) == round_
        authority.revoke()


def test_a_hundred_threads_make_one_refresh(authority: Authority) -> None:
    """The same for threads, and for event loops in threads."""
    client = secret_client(authority)
    barrier = threading.Barrier(100)

    def one(number: int) -> None:
        barrier.wait(30)
        if number % 2:
            client.apps.get("hello")
        else:
            asyncio.run(client.apps.get.aio("hello"))

    for round_ in range(1, 3):
        with ThreadPoolExecutor(100) as pool:
            list(pool.map(one, range(100)))
        assert len(authority.requests) == round_
        authority.revoke()


@pytest.mark.parametrize("rpc", ["watch", "logs"])
def test_a_refused_stream_is_opened_again(authority: Authority, rpc: str) -> None:
    """A stream that is refused at its start gets another token."""
    client = secret_client(authority)
    app = client.apps.get("hello")
    authority.revoke()
    if rpc == "logs":
        assert list(app.logs(follow=False)) == []
    else:
        events = app.events(timeout=1)
        assert list(events) == []
    assert len(authority.requests) == 2


def test_a_token_is_renewed_before_it_expires(authority: Authority) -> None:
    """The call that notices renews it; if that fails, the old one is used while it lives."""
    client = secret_client(authority)
    client.apps.get("hello")
    credentials = credentials_of(client)
    assert credentials.token is not None
    early = credentials.token.expires_at - credentials.token.renew_at
    assert 30 <= 3600 * 0.2 * 0.5 <= 3600 and 150 <= early <= 300
    credentials.token.renew_at = 0.0
    authority.script = lambda form: Answer(500, {})
    client.apps.get("hello")
    client.apps.get("hello")
    assert len(authority.requests) == 2  # and the second call didn't try
    credentials._next_at = 0.0  # pyright: ignore[reportPrivateUsage]
    authority.script = lambda form: None
    client.apps.get("hello")
    assert len(authority.requests) == 3 and credentials.token.headers["authorization"] == "Bearer token-2"


def test_a_failed_refresh_is_not_hammered(authority: Authority) -> None:
    """All calls get the error of the last attempt until the next one is due; it names mode and endpoint."""
    authority.script = lambda form: Answer(503, {})
    client = secret_client(authority, retries=1)
    errors: list[Error] = []
    for _ in range(20):
        with pytest.raises(Unavailable) as caught:
            client.apps.get("hello")
        errors.append(caught.value)
    assert len(authority.requests) == 1
    assert "ClientSecret" in errors[0].message and f"{authority.url}/oauth2/token" in errors[0].message
    assert "tried again in" in errors[-1].message
    assert not any(each.maybe_applied for each in errors)


def test_a_short_outage_of_the_authority_is_waited_for(authority: Authority) -> None:
    """A call with time left is tried again when the next attempt is due."""
    answers = iter([Answer(503, {}), None])
    authority.script = lambda form: next(answers, None)
    secret_client(authority).apps.get("hello")
    assert len(authority.requests) == 2


def test_a_plane_that_accepts_no_token_does_not_make_every_call_get_one(authority: Authority) -> None:
    """After a refusal of a token that was never accepted, one more is tried, and then none for a while."""
    client = secret_client(authority)
    original = authority.issue

    def unknown(**more: Any) -> Answer:
        answer = original(**more)
        authority.revoke()
        return answer

    authority.issue = unknown  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            client.apps.get("hello")
    assert len(authority.requests) == 2


def test_permission_denied_without_credentials_is_a_refusal() -> None:
    """A plane may answer so to a call without any; with credentials it is final."""
    seen: list[str | None] = []

    def answer(call: Call) -> Any:
        seen.append(call.headers.get("authorization"))
        return ConnectError(Code.PERMISSION_DENIED, "no")

    class Lazy(TokenFunction):
        on_refusal = True

    client = Client(transport=MockTransport(answer), auth=Lazy(lambda: "t"), **SCOPE)
    with pytest.raises(PermissionDenied):
        client.apps.get("hello")
    assert seen == [None, "Bearer t"]
    with pytest.raises(PermissionDenied):
        client.apps.get("hello")
    assert seen[2:] == ["Bearer t"]


@pytest.mark.parametrize("code", [Code.UNKNOWN, Code.UNAVAILABLE, Code.INTERNAL, Code.DEADLINE_EXCEEDED])
def test_nothing_else_is_repeated_for_its_credentials(code: Code) -> None:
    """A write that may have been applied is not sent again by the credentials."""
    got: list[int] = []

    def function() -> str:
        got.append(1)
        return "t"

    transport = MockTransport(lambda call: ConnectError(code, "unauthorized"))
    client = Client(transport=transport, auth=function, retries=1, **SCOPE)
    with pytest.raises(Error):
        client.apps.delete("hello")
    assert len(transport.calls) == len(got) == 1


def test_a_refusal_is_repeated_once(authority: Authority) -> None:
    """The second one is the caller's."""
    transport = MockTransport(lambda call: ConnectError(Code.UNAUTHENTICATED, "no"))
    client = Client(transport=transport, auth=lambda: "t", **SCOPE)
    with pytest.raises(Unauthenticated):
        client.apps.get("hello")
    assert len(transport.calls) == 2


def test_a_static_token_can_not_be_renewed(authority: Authority) -> None:
    """A refusal is final."""
    transport = plane_of(authority)
    for auth in ("stale", StaticToken("stale")):
        with pytest.raises(Unauthenticated):
            Client(transport=transport, auth=auth, **SCOPE).apps.get("hello")
    assert len(transport.calls) == 2


async def _async_token() -> tuple[str, float]:
    await asyncio.sleep(0)
    return "a", 60.0


def test_functions_sync_and_async() -> None:
    """Either kind serves blocking and awaiting calls, a blocking call within a coroutine included."""
    for function, expected in ((lambda: "s", "Bearer s"), (_async_token, "Bearer a")):

        def answer(call: Call, expected: str = expected) -> Any:
            assert call.headers["authorization"] == expected
            return _got(call)

        def client(answer: Any = answer, function: Any = function) -> Client:
            return Client(transport=MockTransport(answer), auth=function, **SCOPE)

        async def nested(client: Any = client) -> None:
            client().apps.get("hello")

        client().apps.get("hello")
        asyncio.run(client().apps.get.aio("hello"))
        asyncio.run(nested())


def _got(call: Call) -> Any:
    response = call.method.output()
    response.app.metadata.id.CopyFrom(call.request.app_id)
    return response


def test_passthrough_sends_the_headers_of_the_block() -> None:
    """Each task has its own; outside of a block there are none."""
    transport = MockTransport(_got)
    client = Client(transport=transport, auth=Passthrough(), **SCOPE)

    async def one(name: str) -> None:
        with auth_metadata(("authorization", f"Bearer {name}")):
            await asyncio.sleep(0)
            await client.apps.get.aio(name)

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    client.apps.get("c")
    sent = {call.request.app_id.name: call.headers.get("authorization") for call in transport.calls}
    assert sent == {"a": "Bearer a", "b": "Bearer b", "c": None}


def test_a_proxy_has_credentials_of_its_own() -> None:
    """Both headers are sent."""
    transport = MockTransport(_got)
    Client(transport=transport, auth="plane", proxy_auth=lambda: "proxy", **SCOPE).apps.get("hello")
    headers = transport.calls[0].headers
    assert (headers["authorization"], headers["proxy-authorization"]) == ("Bearer plane", "Bearer proxy")


def test_a_plane_without_authentication_needs_none(caplog: pytest.LogCaptureFixture) -> None:
    """Calls go without credentials, and the log says so at DEBUG."""

    def answer(call: Call) -> Any:
        if "Auth" in call.method.service_name:
            return ConnectError(Code.UNIMPLEMENTED, "no")
        assert "authorization" not in call.headers
        return _got(call)

    client = Client(transport=MockTransport(answer), auth=ClientSecret(CLIENT_ID, SECRET), **SCOPE)
    with caplog.at_level(logging.DEBUG, "flyteapps"):
        client.apps.get("hello")
        client.apps.get("hello")
    assert "without credentials" in caplog.text


def test_the_log_tells_each_step_and_no_secret(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """Getting, renewing, and the repetition of a call are logged at DEBUG."""
    client = secret_client(authority)
    with caplog.at_level(logging.DEBUG, "flyteapps"):
        client.apps.get("hello")
        authority.revoke()
        client.apps.get("hello")
    assert "getting credentials" in caplog.text and "renewing credentials" in caplog.text
    assert "repeating Get" in caplog.text
    assert SECRET not in caplog.text and "token-1" not in caplog.text


def test_an_interrupted_refresh_leaves_it_to_the_next(authority: Authority) -> None:
    """A cancelled leader doesn't hold up the tasks that wait for it."""
    started, release = threading.Event(), threading.Event()

    def slow(form: dict[str, str]) -> Answer | None:
        if len(authority.requests) == 1:
            started.set()
            release.wait(30)
        return None

    authority.script = slow
    client = secret_client(authority)

    async def main() -> None:
        leader = asyncio.create_task(client.apps.get.aio("hello"))
        while not started.is_set():
            await asyncio.sleep(0.001)
        follower = asyncio.create_task(client.apps.get.aio("hello"))
        await asyncio.sleep(0)
        leader.cancel()
        await asyncio.wait([leader])
        await follower
        assert leader.cancelled()

    try:
        asyncio.run(main())
    finally:
        release.set()
    assert len(authority.requests) == 2


def test_a_blocking_call_does_not_wait_for_its_own_loop(authority: Authority) -> None:
    """A blocking call in a coroutine, while another task of that loop refreshes, refreshes by itself."""
    started, release = threading.Event(), threading.Event()

    def slow(form: dict[str, str]) -> Answer | None:
        if len(authority.requests) == 1:
            started.set()
            release.wait(30)
        return None

    authority.script = slow
    client = secret_client(authority, timeout=20)

    async def main() -> None:
        leader = asyncio.create_task(client.apps.get.aio("hello"))
        while not started.is_set():
            await asyncio.sleep(0.001)
        client.apps.get("hello")
        release.set()
        await leader

    try:
        asyncio.run(main())
    finally:
        release.set()
    assert len(authority.requests) == 2


def test_settings_with_credentials_can_be_pickled_and_copied(authority: Authority) -> None:
    """A copy gets tokens of its own, and shows no secret."""
    client = secret_client(authority)
    client.apps.get("hello")
    for again in (pickle.loads(pickle.dumps(client.settings)), copy.deepcopy(client.settings)):
        assert SECRET not in repr(again) and "ClientSecret('robot')" in repr(again)
        assert again.auth is not None and again.auth._parts[0].token is None  # pyright: ignore[reportPrivateUsage]


def test_a_client_with_credentials_shows_none(authority: Authority) -> None:
    """Neither its repr, nor its settings', nor those of each kind of credentials."""
    kinds: list[Any] = [
        "very-secret",
        ClientSecret("id", "very-secret"),
        ExternalCommand(["cat", "very-secret"]),
        StaticToken("very-secret"),
    ]
    for auth in kinds:
        client = Client("http://127.0.0.1:1", auth=auth)
        assert "very-secret" not in repr((client, client.settings, vars(client.settings.auth), vars(client)))
        assert not isinstance(auth, Auth) or "very-secret" not in repr(auth)


def test_an_error_without_credentials_names_the_modes(authority: Authority) -> None:
    """A plane with authentication, and a client without: one error that tells what to do."""
    with pytest.raises(Unauthenticated, match=r"auth=.*FLYTE_API_KEY.*flyteapps login"):
        Client(transport=plane_of(authority), **SCOPE).apps.get("hello")


def test_credentials_are_given_once() -> None:
    """A header beside auth is refused, and so is anything that is none."""
    with pytest.raises(flyteapps.ConfigError, match="either auth, or headers"):
        Client("http://127.0.0.1:1", auth="t", headers={"Authorization": "x"})
    for wrong in (3, ClientSecret, "two words", "line\nend", b"bytes", ["t"]):
        with pytest.raises(flyteapps.ConfigError, match="auth"):
            Client("http://127.0.0.1:1", auth=wrong)  # pyright: ignore[reportArgumentType]


def test_handles_go_on_through_renewals(authority: Authority) -> None:
    """A wait that reads and watches needs no more tokens than there are lifetimes."""
    client = secret_client(authority)
    app = App(flyteapps.new_app("hello", image="x", **SCOPE), client)
    for _ in range(5):
        assert list(app.events(timeout=0.05)) is not None
        authority.revoke()
    assert len(authority.requests) <= 5


def test_an_api_key_names_endpoint_and_org() -> None:
    """From the right, since an endpoint has colons of its own; also by the variables."""
    import base64

    def key(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    client = Client.from_api_key(key("http://localhost:8090:me:secret:acme"))
    assert (client.settings.endpoint, client.settings.org) == ("http://localhost:8090", "acme")
    client = Client.from_api_key(key("flyte.example.org:me:secret:None"), project="p")
    assert (client.settings.endpoint, client.settings.org) == ("https://flyte.example.org", "")
    found = ApiKey(environ={"FLYTE_API_KEY": "", "UNION_API_KEY": key("dns:///h:443:me:s:o") + "\n"})
    assert (found.endpoint, found.org, found.client_id) == ("dns:///h:443", "o", "me")
