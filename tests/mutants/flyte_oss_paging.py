"""Wrong pages of List in the dialect `flyte-oss`: one thing that Kubernetes does, done otherwise."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteapps_fake.flyte_oss.paging import pages, tokens, versions
from flyteapps_fake.flyte_oss.paging.pages import Pages

from .planting import around, mutant

Planted = AbstractContextManager[Any]


@mutant("OSS-23")
def a_token_is_that_of_the_page_before() -> Planted:
    real, last = pages.encode_token, [""]

    def token(version: int, start: str) -> bytes:
        before, last[0] = last[0], start
        return real(version, before or start)

    return patch.object(pages, "encode_token", token)


@mutant("OSS-23")
def only_apps_of_the_list_make_a_next_page() -> Planted:
    def page(
        real: Any, self: Pages, present: Any, limit: int, token: str, where: str, selected: Any, shows: Any
    ) -> Any:
        found = real(self, present, limit, token, where, selected, shows)
        after = f"{found.services[-1].resource}\0" if found.services else ""
        return found if any(selected(present, after)) else found._replace(token=b"")

    return around(Pages, "page", page)


@mutant("OSS-73")
def pages_show_what_was_written_since() -> Planted:
    return around(versions.Versions, "at", lambda real, self, version, present: self._present)


@mutant("OSS-73")
def what_was_deleted_since_is_on_no_page() -> Planted:
    def then(real: Any, self: versions.ServicesThen, resource: str) -> Any:
        return real(self, resource) if self._present.get(resource) is not None else None

    return around(versions.ServicesThen, "_then", then)


@mutant("OSS-74")
def tokens_have_no_version() -> Planted:
    return around(pages, "encode_token", lambda real, version, last: real(-1, last))


@mutant("OSS-74")
def tokens_are_padded() -> Planted:
    return around(pages, "encode_token", lambda real, version, last: real(version, last) + b"=")


@mutant("OSS-75")
def a_padded_token_is_taken() -> Planted:
    return around(tokens, "_decoded", lambda real, text: real(text.rstrip("=")))


@mutant("OSS-75")
def a_token_may_lead_up() -> Planted:
    def checked(real: Any, found: dict[str, Any]) -> Any:
        return real({**found, "start": found["start"].replace("../", "")})

    return around(tokens, "_checked", checked)
