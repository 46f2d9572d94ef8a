"""The whole life of an app that runs, by the calls of the SDK."""
# pyright: basic

import contextlib
import urllib.error
import urllib.request

import flyte
import flyte.app
from flyte.app import Link
from flyte.remote import App

env = flyte.app.AppEnvironment(
    name="life",
    image="none",
    requires_auth=False,
    command="python -S -E -m http.server 8080",
    links=[Link(path="/docs", title="Docs", is_relative=True), Link(path="https://example.com", title="Other")],
)


def status(url: str) -> int:
    """Return the status of the response to a GET."""
    try:
        with urllib.request.urlopen(url) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


if __name__ == "__main__":
    flyte.init_from_config()
    app = flyte.serve(env)
    assert app.is_active() and status(app.endpoint) == 200
    assert [(each.path, each.title, each.is_relative) for each in app.pb2.spec.links] == [
        ("/docs", "Docs", True),
        ("https://example.com", "Other", False),
    ]
    endpoint = app.endpoint
    app.deactivate(wait=True)  # whose result is the app before it was stopped
    app = App.get("life")
    assert app.is_deactivated() and status(endpoint) == 503
    app.activate(wait=True)
    app = App.get("life")
    assert app.is_active() and app.endpoint == endpoint and status(endpoint) == 200
    with app.ephemeral_ctx_sync():
        assert status(endpoint) == 200
    assert App.get("life").is_deactivated()
    App.delete("life")
    with contextlib.suppress(OSError):  # refused, or reset where the port is just being closed
        assert status(endpoint) == 404
    print("done")
