"""Access to an app: the host names under which it answers, and the token that its callers may need. Decisions alone."""

from __future__ import annotations

from collections.abc import Callable

from flyteapps_fake.processes.ingress.answers import Answer, Refused
from flyteapps_fake.processes.ingress.incoming import Incoming
from flyteapps_fake.processes.routes import Route

Authorize = Callable[[str], bool]
"""Return whether a token is valid."""
MAX_SHOWN_CHARACTERS = 100


def check_token(route: Route, incoming: Incoming, authorize: Authorize | None) -> None:
    """Raise Refused for a request without a valid token to an app that needs one; it is passed on to the app."""
    if authorize is None or not route.requires_auth:
        return
    headers = incoming.fields.values(b"authorization")
    scheme, _, token = headers[0].decode("latin-1").partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        why, challenge = "send a token of the plane: authorization: Bearer TOKEN", b"Bearer"
    elif authorize(token.strip()):
        return
    else:
        why, challenge = "the token is invalid or has expired", b'Bearer error="invalid_token"'
    message = f"The app {route.app} requires authentication: {why}."
    raise Refused(Answer(401, message, route.app, ((b"www-authenticate", challenge),)))


def wrong_host(incoming: Incoming) -> Refused:
    """Return the refusal of a host name that isn't answered: a web page's, say, that resolves to this machine."""
    shown = incoming.authority[:MAX_SHOWN_CHARACTERS].decode("latin-1")
    return Refused(
        Answer(421, f"Nothing is served for the host {shown!r}: ask for localhost, or a host name of an app.")
    )
