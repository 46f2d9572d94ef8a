"""The calls of the SDK on an app that runs, and the ways in which its code gets there."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from urllib.parse import urlsplit

import grpc
import pytest
from sdk.field import RUN

from .developing import SECONDS, Developer, get

pytestmark = pytest.mark.slow


def test_the_whole_life(developer: Developer) -> None:
    """Serve, links, deactivate, activate, ephemeral_ctx and delete do what they say, and wait until it is done."""
    developer.write("life")
    assert "done" in developer.user.run(*RUN, "life.py")


@pytest.mark.slow
def test_code_bundles(developer: Developer) -> None:
    """Local packages and included files are there, and an app that is pickled has its state."""
    folder = developer.user.folder
    for name, text in {"data/included.txt": "included", "local_package/greetings.py": "GREETING = 'hi'\n"}.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    (folder / "local_package/__init__.py").touch()
    developer.write("bundled")
    answers = {}
    for name in ("included", "pickled"):
        found = re.search(r"^at (\S+)$", developer.user.run(*RUN, "bundled.py", name), re.MULTILINE)
        assert found is not None
        answers[name] = json.loads(get(found[1]).text)
    assert answers == {"included": {"package": "hi", "file": "included"}, "pickled": "hi ['started']"}


@pytest.mark.slow
def test_grpc(developer: Developer) -> None:
    """A gRPC app answers on its own port."""
    endpoint = developer.deploy("grpc_app")["grpc"]
    with grpc.insecure_channel(urlsplit(endpoint).netloc) as channel:
        assert channel.unary_unary("/Echo/Shout")(b"hello", timeout=SECONDS) == b"HELLO"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("kubernetes") is None, reason="a pod template needs the package kubernetes")
def test_a_pod_template(developer: Developer) -> None:
    """The primary container of a pod runs; tests/processes/test_pods.py has the same without the package."""
    assert "Directory listing" in get(developer.deploy("pod")["pod"]).text
