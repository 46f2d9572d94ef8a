"""What a dialect decides: everything that a plane answers. Its time, its lock and its servers are the same for all.

A dialect is entered under the plane's lock, after what was due has happened.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.request_limits import Intake
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.auto_clock import Planner
from flyteapps_fake.simulation.secrets import Secrets
from flyteapps_fake.standard.apps import AppRecord


@dataclass(frozen=True, slots=True)
class Notice:
    """What the person at the terminal should know of an app, because no client is told."""

    app: str
    message: str


class Dialect(Planner):
    """The behaviour of one plane, and all that it holds."""

    secrets: Secrets
    """The plane's secrets."""
    on_notice: Callable[[Notice], None] | None = None
    intake: ClassVar[Intake] = Intake()
    """What its servers take in."""
    repeats: ClassVar[bool] = False
    """Whether `read` and `read_again` are there: a Get may be answered again by the record that answered it before."""

    @property
    @abstractmethod
    def org(self) -> str:
        """The plane's own org."""

    @abstractmethod
    def call(self, call: Call[Any]) -> bytes:
        """Return the encoded response of a unary RPC. Raises RpcError."""

    @abstractmethod
    def open(self, call: Call[Any]) -> OpenStream:
        """Open the stream of a server-streaming RPC. Raises RpcError."""

    def read(self, call: Call[Any]) -> AppRecord:
        """Return the app that a Get asks for; its bytes are `record.encoded`. Raises RpcError."""
        raise NotImplementedError

    def read_again(self, record: AppRecord) -> bool:
        """Whether a Get of that app would still find that very record; a read of it, if so."""
        raise NotImplementedError

    @abstractmethod
    def projects(self) -> set[str]:
        """The names of the projects that hold an app."""

    @abstractmethod
    def count(self) -> int:
        """How many apps are stored."""

    @abstractmethod
    def find_by_host(self, host: str) -> bytes | None:
        """The encoded App that answers under a host name (without port); None where none does."""

    @abstractmethod
    def ask(self, host: str) -> bytes | None:
        """A request to an app's public URL, by the URL's host: the encoded App; None where none answers under it."""

    @abstractmethod
    def serve_at(self, port: int) -> None:
        """Name that port in the public URLs of apps from now on, unless one was configured or named before."""
