"""The clients of the settings, as authlib reads them."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from flyteapps_fake.auth.oauth.authlib_names import DEVICE_CODE_GRANT_TYPE, ClientMixin
from flyteapps_fake.auth.oauth.records import Named
from flyteapps_fake.auth.settings import OWN_SCOPES, Auth, Client

CONSOLE = "flyteapps-console"
"""The id of the client with which people log in to the console: each plane that issues tokens has it."""
CONSOLE_PATH = "/login"
"""The path of the console to which they are sent back."""
CONSOLE_GRANTS = ("authorization_code", "refresh_token")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOGIN_GRANTS = ("authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")


class OAuthClient(Named, ClientMixin):
    """A client of one plane."""

    def __init__(self, client: Client, auth: Auth) -> None:
        self.client = client
        self._auth = auth

    def get_client_id(self) -> str:
        """Return the client's id."""
        return self.client.client_id

    def get_default_redirect_uri(self) -> str | None:
        """Return the redirect URI of requests that name none, None where that would be ambiguous."""
        return self.client.redirect_uris[0] if len(self.client.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return those of the requested scopes that there are, all of the settings for a request of none."""
        if not scope:
            return " ".join(self._auth.scopes)
        known = (*self._auth.scopes, *OWN_SCOPES)
        return " ".join(each for each in dict.fromkeys(scope.split()) if each in known)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether answers may be sent there; on the loopback any port is as good (RFC 8252)."""
        return any(_same(redirect_uri, each) for each in self.client.redirect_uris)

    def check_client_secret(self, client_secret: str) -> bool:
        """Return whether that is the client's secret."""
        return hmac.compare_digest(client_secret.encode(), (self.client.secret or "").encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Return whether the client may prove in that manner that it is itself."""
        return method == "none" if self.client.secret is None else method in SECRET_METHODS

    def check_response_type(self, response_type: str) -> bool:
        """Return whether the client may send users to the login page for that."""
        return response_type == "code" and bool(self.client.redirect_uris)

    def check_grant_type(self, grant_type: str) -> bool:
        """Return whether the client may get tokens in that manner."""
        if self.client.secret is None or self.client.redirect_uris:
            return grant_type in LOGIN_GRANTS or (grant_type == "client_credentials" and self.client.secret is not None)
        return grant_type == "client_credentials"


class ConsoleClient(OAuthClient):
    """The client of the console, whose answers are sent to the host and port that the request came to.

    A browser that shows the console reaches the plane under that name, on whichever port; a page of another site has
    other names.
    """

    def __init__(self, auth: Auth, origin: Callable[[], str]) -> None:
        super().__init__(Client(CONSOLE), auth)
        self._origin = origin

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether it is the console's page of the host that is asked, by either scheme: of a proxy, perhaps."""
        host = self._origin().partition("://")[2]
        return redirect_uri in (f"http://{host}{CONSOLE_PATH}", f"https://{host}{CONSOLE_PATH}")

    def check_response_type(self, response_type: str) -> bool:
        """Return whether the client may send users to the login page for that."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Return whether the client may get tokens in that manner."""
        return grant_type in CONSOLE_GRANTS


def _same(given: str, registered: str) -> bool:
    if given == registered:
        return True
    try:
        one, other = urlsplit(given), urlsplit(registered)
        port = one.port
    except ValueError:
        return False
    loopback = one.scheme == other.scheme == "http" and one.hostname == other.hostname and other.hostname in LOOPBACK
    return loopback and port is not None and one._replace(netloc="") == other._replace(netloc="") and "@" not in given
