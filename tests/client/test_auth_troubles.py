"""Troubles with credentials: one clear message each, within the timeout, and no secret in it."""

from __future__ import annotations

import asyncio
import base64
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flyteapps
from client.authority import CLIENT_ID, SCOPE, SECRET, Answer, Authority, plane_of
from client.servers import certificate, http, listening, saying, silent
from client.test_secrets import shown
from flyteapps import Client
from flyteapps.auth import ApiKey, ClientSecret, ExternalCommand, TokenFunction, auth_metadata
from flyteapps.errors import ConfigError, DeadlineExceeded, Error, ProtocolError, Unauthenticated, Unavailable
from flyteapps.testing import MockTransport

TOKEN = "very-secret-token-0123456789"


@pytest.fixture
def authority() -> Any:
    """A token endpoint."""
    with Authority() as running:
        yield running


def failures(client: Client) -> list[Error]:
    """Return the errors of a blocking and of an awaiting call; neither holds a secret."""
    errors: list[Error] = []
    for call in (lambda: client.apps.get("hello"), lambda: asyncio.run(client.apps.get.aio("hello"))):
        session = client.settings.auth
        assert session is not None
        session._parts[0]._next_at = 0.0  # pyright: ignore[reportPrivateUsage]  # the second one tries, too
        with pytest.raises(Error) as caught:
            call()
        errors.append(caught.value)
        for secret in (SECRET, TOKEN, base64.b64encode(SECRET.encode()).decode()):
            assert secret not in shown(caught.value)
    assert type(errors[0]) is type(errors[1])
    return errors


HTML = b"<html>please log in</html>"

