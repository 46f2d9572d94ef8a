"""The answer under an app's public URL: what its scenario declares, or that nothing runs behind it. No routing."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_control.selection import AppName
from flyteapps_fake.console.answers import negotiated
from flyteapps_fake.core.lifecycle import short_name, traits_of
from flyteapps_fake.http.page import PageAnswer, PageRequest
from flyteapps_fake.simulation.responses import find_response
from flyteapps_fake.simulation.scenarios import Scenario

NOTHING_RUNS = (
    "but nothing runs behind it: this is a stand-in control plane. Start it with --run to run apps (docs/running.md), "
    "or declare what this one answers, by `responses` in a scenario (docs/scenarios.md)"
)
MAX_SHOWN = 200
"""Characters of a request that a page quotes."""
RETRY_SECONDS = 1
"""Time after which a request to a starting app is worth repeating."""


def app_page(
    encoded: bytes, request: PageRequest, path: str, scenario_of: Callable[[AppName], Scenario | None]
) -> PageAnswer:
    """Return the answer of an app, whose scenario may declare one; `path`: of the request, within the app.

    Without any it is 501 for an app that serves requests, and 503 for one that is starting, stopped or failed.
    """
    app = App.FromString(encoded)
    identifier = app.metadata.id
    last = app.status.conditions[-1] if app.status.conditions else None
    status = last.deployment_status if last is not None else 0
    state, traits = short_name(status), traits_of(status)
    name = "/".join((identifier.org, identifier.project, identifier.domain, identifier.name))
    headers = [(b"x-flyteapps-app", quote(name).encode())]
    if traits.serves:
        scenario = scenario_of(AppName(identifier.project, identifier.domain, identifier.name))
        if scenario is None or not scenario.responses:
            code, why = 501, f"The app {name} is {state}, {NOTHING_RUNS}."
        elif (found := find_response(scenario.responses, request.method, path)) is not None:
            return PageAnswer(found.status, found.content_type, found.body, [*headers, *found.headers])
        else:
            code, why = (
                501,
                (
                    f"The app {name} is {state}, and its scenario {scenario.name} declares no response to "
                    f"{request.method[:MAX_SHOWN]} {path[:MAX_SHOWN]}: add one to its `responses` (docs/scenarios.md)."
                ),
            )
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
