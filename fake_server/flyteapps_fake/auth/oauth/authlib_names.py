"""The names of authlib that are used here, untyped: the stubs of pyright know half of its parameters."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_RFC6749: Any = import_module("authlib.oauth2.rfc6749")
_ERRORS: Any = import_module("authlib.oauth2.rfc6749.errors")
_GRANTS: Any = import_module("authlib.oauth2.rfc6749.grants")
_RFC8628: Any = import_module("authlib.oauth2.rfc8628")

AuthorizationServer: Any = _RFC6749.AuthorizationServer
ClientMixin: Any = _RFC6749.ClientMixin
OAuth2Payload: Any = _RFC6749.OAuth2Payload
OAuth2Request: Any = _RFC6749.OAuth2Request
OAuth2Error: Any = _ERRORS.OAuth2Error
InvalidGrantError: Any = _ERRORS.InvalidGrantError
InvalidRequestError: Any = _ERRORS.InvalidRequestError
AuthorizationCodeGrant: Any = _GRANTS.AuthorizationCodeGrant
ClientCredentialsGrant: Any = _GRANTS.ClientCredentialsGrant
RefreshTokenGrant: Any = _GRANTS.RefreshTokenGrant
RevocationEndpoint: Any = import_module("authlib.oauth2.rfc7009").RevocationEndpoint
CodeChallenge: Any = import_module("authlib.oauth2.rfc7636").CodeChallenge
DEVICE_CODE_GRANT_TYPE: str = _RFC8628.DEVICE_CODE_GRANT_TYPE
DeviceAuthorizationEndpoint: Any = _RFC8628.DeviceAuthorizationEndpoint
DeviceCodeGrant: Any = _RFC8628.DeviceCodeGrant
OpenIDToken: Any = import_module("authlib.oidc.core").OpenIDToken