ANSWERS: dict[str, tuple[Answer, type[Error], str]] = {
    "a redirection": (
        Answer(302, b"", headers={"location": f"https://elsewhere.example/x?{SECRET}"}),
        ProtocolError,
        "redirection to https://elsewhere.example/x, which is not followed",
    ),
    "HTML": (Answer(200, HTML, "text/html; charset=utf-8"), ProtocolError, "answered 200 with text/html"),
    "nothing": (Answer(204, b""), ProtocolError, "answered 204"),
    "a list": (Answer(200, ["x"]), ProtocolError, "not the JSON of a token"),
    "deep JSON": (Answer(200, b"[" * 100_000), ProtocolError, "not the JSON of a token"),
    "200 with an error": (Answer(200, {"error": "invalid_client"}), Unauthenticated, "200 invalid_client"),
    "401": (Answer(401, {"error": "invalid_client"}), Unauthenticated, "401 invalid_client"),
    "an echo": (
        Answer(400, {"error": "invalid_request", "error_description": f"the secret\n{SECRET} is wrong"}),
        Unauthenticated,
        r"invalid_request \(the secret \.\.\. is wrong\)",
    ),
    "403 without JSON": (Answer(403, HTML, "text/html"), Unauthenticated, "answered 403"),
    "404": (Answer(404, HTML, "text/html"), ProtocolError, "answered 404 .* is it a token endpoint"),
    "429": (Answer(429, {}, headers={"retry-after": "7"}), flyteapps.Overloaded, "answered 429"),
    "500": (Answer(500, HTML, "text/html"), Unavailable, "answered 500"),
    "no token": (Answer(200, {"expires_in": 3}), ProtocolError, "access_token is absent"),
    "a token with a line end": (
        Answer(200, {"access_token": f"{TOKEN}\n"}),
        ProtocolError,
        "access_token is absent, or",
    ),
    "a number": (Answer(200, {"access_token": 3}), ProtocolError, "access_token is absent, or"),
    "an expiry of 0": (Answer(200, {"access_token": TOKEN, "expires_in": 0}), ProtocolError, "expires_in is '0'"),
    "an expiry of -1": (Answer(200, {"access_token": TOKEN, "expires_in": -1}), ProtocolError, "expires_in is '-1'"),
    "an expiry of NaN": (Answer(200, {"access_token": TOKEN, "expires_in": "NaN"}), ProtocolError, "expires_in"),
    "another type": (Answer(200, {"access_token": TOKEN, "token_type": "DPoP"}), ProtocolError, "token_type is 'DPoP'"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_of_a_token_endpoint(authority: Authority, case: str) -> None:
    """Each is one error, that names the mode, the endpoint and the reason."""
    answer, kind, text = ANSWERS[case]
    authority.script = lambda form: answer
    client = Client(transport=plane_of(authority), auth=ClientSecret(CLIENT_ID, SECRET), retries=1, **SCOPE)
    for error in failures(client):
        assert isinstance(error, kind)
        assert f"ClientSecret: the token endpoint {authority.url}/oauth2/token" in error.message
        assert re.search(text, error.message), error.message


def test_the_delay_that_a_token_endpoint_wants_is_kept(authority: Authority) -> None:
    """Retry-After of a token endpoint is the least time until the next attempt."""
    authority.script = lambda form: Answer(429, {}, headers={"retry-after": "7"})
    client = Client(transport=plane_of(authority), auth=ClientSecret(CLIENT_ID, SECRET), retries=1, **SCOPE)
    with pytest.raises(flyteapps.Overloaded) as caught:
        client.apps.get("hello")
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("behaviour", [silent, saying(b"SSH-2.0-OpenSSH_9.2\r\n"), saying(b"")])
def test_what_is_no_token_endpoint(behaviour: Any) -> None:
    """A server that never answers, or by another protocol, ends the call in time."""
    with listening(behaviour) as port:
        auth = ClientSecret(CLIENT_ID, SECRET, token_endpoint=f"http://127.0.0.1:{port}/token")
        client = Client(transport=MockTransport(lambda call: None), auth=auth, timeout=0.3, retries=1, **SCOPE)
        began = time.monotonic()
        for error in failures(client):
            assert isinstance(error, DeadlineExceeded | ProtocolError | Unavailable)
            assert f"http://127.0.0.1:{port}/token" in error.message
        assert time.monotonic() - began < 60


def test_an_endless_answer_is_cut() -> None:
    """A body without end takes no memory."""

    def endless(connection: Any) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with listening(endless) as port:
        auth = ClientSecret(CLIENT_ID, SECRET, token_endpoint=f"http://127.0.0.1:{port}/token")
        client = Client(transport=MockTransport(lambda call: None), auth=auth, retries=1, **SCOPE)
        for error in failures(client):
            assert isinstance(error, ProtocolError)


def test_certificates_of_a_token_endpoint(tmp_path: Path) -> None:
    """One that isn't trusted is an error; `ca_cert` and `insecure_skip_verify` of the client count."""
    context, pem = certificate(tmp_path)
    body = b'{"access_token": "t", "token_type": "Bearer"}'
    with listening(saying(http("200 OK", "application/json", body)), context) as port:
        auth = ClientSecret(CLIENT_ID, SECRET, token_endpoint=f"https://127.0.0.1:{port}/token")
        nothing = MockTransport(lambda call: None)
        for error in failures(Client(transport=nothing, auth=auth, retries=1, **SCOPE)):
            assert isinstance(error, ConfigError) and "is not trusted" in error.message
        trusting: list[dict[str, Any]] = [{"ca_cert": pem}, {"insecure_skip_verify": True}]
        for options in trusting:
            client = Client(f"https://127.0.0.1:{port}", auth=auth, timeout=60, retries=1, **SCOPE, **options)
            with pytest.raises(Error) as caught:
                client.apps.get("hello")
            assert "token endpoint" not in caught.value.message  # it was reached


def test_no_secret_goes_to_an_endpoint_without_tls() -> None:
    """A plane with TLS that names a token endpoint without is refused, and so is an address that is none."""
    for endpoint in ("http://auth.example.org/token", "ftp://x/y", "token", "http://", "http://u:p@h/x"):
        auth = ClientSecret(CLIENT_ID, SECRET, token_endpoint=endpoint)
        with pytest.raises(ConfigError, match=r"no secret is sent there|is no URL"):
            Client("https://plane.example.org", auth=auth, **SCOPE).apps.get("hello")


def key(text: str) -> str:
    """Return an API key."""
    return base64.b64encode(text.encode()).decode()


BAD_KEYS: dict[str, tuple[Any, str]] = {
    "no base64": (f"{TOKEN}!", "base64"),
    "no text": (base64.b64encode(b"\xff\xfe:a:b:c").decode(), "base64"),
    "three parts": (key(f"host:id:{TOKEN}"), "has 3 parts"),
    "one part": (key(TOKEN), "has 1 parts"),
    "no secret": (key("host:id::org"), "lacks"),
    "a wrong endpoint": (key(f"ho st/{TOKEN}:id:x:org"), "what it names for an endpoint is none"),
    "bytes": (TOKEN.encode(), "should be a string"),
}


@pytest.mark.parametrize("case", BAD_KEYS)
def test_api_keys(case: str) -> None:
    """A key that isn't one is refused when the client is made."""
    given, text = BAD_KEYS[case]
    for make in (ApiKey, Client.from_api_key):
        with pytest.raises(ConfigError, match=f"API key.*{text}") as caught:
            make(given)
        assert TOKEN not in shown(caught.value)


def test_no_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variables."""
    monkeypatch.delenv("FLYTE_API_KEY", raising=False)
    monkeypatch.delenv("UNION_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="FLYTE_API_KEY or UNION_API_KEY"):
        Client.from_api_key()


def test_secret_files(authority: Authority, tmp_path: Path) -> None:
    """The line end at the end isn't sent; a missing file, and one with several lines, are errors that name it."""
    path = tmp_path / "secret"
    client = Client(transport=plane_of(authority), auth=ClientSecret(CLIENT_ID, path), **SCOPE)
    for content, text in ((None, "can't be read: No such file"), (b"", "is empty"), (b"a\nb\n", "several")):
        if content is not None:
            path.write_bytes(content)
        for error in failures(client):
            assert str(path) in error.message and text in error.message
    path.write_text(f"{SECRET}\n")
    credentials = client.settings.auth._parts[0]  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
    credentials._next_at = 0.0  # pyright: ignore[reportPrivateUsage]
    client.apps.get("hello")
    decoded = base64.b64decode(authority.requests[0]["authorization"].partition(" ")[2]).decode()
    assert decoded == "robot:s3cret%2B%2F+value-0123456789"


def command(code: str) -> ExternalCommand:
    """Return a command that runs Python code."""
    return ExternalCommand([sys.executable, "-c", code])


COMMANDS: dict[str, tuple[ExternalCommand, str]] = {
    "fails": (
        command(f"import sys; print('{TOKEN}', 'no login', file=sys.stderr); sys.exit(3)"),
        "status 3: ... no login",
    ),
    "is killed": (command("import os; os.kill(os.getpid(), 9)"), "ended by signal 9"),
    "prints nothing": (command("print()"), "printed nothing"),
    "prints two lines": (command(f"print('{TOKEN}'); print('x')"), "printed several lines"),
    "prints a sentence": (command(f"print('Bearer {TOKEN}')"), "printed something that is no token"),
    "is absent": (ExternalCommand(["/nowhere/get-token", TOKEN]), "'/nowhere/get-token' can't be run: No such file"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_commands(case: str) -> None:
    """Each is one error that names the command's program."""
    auth, text = COMMANDS[case]
    client = Client(transport=MockTransport(lambda call: None), auth=auth, retries=1, **SCOPE)
    for error in failures(client):
        assert error.message.startswith("ExternalCommand: the command ") and text in error.message


def test_a_command_that_hangs_is_killed(tmp_path: Path) -> None:
    """With what it started, within the timeout."""
    mark = tmp_path / "pid"
    auth = ExternalCommand(["sh", "-c", f"sleep 600 & echo $! > '{mark}'; wait"])
    client = Client(transport=MockTransport(lambda call: None), auth=auth, timeout=1.5, retries=1, **SCOPE)
    for error in failures(client):
        assert isinstance(error, DeadlineExceeded) and "was killed" in error.message
        assert not Path(f"/proc/{mark.read_text()}/exe").exists() or _is_gone(int(mark.read_text()))


def _is_gone(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def raising() -> str:
    """Raise an error with a secret."""
    raise ValueError(TOKEN)


async def hanging() -> str:
    """Never return."""
    await asyncio.sleep(600)
    return ""


FUNCTIONS: dict[str, tuple[Callable[[], Any], str]] = {
    "returns nothing": (lambda: None, "should return a token"),
    "returns bytes": (TOKEN.encode, "should return a token"),
    "returns a wrong lifetime": (lambda: ("t", -1), "lifetime that"),
    "returns a header": (lambda: f"Bearer {TOKEN}", "should return a token"),
    "hangs": (hanging, "no token within"),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions(case: str) -> None:
    """Each is one error that names the function."""
    function, text = FUNCTIONS[case]
    client = Client(
        transport=MockTransport(lambda call: None), auth=TokenFunction(function), timeout=0.3, retries=1, **SCOPE
    )
    for error in failures(client):
        assert text in error.message


def test_a_function_that_raises() -> None:
    """Its error is the cause, and not repeated in the message."""
    client = Client(transport=MockTransport(lambda call: None), auth=raising, retries=1, **SCOPE)
    with pytest.raises(Unauthenticated, match="the function raising raised ValueError") as caught:
        client.apps.get("hello")
    assert TOKEN not in str(caught.value) and isinstance(caught.value.__cause__, ValueError)


def test_settings_of_credentials() -> None:
    """Wrong arguments are refused when they are given."""
    wrong: list[Callable[[], Any]] = [
        lambda: ClientSecret("", "x"),
        lambda: ClientSecret("x", ""),
        lambda: ClientSecret("x", "y", scopes="all"),
        lambda: ExternalCommand([]),
        lambda: ExternalCommand("uctl get-token"),
        lambda: ExternalCommand(["a", 3]),  # pyright: ignore[reportArgumentType]
        lambda: TokenFunction("x"),  # pyright: ignore[reportArgumentType]
        lambda: auth_metadata().__enter__(),
        lambda: auth_metadata(("authorization", "a\nb")).__enter__(),
        lambda: Client("https://h", client_cert="/nowhere.pem"),
        lambda: Client("https://h", client_cert=3),  # pyright: ignore[reportArgumentType]
    ]
    for each in wrong:
        with pytest.raises(ConfigError):
            each()
