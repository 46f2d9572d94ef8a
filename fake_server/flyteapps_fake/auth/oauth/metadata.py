"""The metadata of an authorization server: RFC 8414, OpenID Connect discovery, and AuthMetadataService."""

from __future__ import annotations

from typing import Any

from flyteidl2.auth.auth_service_pb2 import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)

from flyteapps_fake.auth.authentication import Authentication
from flyteapps_fake.auth.keys import ALGORITHM
from flyteapps_fake.auth.settings import OWN_SCOPES
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.services.support.method import Method

SERVICE = "flyteidl2.auth.AuthMetadataService"
AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]
GRANT_TYPES = [
    "authorization_code",
    "client_credentials",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
]


def document(authentication: Authentication, origin: str) -> dict[str, Any]:
    """Return the metadata for a client that reaches the server at `origin`."""
    return {
        "issuer": authentication.issuer,
        "authorization_endpoint": f"{origin}/oauth2/authorize",
        "token_endpoint": f"{origin}/oauth2/token",
        "device_authorization_endpoint": f"{origin}/oauth2/device_authorization",
        "revocation_endpoint": f"{origin}/oauth2/revoke",
        "jwks_uri": f"{origin}/oauth2/jwks",
        "response_types_supported": ["code"],
        "grant_types_supported": GRANT_TYPES,
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [*authentication.settings.scopes, *OWN_SCOPES],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "name", "email"],
    }


class AuthMetadata:
    """AuthMetadataService of one plane."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service."""
        oauth2 = (GetOAuth2MetadataRequest, GetOAuth2MetadataResponse, self._metadata)
        client = (GetPublicClientConfigRequest, GetPublicClientConfigResponse, self._client)
        return (
            Method(SERVICE, "GetOAuth2Metadata", *oauth2, access="public"),
            Method(SERVICE, "GetPublicClientConfig", *client, access="public"),
        )

    def _metadata(self, request: GetOAuth2MetadataRequest, origin: str) -> GetOAuth2MetadataResponse:
        provider = self._authentication.provider
        if provider is None:
            found = document(self._authentication, origin)
        else:
            if not provider.document:
                provider.refresh()
                problem = provider.problem or f"the provider {self._authentication.settings.provider} is being asked"
                raise RpcError(Code.UNAVAILABLE, f"{problem}; try again")
            found = provider.document
        answer = GetOAuth2MetadataResponse()
        for field in GetOAuth2MetadataResponse.DESCRIPTOR.fields:
            value = found.get(field.name)
            if isinstance(value, list):
                getattr(answer, field.name).extend(value)
            elif value is not None:
                setattr(answer, field.name, value)
        return answer

    def _client(self, request: GetPublicClientConfigRequest, origin: str) -> GetPublicClientConfigResponse:
        settings = self._authentication.settings
        client = settings.public_client()
        if client is None and settings.provider is None:
            raise RpcError(Code.NOT_FOUND, "this plane has no public client: log in with a client's id and secret")
        return GetPublicClientConfigResponse(
            client_id=client.client_id if client is not None else "",
            redirect_uri=client.redirect_uris[0] if client is not None and client.redirect_uris else "",
            scopes=settings.scopes,
            authorization_metadata_key=settings.header,
            service_http_endpoint=origin,
            audience=self._authentication.audience,
        )
