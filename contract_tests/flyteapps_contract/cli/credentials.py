"""The credentials of a run: a token, or one that the plane gives for an API key."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

from flyteapps_contract.outcomes import CannotJudge
from flyteapps_contract.targets.target import CALL_SECONDS
from flyteapps_contract.targets.wire import Wire

METADATA = "flyteidl2.auth.AuthMetadataService"


class ApiKey(NamedTuple):
    """The parts of an API key that are secret or name a client."""

    client_id: str
    secret: str

    @classmethod
    def parse(cls, key: str) -> ApiKey:
        """Parse base64 of ENDPOINT:CLIENT_ID:SECRET:ORG; the endpoint may have colons. Raises CannotJudge."""
        try:
            parts = base64.b64decode(key, validate=True).decode().rsplit(":", 3)
        except ValueError:
            parts = []
        if len(parts) != 4:
            raise CannotJudge("--api-key: it is no base64 of ENDPOINT:CLIENT_ID:SECRET:ORG")
        return cls(parts[1], parts[2])


def token_for(key: str, wire: Wire) -> str:
    """Return an access token for an API key, from the token endpoint that the plane names. Raises CannotJudge."""
    found = ApiKey.parse(key)
    metadata = _post(wire, f"{wire.url}/{METADATA}/GetOAuth2Metadata", {"content-type": "application/json"}, b"{}")
    config = _post(wire, f"{wire.url}/{METADATA}/GetPublicClientConfig", {"content-type": "application/json"}, b"{}")
    endpoint = metadata.get("tokenEndpoint")
    if not isinstance(endpoint, str) or not endpoint:
        raise CannotJudge("--api-key: the plane's AuthMetadataService names no token endpoint")
    basic = base64.b64encode(f"{found.client_id}:{quote_plus(found.secret)}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": " ".join(config.get("scopes", ()))}
    if config.get("audience"):
        form["audience"] = config["audience"]
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {basic}"}
    answer = _post(wire, endpoint, headers, urlencode(form).encode())
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise CannotJudge(f"--api-key: {endpoint} gave no token: {answer.get('error', 'no error either')}")
    return token


def _post(wire: Wire, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    try:
        answer = wire.sync_client().post(url, headers, body, timeout=CALL_SECONDS)
        found = json.loads(answer.content)
    except ValueError:
        raise CannotJudge(f"--api-key: {url} answers no JSON") from None
    except Exception as error:  # each HTTP client has errors of its own
        raise CannotJudge(f"--api-key: {url} can't be reached: {error}") from None
    if answer.status != 200:
        problem = found.get("message") or found.get("error_description") or found.get("error")
        raise CannotJudge(f"--api-key: {url} answers {answer.status}: {problem}")
    return found
