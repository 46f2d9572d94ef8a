"""The pages of List, and the version of the cluster that they show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.settings import Kubernetes
from flyteapps_fake.flyte_oss.paging.tokens import Token, decode_token, encode_token
from flyteapps_fake.flyte_oss.paging.versions import ServicesThen, Versions
from flyteapps_fake.flyte_oss.services import Service, Services

TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)

Selection = Callable[[Services | ServicesThen, str], Iterable[Service]]
"""Returns the services that a List is of, by name from a name on, of all that there are or were."""


class Page(NamedTuple):
    """The services of a page, and the token of the next one, empty for none."""

    services: list[Service]
    token: bytes = b""


class Pages:
    """The pages of one cluster's services. One without Kubernetes ignores limits and tokens, as the recorded one did.

    `version`: the number of changes of the cluster so far.
    """

    def __init__(self, kubernetes: Kubernetes | None, present: Services) -> None:
        self._ignored = kubernetes in (None, "none")
        self._versions = Versions(present)
        self.version = 0

    def changed(self, resource: str, old: Service | None) -> None:
        """Count a change of a service, which was `old` before."""
        self.version += 1
        self._versions.add(self.version, resource, old)

    def restored(self) -> None:
        """Go on from another state: of what was before it nothing is known."""
        self._versions.forget()

    def page(
        self,
        present: Services,
        limit: int,
        token: str,
        where: str,
        selected: Selection,
        shows: Callable[[Service], bool],
    ) -> Page:
        """Return a page of at most `limit` services, 0 for all that are left. Raises RpcError for a bad token.

        There is a next page where any service follows that the caller sees, selected or not. `where`: the project and
        domain, for refusals.
        """
        if self._ignored:
            return Page([each for each in selected(present, "") if shows(each)])
        services, version, start = self._begin(present, token, where) if token else (present, self.version, "")
        found = list(islice(filter(shows, selected(services, start)), limit or None))
        if not limit or len(found) < limit:
            return Page(found)
        last = found[-1].resource
        if not any(map(shows, services.listed("", "", f"{last}\0"))):
            return Page(found)
        self._versions.keep(self.version)
        return Page(found, encode_token(version, last))

    def _begin(self, present: Services, text: str, where: str) -> tuple[Services | ServicesThen, int, str]:
        """Return the services that the pages of a token show, their version, and where the page begins."""
        token = _token_of(text, where)
        if token.version < 0:
            return present, self.version, token.start
        if token.version > self.version:
            raise RpcError(
                Code.DEADLINE_EXCEEDED,
                f"context deadline exceeded: the token is of version {token.version} of the cluster, which is at "
                f"{self.version}; the backend would wait for it",
            )
        services = self._versions.at(token.version, self.version)
        if services is None:
            raise _refusal(where, TOO_OLD)
        return services, token.version, token.start


def _token_of(text: str, where: str) -> Token:
    try:
        return decode_token(text)
    except ValueError as error:
        raise _refusal(where, str(error)) from None


def _refusal(where: str, why: str) -> RpcError:
    return RpcError(Code.INTERNAL, f"failed to list KServices for {where}: {why}")
