"""Parts shared by the flows: an app without a bundle, and a poll."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import NoReturn

import flyte
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte.remote import App, auth_metadata
from flyteidl2.app import app_definition_pb2 as model

PASSTHROUGH = ExitStack()


def init() -> None:
    """Initialize the SDK as most users do; or by an API key, or with credentials of one's own for each call."""
    if "FLYTE_API_KEY" in os.environ:
        flyte.init_from_api_key(
            project="proj", domain="dev", image_builder="remote", ca_cert_file_path=os.environ["FLOW_CA"]
        )
        return
    flyte.init_from_config("config.yaml")
    if "FLOW_TOKEN" in os.environ:
        PASSTHROUGH.enter_context(auth_metadata(("authorization", f"Bearer {os.environ['FLOW_TOKEN']}")))


def make(name: str, stopped: bool = False, image: str = "img:1") -> App:
    """Create an app by the SDK's low-level call."""
    pb2 = model.App(metadata=model.Meta(id=model.Identifier(project="proj", domain="dev", name=name)))
    pb2.spec.container.image = image
    pb2.spec.ingress.SetInParent()
    pb2.spec.desired_state = model.Spec.DESIRED_STATE_STOPPED if stopped else model.Spec.DESIRED_STATE_ACTIVE
    return App.create(pb2)


def until(name: str, reached: Callable[[App], bool]) -> App:
    """Poll, as a script without a watch does."""
    deadline = time.monotonic() + 20
    while not reached(app := App.get(name)):
        assert time.monotonic() < deadline, app
        time.sleep(0.02)
    return app


def refused(code: Code, call: Callable[[], object]) -> str:
    """Return the message of the error that the call must raise."""
    try:
        call()
    except ConnectError as error:
        if error.code is code:
            return error.message
        raise
    raise AssertionError(f"{code} expected")


def done() -> NoReturn:
    """End a flow that went well, at once.

    pyqwest's threads may still hold Python objects when the interpreter is taken down, and then abort the process.
    """
    print("done")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
