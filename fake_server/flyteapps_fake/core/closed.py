"""What a plane answers once it is closed: nothing. What it holds can still be looked at by who owns it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NoReturn

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Dialect
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.streams import OpenStream, StreamScope
from flyteapps_fake.standard.apps import AppRecord

MESSAGE = "the plane was closed: make another FakeControlPlane, or call it before the end of its `with` block"


class Closed(Dialect):
    """Stands in the place of the dialect of a plane that was closed."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.streams = dialect.streams
        self.secrets = dialect.secrets
        self.intake = dialect.intake  # type: ignore[misc]  # as that dialect has it
        self.repeats = dialect.repeats  # type: ignore[misc]

    @property
    def org(self) -> str:
        return self._dialect.org

    def scope(self, key: Hashable) -> StreamScope:
        return self._dialect.scope(key)

    def scopes(self, key: Hashable) -> tuple[StreamScope, ...]:
        return self._dialect.scopes(key)

    def call(self, call: Call[Any]) -> bytes:
        self._refuse()

    def open(self, call: Call[Any]) -> OpenStream:
        self._refuse()

    def read(self, call: Call[Any]) -> AppRecord:
        self._refuse()

    def read_again(self, record: AppRecord) -> bool:
        self._refuse()

    def projects(self) -> set[str]:
        return self._dialect.projects()

    def count(self) -> int:
        return self._dialect.count()

    def find_by_host(self, host: str) -> bytes | None:
        return self._dialect.find_by_host(host)

    def ask(self, host: str) -> bytes | None:
        return self._dialect.find_by_host(host)

    def serve_at(self, port: int) -> None:
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise RpcError(Code.UNAVAILABLE, MESSAGE)
