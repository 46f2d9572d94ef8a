"""Links to the pages of the console."""

from __future__ import annotations

from urllib.parse import quote

from flyteapps.endpoint import Endpoint
from flyteapps.errors import InvalidArgument


class Console:
    """The console of a plane, for links alone: nothing is requested from it.

    `endpoint`: that of the plane, in any form of `Endpoint.parse`. `insecure`: links begin with http://, else with
    https://, whatever the endpoint's scheme, as in the Flyte SDK. `console_endpoint`: the address of the
    console, if it is elsewhere; its own scheme counts, and `insecure` where that is `dns` or none.

    The console of `localhost:8090`, where Flyte's local planes listen, is `localhost:8080`. Raises ConfigError.
    """

    def __init__(self, endpoint: str, insecure: bool = False, console_endpoint: str | None = None) -> None:
        if console_endpoint:
            has_scheme = console_endpoint.lower().startswith(("http://", "https://"))
            where = Endpoint.parse(console_endpoint, None if has_scheme else insecure, what="console_endpoint")
            self._http_domain = where.url
            return
        where = Endpoint.parse(endpoint)
        local = where.host.lower() == "localhost" and where.port == 8090
        self._http_domain = f"{'http' if insecure else 'https'}://{'localhost:8080' if local else where.authority}"

    def app_url(self, project: str, domain: str, app_name: str) -> str:
        """Return the page of an app: HTTP_DOMAIN/v2/domain/DOMAIN/project/PROJECT/apps/NAME. Raises InvalidArgument."""
        for what, part in (("project", project), ("domain", domain), ("app_name", app_name)):
            if not isinstance(part, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller gives
                raise InvalidArgument(f"{what}={part!r} should be a string, and is a {type(part).__name__}")
        quoted = [quote(part, safe="") for part in (domain, project, app_name)]
        return "{}/v2/domain/{}/project/{}/apps/{}".format(self._http_domain, *quoted)
