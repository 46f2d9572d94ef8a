"""Headers and files may hold secrets: nothing that the client raises, logs, or is shown as, shows one."""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from rich.console import Console
from rich.traceback import Traceback

import flyteapps
from client.conftest import TRANSPORTS, client_of
from client.scripted import scripted
from client.servers import listening
from flyteapps import App, Client
from flyteapps.config import Config
from flyteapps.errors import ConfigError, Error
from flyteapps.support.secret import Secret
from flyteapps_fake.control_plane import FakeControlPlane

TOKEN = "very-secret-token-" + "x" * 100
HEADERS = {"Authorization": f"Bearer {TOKEN}", "x-api-key": TOKEN}
dialect = "standard"


@pytest.fixture
def plane() -> Any:
    """A fresh plane of the standard dialect: headers are the client's matter."""
    with FakeControlPlane() as fresh:
        yield fresh


def shown(error: BaseException) -> str:
    """Return all that a traceback with locals shows of an error, and its attributes.

    The frames of the tests hold the token by right, and are left out.
    """
    tb = error.__traceback__
    while tb is not None and "/client/flyteapps/" not in tb.tb_frame.f_code.co_filename:
        tb = tb.tb_next
    error.__traceback__ = tb
    text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return text + pprint.pformat(vars(error)) + repr(error) + str(error)


def failing(client: Client) -> list[tuple[Callable[..., Any], Callable[..., Any]]]:
    """Yield calls and streams that fail, blocking and awaiting."""
    app = App(flyteapps.new_app("absent", image="x", project="demo", domain="development"), client)

    async def listed(items: Any) -> None:
        async for _ in items:
            pass

    return [
        (lambda: client.apps.get("absent"), lambda: client.apps.get.aio("absent")),
        (lambda: app.activate(), lambda: app.activate.aio()),
        (lambda: list(app.logs()), lambda: listed(app.logs.aio())),
        (lambda: app.watch(timeout=0.1), lambda: app.watch.aio(timeout=0.1)),
    ]


def raised(client: Client) -> list[Exception]:
    """Return the errors that they raise."""
    errors: list[Exception] = []
    for blocking, awaiting in failing(client):
        with pytest.raises(Error) as caught:
            blocking()
        errors.append(caught.value)
        with pytest.raises(Error) as caught:
            asyncio.run(awaiting())
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_error_of_a_plane_shows_a_header(transport: str, plane: FakeControlPlane) -> None:
    """Neither the error, nor its causes, nor the locals of their frames, whatever the transport."""
    with client_of(plane, transport, headers=HEADERS) as client:
        for error in raised(client):
            text = shown(error)
            assert "flyteapps" in text and TOKEN[:18] not in text


@pytest.mark.parametrize(
    ("protocol", "http_version"), [("connect", None), ("connect", "2"), ("grpc", None), ("grpcio", None)]
)
def test_no_error_of_a_network_shows_a_header(protocol: Any, http_version: Any) -> None:
    """The same where something answers that is no plane."""
    with listening(lambda connection: connection.sendall(b"220 mail.example.org ESMTP\r\n")) as port:
        options: dict[str, Any] = {"project": "demo", "domain": "development", "timeout": 2.0, "retries": 1}
        client = Client(
            f"http://127.0.0.1:{port}", protocol=protocol, http_version=http_version, headers=HEADERS, **options
        )
        for call in (lambda: client.apps.get("hello"), lambda: asyncio.run(client.apps.get.aio("hello"))):
            with pytest.raises(Error) as caught:
                call()
            assert TOKEN[:18] not in shown(caught.value)
        client.close()


def test_frames_without_secrets_keep_their_locals() -> None:
    """Without headers a debugger shows all locals of an unexpected error."""
    client = Client(transport=scripted({"Get": lambda _: ConnectError(Code.INTERNAL, "oh")}), retries=None)
    with pytest.raises(Error) as caught:
        client.apps.get("absent", "demo", "development")
    cause = caught.value.__cause__
    assert cause is not None and cause.__traceback__ is not None
    assert _frames(cause)[-1].tb_frame.f_locals


def test_the_exception_that_the_caller_handles_keeps_its_locals(plane: FakeControlPlane) -> None:
    """Only frames below the call are emptied."""
    client = client_of(plane, "direct", headers=HEADERS)

    def handling() -> Error:
        theirs = "kept"
        try:
            raise ValueError(theirs)
        except ValueError:
            with pytest.raises(Error) as caught:
                client.apps.get("absent")
            return caught.value

    error = handling()
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    [value_error] = [each for each in causes if isinstance(each, ValueError)]
    assert value_error.__traceback__ is not None
    assert value_error.__traceback__.tb_frame.f_locals["theirs"] == "kept"


def test_rich_shows_no_header(plane: FakeControlPlane) -> None:
    """rich cuts long strings before it shows them."""
    secret = Secret(TOKEN)  # a local that rich would show
    with pytest.raises(Error) as caught:
        client_of(plane, "direct", headers=HEADERS).apps.get("absent")
    error = caught.value
    assert secret
    written = io.StringIO()
    traceback_shown = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
    Console(width=250, file=written).print(traceback_shown)
    assert "Secret(...)" in written.getvalue() and TOKEN[:18] not in written.getvalue()


