"""Wrong planes: hosts that pass from app to app."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.ingress import Hosts

from .planting import around, mutant
from .races import yield_the_lock

Had = dict[tuple[int, AppKey], set[str]]
"""The hosts that each app has ever had, by the plane's hosts and the app."""


def _remembering(had: Had, then: Any) -> AbstractContextManager[Any]:
    """Call `then(hosts, key, new, earlier)` after an app got other hosts, with those that it had any time before."""

    def put(real: Any, self: Hosts, key: AppKey, new: Any) -> None:
        earlier = had.setdefault((id(self), key), set())
        real(self, key, new)
        then(self, key, new, earlier)
        earlier.update(new.hosts if new is not None else ())

    return around(Hosts, "put", put)


@mutant("CR-6")
def a_deletion_frees_all_hosts_that_the_app_ever_had() -> AbstractContextManager[Any]:
    def then(hosts: Hosts, key: AppKey, new: Any, earlier: set[str]) -> None:
        for host in earlier if new is None else ():
            hosts._owners.pop(host, None)

    return _remembering({}, then)


@mutant("CR-6")
def an_update_frees_hosts_that_the_app_once_had() -> AbstractContextManager[Any]:
    def then(hosts: Hosts, key: AppKey, new: Any, earlier: set[str]) -> None:
        for host in earlier - set(new.hosts) if new is not None else ():
            hosts._owners.pop(host, None)

    return _remembering({}, then)


@mutant("CR-6")
def a_created_again_id_gets_its_hosts_back() -> AbstractContextManager[Any]:
    deleted: set[tuple[int, AppKey]] = set()

    def then(hosts: Hosts, key: AppKey, new: Any, earlier: set[str]) -> None:
        if new is None:
            deleted.add((id(hosts), key))
        elif (id(hosts), key) in deleted:
            deleted.discard((id(hosts), key))
            for host in earlier:
                if host.endswith(".example.com"):
                    hosts._owners[host] = key

    return _remembering({}, then)


@mutant("CR-6")
def a_host_that_came_back_stays_with_the_other() -> AbstractContextManager[Any]:
    """A host that its app let go and takes again is freed by the deletion of the app that had it between."""

    def then(hosts: Hosts, key: AppKey, new: Any, earlier: set[str]) -> None:
        if new is None:
            for host in earlier:
                owner = hosts._owners.get(host)
                if owner is not None and owner in first and host in first[owner]:
                    del hosts._owners[host]
        else:
            first.setdefault(key, set()).update(host for host in new.hosts if host in earlier)

    first: dict[AppKey, set[str]] = {}
    return _remembering({}, then)


@mutant("CR-6")
def a_refused_write_keeps_the_hosts_that_were_free() -> AbstractContextManager[Any]:
    """Hosts are taken one by one, the cname first; a subdomain that is taken is found too late."""

    def plan(real: Any, self: Hosts, key: AppKey, config: Any, generated: str) -> Any:
        try:
            return real(self, key, config, generated)
        except RpcError:
            if config.cname and config.subdomain:
                self._owners.setdefault(config.cname.lower(), key)
            raise

    return around(Hosts, "plan", plan)


@mutant("CR-6")
def racing_apps_share_a_host() -> AbstractContextManager[Any]:
    """Whether a host is taken is looked up before other threads run."""

    def commit(real: Any, self: State, draft: Draft) -> AppRecord:
        if draft.sent is not None and draft.sent.spec.ingress.cname:
            yield_the_lock(self.lock)
            if draft.old is not None:
                draft.old = self.store.get(draft.old.key) or draft.old
        return real(self, draft)

    return around(State, "commit", commit)
