"""The refusals of authentication: UNAUTHENTICATED with the challenge of RFC 6750, PERMISSION_DENIED with the role."""

from __future__ import annotations

from flyteapps_fake.core.errors import Code, RpcError

REALM = "flyteapps"
LOG_IN = "log in (`flyteapps login`), set FLYTE_API_KEY, or send the header {}: Bearer TOKEN"


def no_credentials(header: str) -> RpcError:
    """Return the refusal of a call without credentials."""
    return _unauthenticated(f"this plane needs credentials: {LOG_IN.format(header)}", "")


def invalid_token(problem: str) -> RpcError:
    """Return the refusal of a call with a token that doesn't count."""
    return _unauthenticated(f"the token is refused: {problem}", problem)


def _unauthenticated(message: str, problem: str) -> RpcError:
    challenge = f'Bearer realm="{REALM}"'
    if problem:
        shown = problem.replace("\\", "").replace('"', "'")
        challenge += f', error="invalid_token", error_description="{shown}"'
    error = RpcError(Code.UNAUTHENTICATED, message)
    error.http_headers = ((b"www-authenticate", challenge.encode("ascii", "replace")),)
    return error


def denied(subject: str, role: str, wanted: str) -> RpcError:
    """Return the refusal of a call that needs more rights than its caller has."""
    return RpcError(Code.PERMISSION_DENIED, f"{subject} has the role {role}; {wanted}")