def _frames(error: BaseException) -> list[Any]:
    found: list[Any] = []
    tb = error.__traceback__
    while tb is not None:
        found.append(tb)
        tb = tb.tb_next
    return found


def test_nothing_of_a_client_shows_a_header(caplog: pytest.LogCaptureFixture) -> None:
    """Its repr, its settings', its attributes', a log line, and copies of the settings; sending has the value."""
    client = Client("http://127.0.0.1:1", headers=HEADERS)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("anything").debug("%s %r %s", client, client.settings, vars(client))
    pickled = pickle.loads(pickle.dumps(client.settings))
    texts = [repr(client.settings), str(client.settings), repr(vars(client)), pprint.pformat(vars(client)), caplog.text]
    texts += [repr(pickled), repr(copy.deepcopy(client.settings)), repr(client.settings.call_headers())]
    assert not [text for text in texts if TOKEN[:18] in text]
    assert pickled.headers == {"authorization": HEADERS["Authorization"], "x-api-key": TOKEN}


def test_a_request_id_is_no_secret() -> None:
    """Errors show it, so it stays a plain string."""
    settings = Client("http://127.0.0.1:1", headers={"X-Request-Id": "mine"}).settings
    assert settings.call_headers() == {"x-request-id": "mine"} and type(settings.headers["x-request-id"]) is str


BAD_HEADERS: list[Any] = [
    {"authorization": f"{TOKEN}\n"},
    {"authorization": f"{TOKEN}ä"},
    {"authorization": TOKEN.encode()},
    {"authorization": [TOKEN]},
    {"authorization": TOKEN, "no name": "x"},
    {"authorization": TOKEN, 3: "x"},
    [("authorization", TOKEN)],
]


@pytest.mark.parametrize("headers", BAD_HEADERS, ids=range(len(BAD_HEADERS)))
@pytest.mark.parametrize("make", [Client, flyteapps.init, flyteapps.init.aio], ids=["Client", "init", "init.aio"])
def test_a_refused_header_is_not_shown(headers: Any, make: Any) -> None:
    """The error names the header, never its value, in no frame of ours."""

    async def made() -> None:
        client = make("http://127.0.0.1:1", headers=headers)
        if inspect.isawaitable(client):
            await client

    with pytest.raises(ConfigError, match="headers: ") as caught:
        asyncio.run(made())
    assert TOKEN[:18] not in shown(caught.value)


@pytest.mark.parametrize("make", [Client, flyteapps.init], ids=["Client", "init"])
def test_another_refusal_shows_no_header(make: Any) -> None:
    """An invalid endpoint beside valid headers is refused without showing them."""
    with pytest.raises(ConfigError) as caught:
        make("ftp://x", headers=HEADERS)
    assert TOKEN[:18] not in shown(caught.value)


SECRET_FILES = [
    f"admin:\n  apiKey: {TOKEN}\n",
    f"admin:\n  api_key: {TOKEN}\n",
    f"admin:\n  authType: {TOKEN}\n",
    f"admin:\n  clientSecretEnvVar: {TOKEN}\n",
    f"admin:\n  command: '{TOKEN}\n",
    f"admin:\n  apiKey: {TOKEN}: x\n",
    f"admin:\n  apiKey: '{TOKEN}\n",
    f"admin:\n  apiKey: {TOKEN}\n  apiKey: {TOKEN}\n",
    f"admin:\n  insecure: perhaps\n  other: {TOKEN}\n",
    f"admin: [{TOKEN}]\n",
    f"other: {TOKEN}\nadmin: \x00\n",
    f"other: {TOKEN}\nadmin: \xff\n",
]


@pytest.mark.parametrize("content", SECRET_FILES, ids=range(len(SECRET_FILES)))
def test_no_error_shows_a_file(content: str, tmp_path: Path) -> None:
    """The error names file, line and key; neither it nor a frame or cause of it shows what stands there."""
    (tmp_path / "config.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.yaml, line ") as caught:
        Config.load(None, {"HOME": "/nowhere"}, tmp_path)
    assert TOKEN[:18] not in shown(caught.value)


def test_no_error_shows_a_variable(tmp_path: Path) -> None:
    """Nor the environment that it was read from."""
    with pytest.raises(ConfigError, match="FLYTE_API_KEY") as caught:
        Config.load(None, {"HOME": "/nowhere", "FLYTE_API_KEY": TOKEN}, tmp_path)
    assert TOKEN[:18] not in shown(caught.value)


def test_a_secret_is_a_string_that_only_its_repr_hides() -> None:
    """It compares, concatenates and encodes like one; a part of it doesn't show itself either."""
    secret = Secret(TOKEN)
    assert secret == TOKEN and f"Bearer {secret}" == f"Bearer {TOKEN}" and secret.encode() == TOKEN.encode()
    assert repr(secret) == repr(secret[:10]) == repr(Secret(secret)) == "Secret(...)"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(secret, protocol))
        assert again == TOKEN and type(again) is Secret
