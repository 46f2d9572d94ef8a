"""The answer under an app's public URL: the app's name, and that nothing runs behind it. No routing."""

from __future__ import annotations

from urllib.parse import quote

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.console.answers import negotiated
from flyteapps_fake.core.lifecycle import short_name, traits_of
from flyteapps_fake.http.page import PageAnswer, PageRequest

HOW_TO_RUN = "this is a stand-in control plane, and runs apps when it is started with --run"
RETRY_SECONDS = 1
"""Time after which a request to a starting app is worth repeating."""


def app_page(encoded: bytes, request: PageRequest) -> PageAnswer:
    """Return 501 for an app that serves requests, and 503 for one that is starting, stopped or failed."""
    app = App.FromString(encoded)
    identifier = app.metadata.id
    last = app.status.conditions[-1] if app.status.conditions else None
    status = last.deployment_status if last is not None else 0
    state, traits = short_name(status), traits_of(status)
    name = "/".join((identifier.org, identifier.project, identifier.domain, identifier.name))
    headers = [(b"x-flyteapps-app", quote(name).encode())]
    if traits.serves:
        code, why = 501, f"The app {name} is {state}, but nothing runs behind it: {HOW_TO_RUN}."
    elif traits.released:
        code, why = 503, f"The app {name} is {state}: activate it."
    elif traits.terminal:
        code, why = 503, f"The app {name} is {state}: {last.message if last is not None else ''}"
    else:
        code, why = 503, f"The app {name} is starting ({state}): ask again in a moment."
        headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
    return negotiated(code, why, request.accept, headers, {"app": name, "state": state})


def redirect_page(encoded: bytes, request: PageRequest, rest: str) -> PageAnswer:
    """Return a redirect to where an app that really runs answers; `rest`: the path within it."""
    app = App.FromString(encoded)
    path = quote(rest, safe="/~!$&'()*+,;=:@")
    url = app.status.ingress.public_url.rstrip("/") + path + (f"?{request.query}" if request.query else "")
    location = url.encode("latin-1", "replace")
    return PageAnswer(
        307, b"text/plain; charset=utf-8", b"The app answers at " + location + b"\n", [(b"location", location)]
    )


def no_app_page(request: PageRequest) -> PageAnswer:
    """Return 404 for a URL of an app that doesn't exist."""
    why = f"No app is at {request.path[:200]!r} of the host {request.host[:200]!r}."
    return negotiated(404, why, request.accept, [], {})
