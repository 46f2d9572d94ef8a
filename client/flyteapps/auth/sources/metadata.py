"""The authentication of a plane, as its AuthMetadataService describes it."""

from __future__ import annotations

from typing import Any

from connectrpc.method import IdempotencyLevel, MethodInfo

from flyteapps.auth.base import Context
from flyteapps.auth.tokens import Token
from flyteapps.errors import AppNotFound, Error, Unauthenticated, Unimplemented
from flyteapps.flows.operations import Flow, Now, Unary
from flyteapps.support.debug import debug
from flyteapps.support.request_ids import request_id


class Metadata:
    """The endpoints, and the public client, of a plane's authority; "" where it names none."""

    def __init__(self, oauth2: Any, public: Any) -> None:
        self.token_endpoint: str = oauth2.token_endpoint
        self.authorization_endpoint: str = oauth2.authorization_endpoint
        self.device_endpoint: str = oauth2.device_authorization_endpoint
        self.client_id: str = public.client_id
        self.redirect_uri: str = public.redirect_uri
        self.scopes: tuple[str, ...] = tuple(public.scopes)
        self.audience: str = public.audience
        header = public.authorization_metadata_key.strip().lower()
        self.header: str = header if header and header.replace("-", "").isalnum() and header.isascii() else ""


def discovered(context: Context, timeout: float) -> Flow[Metadata | None]:
    """Return the metadata of a plane, None if it has no authentication. Raises Error."""
    if context.metadata is not None:
        return context.metadata
    from flyteidl2.auth import auth_service_pb2 as auth

    began: float = yield Now()
    try:
        oauth2 = yield _call(
            "GetOAuth2Metadata", auth.GetOAuth2MetadataRequest, auth.GetOAuth2MetadataResponse, timeout
        )
        left = max(0.001, timeout - ((yield Now()) - began))
        try:
            public = yield _call(
                "GetPublicClientConfig", auth.GetPublicClientConfigRequest, auth.GetPublicClientConfigResponse, left
            )
        except (Unimplemented, AppNotFound):
            public = auth.GetPublicClientConfigResponse()
    except (Unimplemented, AppNotFound):
        debug("%s serves no AuthMetadataService: calls go without credentials", context.endpoint)
        return None
    except Error as error:
        error.message = f"what authentication the plane has can't be found out: {error.message}"
        error.args = (error.message,)
        raise
    if not oauth2.token_endpoint:
        debug("%s names no token endpoint: calls go without credentials", context.endpoint)
        return None
    context.metadata = Metadata(oauth2, public)
    return context.metadata


def no_credentials(mode: str, context: Context, last: Token | None, now: float) -> Token:
    """Return the credentials for a plane that names no authority. Raises Unauthenticated if it refused a call without.

    `last`: the credentials that it refused, None at the first call.
    """
    if last is None:
        return Token({}, now)
    raise Unauthenticated(
        f"{mode}: {context.endpoint} wants credentials, and doesn't say where to get them (it serves no "
        f"AuthMetadataService): pass ClientSecret(..., token_endpoint=...), a token, or a function",
        endpoint=context.endpoint,
    )


def _call(name: str, request: type, response: type, timeout: float) -> Unary:
    method: MethodInfo[Any, Any] = MethodInfo(
        name=name,
        service_name="flyteidl2.auth.AuthMetadataService",
        input=request,
        output=response,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS,
    )
    return Unary(method, request(), timeout, {"x-request-id": request_id()})
