"""Wrong planes: callers, their tokens and their rights."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteapps_fake.auth import refusals, tokens
from flyteapps_fake.auth.authentication import Authentication
from flyteapps_fake.auth.principal import Principal, Rights
from flyteapps_fake.core.call import Identity
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.standard import listing, watch, writes
from flyteapps_fake.standard.dialect import Standard

from .planting import all_of, around, mutant, same

SOMEONE = Principal(Identity("someone"), Rights("admin"), None, "", "", float("inf"))


@mutant("AU-1")
def streams_need_no_caller() -> AbstractContextManager[Any]:
    def identify(real: Any, self: Authentication, call: Any) -> Principal:
        return SOMEONE if call.operation.streaming and "authorization" not in call.metadata else real(self, call)

    return around(Authentication, "identify", identify)


@mutant("AU-1")
def the_refusal_names_the_app() -> AbstractContextManager[Any]:
    def identify(real: Any, self: Authentication, call: Any) -> Principal:
        try:
            return real(self, call)
        except RpcError as error:
            raise RpcError(error.code, f"{error.message}: {call.operation.app_id(call.request).name}") from None

    return around(Authentication, "identify", identify)


@mutant("AU-1")
def another_scheme_is_anonymous() -> AbstractContextManager[Any]:
    def identify(real: Any, self: Authentication, call: Any) -> Principal:
        return SOMEONE if call.metadata.get("authorization", "").startswith("Basic ") else real(self, call)

    return around(Authentication, "identify", identify)


@mutant("AU-2")
def signatures_are_not_checked() -> AbstractContextManager[Any]:
    genuine = patch.object(tokens, "canonical", lambda token: token)
    return all_of(patch.object(tokens.jws, "deserialize_compact", same(None)), genuine)


@mutant("AU-2")
def the_algorithm_none_counts() -> AbstractContextManager[Any]:
    def check(real: Any, self: Any, token: str, *arguments: Any) -> Any:
        parts = tokens.take_apart(token)
        return parts.claims if str(parts.header.get("alg")).lower() == "none" else real(self, token, *arguments)

    return around(tokens.Tokens, "check", check)


@mutant("AU-2")
def tokens_have_several_texts() -> AbstractContextManager[Any]:
    def check(real: Any, self: Any, token: str, *arguments: Any) -> Any:
        return real(self, token.rstrip("="), *arguments)

    return around(tokens.Tokens, "check", check)


@mutant("AU-3")
def expiry_is_not_checked() -> AbstractContextManager[Any]:
    def check_claims(real: Any, claims: Any, *arguments: Any) -> None:
        real({**claims, "exp": 9e12}, *arguments)

    return all_of(around(tokens, "check_claims", check_claims), patch.object(Authentication, "_counts", same(True)))


@mutant("AU-3")
def checked_tokens_count_for_ever() -> AbstractContextManager[Any]:
    return patch.object(Authentication, "_counts", same(True))


@mutant("AU-4")
def the_audience_is_not_checked() -> AbstractContextManager[Any]:
    def check_claims(real: Any, claims: Any, issuers: Any, audiences: Any, *arguments: Any) -> None:
        real({**claims, "aud": next(iter(audiences))}, issuers, audiences, *arguments)

    return around(tokens, "check_claims", check_claims)


@mutant("AU-4")
def the_issuer_is_not_checked() -> AbstractContextManager[Any]:
    def check_claims(real: Any, claims: Any, issuers: Any, *arguments: Any) -> None:
        real({**claims, "iss": next(iter(issuers))}, issuers, *arguments)

    return around(tokens, "check_claims", check_claims)


@mutant("AU-5")
def revoked_tokens_are_remembered_as_checked() -> AbstractContextManager[Any]:
    return patch.object(Authentication, "_forget", same(None))


@mutant("AU-5")
def streams_of_revoked_tokens_go_on() -> AbstractContextManager[Any]:
    def revoke(real: Any, self: Authentication, *names: str) -> None:
        self._revoked.update(dict.fromkeys(names, 1))
        self._forget()

    return around(Authentication, "revoke", revoke)


@mutant("AU-6")
def a_refusal_has_no_challenge() -> AbstractContextManager[Any]:
    def unauthenticated(real: Any, *arguments: Any) -> RpcError:
        error = real(*arguments)
        error.http_headers = ()
        return error

    return around(refusals, "_unauthenticated", unauthenticated)


@mutant("AU-7")
def the_request_names_the_creator() -> AbstractContextManager[Any]:
    def create(real: Any, state: Any, request: Any) -> Any:
        state.authenticated = False
        return real(state, request)

    return around(writes, "create", create)


@mutant("AU-8")
def viewers_write() -> AbstractContextManager[Any]:
    return patch.object(Rights, "may_write", same(True))


@mutant("AU-8")
def operators_need_no_rights() -> AbstractContextManager[Any]:
    def admit(real: Any, self: Authentication, call: Any) -> Principal:
        return self.identify(call) if call.operation.access == "admin" else real(self, call)

    return around(Authentication, "admit", admit)


@mutant("AU-8")
def hidden_apps_are_listed() -> AbstractContextManager[Any]:
    return patch.object(listing, "_seen", lambda sees, matches: matches)


@mutant("AU-8")
def changes_of_hidden_apps_are_watched() -> AbstractContextManager[Any]:
    return patch.object(watch.Event, "place", property(lambda event: ("none-at-all", "")))


@mutant("AU-8")
def hidden_apps_are_denied() -> AbstractContextManager[Any]:
    denied = RpcError(Code.PERMISSION_DENIED, "this app is not for you")
    return patch.object(Standard, "absent", same(denied))
