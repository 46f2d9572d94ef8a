"""Links to the pages of the console."""

from __future__ import annotations

from urllib.parse import quote

from flyteapps.endpoint import Endpoint


class Console:
    """The console of a plane. `endpoint` as of a client; `console_endpoint`: where the console is, if elsewhere.

    The console of `localhost:8090`, the stand-in's own port, is `localhost:8080`. Raises ConfigError.
    """

    def __init__(self, endpoint: str, insecure: bool = False, console_endpoint: str | None = None) -> None:
        scheme = "http" if insecure else "https"
        if console_endpoint:
            self._domain = Endpoint.parse(console_endpoint, None if "://" in console_endpoint else insecure).url
            return
        where = Endpoint.parse(endpoint)
        authority = where.authority
        if where.host == "localhost" and where.port == 8090:
            authority = "localhost:8080"
        self._domain = f"{scheme}://{authority}"

    def app_url(self, project: str, domain: str, app_name: str) -> str:
        """The page of an app: HTTP_DOMAIN/v2/domain/DOMAIN/project/PROJECT/apps/NAME."""
        parts = (quote(part, safe="") for part in (domain, project, app_name))
        return "{}/v2/domain/{}/project/{}/apps/{}".format(self._domain, *parts)
