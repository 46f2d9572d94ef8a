"""Planes in this process, one for each check, from a factory: the target for a plane of your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

from connectrpc.client import ConnectClient

from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.targets.connect import ConnectLink
from flyteapps_contract.targets.target import Capabilities, Link, Plane, Target


class InProcess(Protocol):
    """The least that a plane in process has: flyteidl2's generated async client to it.

    One that has a method `open_streams(project=...)` besides, which counts the open streams about a project, is judged
    by it: streams whose clients left have to go.
    """

    def async_stub(self) -> ConnectClient:
        """Return a client of the plane."""
        ...


Issue = Callable[[InProcess, str, float | None, Mapping[str, object]], str]
Factory = Callable[[], AbstractContextManager[InProcess]]


class _OwnPlane(Plane):
    def __init__(self, target: PlanesTarget) -> None:
        self.capabilities = target.capabilities
        self._target = target
        self._stack = ExitStack()
        self._plane = self._stack.enter_context(target.factory())
        self.link = target.connect(self._plane, self._stack)
        self._stack.callback(self.link.close)

    def advance(self, seconds: float) -> None:
        if not self.capabilities.clock:
            super().advance(seconds)
        self._target.move(self._plane, seconds)

    def end(self) -> None:
        self._target.shut(self._plane)

    def open_streams(self, project: str) -> int:
        """Return how many streams about a project are open, by the method of the plane, if it has one."""
        count: Callable[..., int] | None = getattr(self._plane, "open_streams", None)
        return count(project=project) if count is not None else super().open_streams(project)

    def another(self) -> Plane:
        return _OwnPlane(self._target)

    def token(self, caller: str, expires_in: float | None = None, **claims: object) -> str:
        return self._target.issue(self._plane, caller, expires_in, claims)

    def revoke(self, token: str) -> None:
        self._target.revoke(self._plane, token)

    def close(self) -> None:
        self._stack.close()


def _direct(plane: InProcess, stack: ExitStack) -> Link:
    return ConnectLink(plane.async_stub())


class PlanesTarget(Target):
    """A fresh plane of `factory` for every check.

    `connect(plane, stack)` gives the link, by default to `plane.async_stub()`;
    what it starts goes onto the stack. `move(plane, seconds)` moves a plane's clock,
    None where it can't be moved; `shut(plane)` has the plane end its streams as at a shutdown.
    `issue(plane, caller, expires_in, claims)` makes a token, and `revoke(plane, token)` revokes one, where callers
    need them.
    `offers` is the former name of `capabilities`.
    """

    def __init__(
        self,
        factory: Factory,
        *,
        name: str = "planes in process",
        capabilities: Capabilities | None = None,
        connect: Callable[[InProcess, ExitStack], Link] = _direct,
        move: Callable[[InProcess, float], None] | None = None,
        shut: Callable[[InProcess], None] | None = None,
        issue: Issue | None = None,
        revoke: Callable[[InProcess, str], None] | None = None,
        offers: Capabilities | None = None,
    ) -> None:
        self.name = name
        self.factory = factory
        self.connect = connect
        self._move = move
        self._shut = shut
        self._issue = issue
        self._revoke = revoke
        self.capabilities = capabilities or offers or Capabilities(fresh=True, clock=move is not None)

    def plane(self) -> Plane:
        """Return a fresh plane."""
        return _OwnPlane(self)

    def move(self, plane: InProcess, seconds: float) -> None:
        """Move a plane's clock."""
        assert self._move is not None
        self._move(plane, seconds)

    def issue(self, plane: InProcess, caller: str, expires_in: float | None, claims: Mapping[str, object]) -> str:
        """Return a token."""
        if self._issue is None:
            raise NotOffered(Capabilities.REASONS["issues_tokens"])
        return self._issue(plane, caller, expires_in, claims)

    def revoke(self, plane: InProcess, token: str) -> None:
        """Revoke a token."""
        if self._revoke is None:
            raise NotOffered(Capabilities.REASONS["issues_tokens"])
        self._revoke(plane, token)

    def shut(self, plane: InProcess) -> None:
        """Shut a plane down."""
        if self._shut is None:
            raise NotOffered("the target can't shut a plane down")
        self._shut(plane)
