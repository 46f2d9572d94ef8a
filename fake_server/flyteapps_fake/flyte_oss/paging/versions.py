"""The services of a cluster as they were at an earlier version: what the pages of one List show, whatever is written.

A version is a number that grows with every change of the cluster. What was replaced is kept from the first page on that
another can follow, within bounds: beyond them the oldest is forgotten, and the pages of that version end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from sortedcontainers import SortedDict

from flyteapps_fake.flyte_oss.services import Service, Services

MAX_CHANGES = 10_000
"""Changes since a page for which the next one can still be had."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of the specs that were replaced since."""


class Replaced(NamedTuple):
    """The change of a service: the version that it made, and the service before; None where there was none."""

    version: int
    old: Service | None


class Versions:
    """The earlier versions of one cluster's services, as far as they are kept."""

    def __init__(self, present: Services) -> None:
        self._present = present
        self._first: int | None = None
        """The earliest version that is known in whole, None where nothing is kept."""
        self._replaced: SortedDict[str, deque[Replaced]] = SortedDict()
        self._changes: deque[tuple[str, int]] = deque()
        """The names of the changed services, the oldest change first, and the bytes that each keeps."""
        self._bytes = 0

    def keep(self, version: int) -> None:
        """Keep what is replaced from this version on, the present one."""
        if self._first is None:
            self._first = version

    def add(self, version: int, resource: str, old: Service | None) -> None:
        """Record the change that has made a version, by what it replaced."""
        if self._first is None:
            return
        size = len(old.spec) if old is not None else 0
        self._replaced.setdefault(resource, deque()).append(Replaced(version, old))
        self._changes.append((resource, size))
        self._bytes += size
        while len(self._changes) > MAX_CHANGES or self._bytes > MAX_BYTES:
            self._forget_oldest()

    def forget(self) -> None:
        """Keep nothing."""
        self._first = None
        self._replaced.clear()
        self._changes.clear()
        self._bytes = 0

    def at(self, version: int, present: int) -> ServicesThen | Services | None:
        """Return the services at a version, None where they are forgotten; `present` is the version of now."""
        if version == present:
            return self._present
        if self._first is None or version < self._first:
            return None
        return ServicesThen(self._present, self._replaced, version)

    def _forget_oldest(self) -> None:
        resource, size = self._changes.popleft()
        self._bytes -= size
        versions = self._replaced[resource]
        self._first = versions.popleft().version
        if not versions:
            del self._replaced[resource]


class ServicesThen:
    """The services at an earlier version, in the order of their names."""

    def __init__(self, present: Services, replaced: SortedDict[str, deque[Replaced]], version: int) -> None:
        self._present = present
        self._replaced = replaced
        self._version = version

    def listed(self, project: str, domain: str, start: str = "") -> Iterator[Service]:
        """Yield the services of a project and domain ("" matches any) by resource name, from `start` on."""
        there = (service.resource for service in self._present.listed(project, domain, start))
        changed = self._replaced.irange(start or None)
        for resource, _ in groupby(merge(there, changed)):
            service = self._then(resource)
            if service is not None and service.is_in(project, domain):
                yield service

    def _then(self, resource: str) -> Service | None:
        replaced = self._replaced.get(resource)
        if replaced is not None:
            at = bisect_right(replaced, self._version, key=_version)
            if at < len(replaced):
                return replaced[at].old
        return self._present.get(resource)


def _version(replaced: Replaced) -> int:
    return replaced.version
