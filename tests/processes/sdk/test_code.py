"""Code that the SDK deploys runs as on a cluster: servers as functions, parameters, endpoints, secrets, streams."""

from __future__ import annotations

import json
import re

import aiohttp
import pytest
from sdk.field import RUN

from .developing import SECONDS, Developer, get

pytestmark = pytest.mark.slow


def test_what_runs_before_and_after_a_server(developer: Developer) -> None:
    """on_startup has run before the first answer, on_shutdown after SIGTERM, in the asynchronous and the plain form."""
    notes = developer.user.folder / "notes.txt"
    developer.write("lifetimes", {"NOTES": str(notes)})
    endpoints = developer.deploy("lifetimes", "env", "plain")
    assert get(endpoints["lifetimes"]).text == "ready"
    assert get(endpoints["plain"]).text == "hi"
    for name in endpoints:
        app = developer.app(name).deactivate(wait=True, timeout=SECONDS)
        assert app.deployment_status.name == "STOPPED", app
    assert notes.read_text().splitlines() == ["on_startup", "on_shutdown"]
    assert "STOPPED" in get(endpoints["lifetimes"]).text


@pytest.mark.slow
def test_parameters(developer: Developer) -> None:
    """Texts, files and directories are uploaded by the SDK, which flattens directories, and downloaded by the app."""
    folder = developer.user.folder
    (folder / "kept.txt").write_text("a file")
    (folder / "folder" / "deep").mkdir(parents=True)
    (folder / "folder" / "a.txt").write_text("A")
    (folder / "folder" / "deep" / "b.txt").write_text("B")
    developer.write("parameters")
    found = re.search(r"^at (\S+)$", developer.user.run(*RUN, "parameters.py"), re.MULTILINE)
    assert found is not None
    answer = get(found[1])
    assert answer.status == 200, answer
    assert json.loads(answer.text) == {
        "word": "plain",
        "variable": "plain",
        "kept": "a file",
        "variable_of_kept": "a file",
        "mounted": "a file",
        "files": {"a.txt": "A", "b.txt": "B"},
        "distant": "a file",
        "names": ["distant", "folder", "kept", "mounted", "word"],
    }


@pytest.mark.slow
def test_an_app_calls_another_one(developer: Developer) -> None:
    """`depends_on` deploys the other app, too; its private and public endpoints, and `env.endpoint`, lead to it."""
    endpoints = developer.deploy("pair")
    assert json.loads(get(endpoints["front"]).text) == {"private": "42", "public": "42", "property": "42"}


def test_secrets(developer: Developer) -> None:
    """A secret arrives as a variable and as a file; a missing one fails the app, until it is created."""
    developer.write("secret")
    made = developer.try_to_deploy("secret", "env", "later")
    assert json.loads(get(made["given"]["endpoint"]).text) == {
        "values": {"GIVEN": "given by the server", "RENAMED": "given by the server"},
        "files": {"GIVEN": "given by the server"},
    }
    assert made["later"]["error"] == "App deployment for app later has failed!"
    shown = developer.user.flyte("get", "app", "later")
    assert "SECRET_MOUNT_ERROR" in shown and "flyte create secret later" in shown
    developer.user.flyte("create", "secret", "later", "--value", "created")
    later = developer.reaches("later", "ACTIVE")
    assert json.loads(get(later.endpoint).text)["values"] == {"LATER": "created"}


async def test_streams(developer: Developer) -> None:
    """A WebSocket echoes, and events arrive one by one, each before the next one is sent."""
    endpoint = developer.deploy("streams")["streams"]
    async with aiohttp.ClientSession(endpoint) as session:
        async with session.ws_connect("/echo") as socket:
            for word in ("one", "two"):
                await socket.send_str(word)
                assert await socket.receive_str() == word.upper()
        async with session.get("/events") as events:
            for word in ("first", "second"):
                await session.post(f"/step/{word}")
                assert await events.content.readuntil(b"\n\n") == f"data: {word}\n\n".encode()
            await session.post("/step/end")
            assert await events.content.read() == b""
