"""The exceptions of the client: one tree, split by who can correct the error.

`CallerError`: the caller (a bad name, a conflict, a missing app, a wrong setting). `PlaneError`: the plane.
`NetworkError`: the network between them. `WaitError`: a wait that can't succeed. Rules of this file: exceptions alone;
`flyteapps.transports.errors` makes them of a transport's errors, reachable as `__cause__` alone. Every exception
can be pickled and copied, with all its attributes: tests/client/test_processes.py walks this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar


class Code(IntEnum):
    """The code of an RPC, with gRPC's numbers."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that breaks a rule: its path (`app.metadata.id.name`), the reason, and the rule's id."""

    field: str
    reason: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class Error(Exception):
    """The base class of every error that this package raises on purpose.

    `code`: the RPC's code, None where no RPC failed. `message`: what happened, and what to do. `violations`: the fields
    that the plane rejected. `details`: the error details, as protobuf messages (Any where the type is unknown here).
    `request_id`: the `x-request-id` of the call. `endpoint`: the plane's. `app`: the app of the call,
    "PROJECT/DOMAIN/NAME". `maybe_applied`: whether a failed write may have been applied nevertheless. `seconds`: the
    duration of the last attempt. `retry_after`: the seconds after which the plane asked for a retry, None for none.
    `collided`: whether the last attempt at a write was refused as it met another write, and wrote nothing.
    """

    default_code: ClassVar[Code | None] = None

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        violations: Sequence[Violation] = (),
        details: Sequence[Any] = (),
        request_id: str = "",
        endpoint: str = "",
        app: str = "",
        maybe_applied: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if code is not None else self.default_code
        self.violations = tuple(violations)
        self.details = tuple(details)
        self.request_id = request_id
        self.endpoint = endpoint
        self.app = app
        self.maybe_applied = maybe_applied
        self.seconds = 0.0
        self.retry_after: float | None = None
        self.collided = False

    def __str__(self) -> str:
        about = [("app", self.app), ("endpoint", self.endpoint), ("request", self.request_id)]
        notes = [f"{what} {value}" for what, value in about if value]
        if self.code is not None:
            notes.insert(0, self.code.name)
        if self.maybe_applied:
            notes.append("the plane may have applied it")
        return f"{self.message} [{', '.join(notes)}]" if notes else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args), self.__dict__


def _rebuilt(kind: type[Error], args: tuple[Any, ...]) -> Error:
    """Make an error without its constructor, for pickle and copy, which set its attributes afterwards."""
    builtin: Any = kind
    while builtin.__module__ != "builtins":  # the class whose memory layout it has: no other can construct it
        builtin = builtin.__base__
    error: Error = builtin.__new__(kind, *args)
    error.args = args
    return error


class CallerError(Error):
    """An error that the caller can correct."""


class ConfigError(CallerError):
    """A setting is missing or wrong: an endpoint, a configuration file, an option."""


class InvalidArgument(CallerError, ValueError):
    """A request that breaks a rule; `violations` name the fields."""

    default_code = Code.INVALID_ARGUMENT


class AppNotFound(CallerError, LookupError):
    """The app (or the org) does not exist on this plane."""

    default_code = Code.NOT_FOUND


class AppExists(CallerError):
    """An app of that name exists."""

    default_code = Code.ALREADY_EXISTS


class Conflict(CallerError):
    """ABORTED: the app is at another revision than the one that was updated, or the update would change nothing."""

    default_code = Code.ABORTED


class FailedPrecondition(CallerError):
    """The state of the app doesn't allow the call, such as the deletion of a running one."""

    default_code = Code.FAILED_PRECONDITION


class PermissionDenied(CallerError):
    """The plane knows the caller, and does not permit the call."""

    default_code = Code.PERMISSION_DENIED


class Unauthenticated(CallerError):
    """The plane doesn't know the caller."""

    default_code = Code.UNAUTHENTICATED


class PlaneError(Error):
    """A failure of the plane, or something that it doesn't offer."""


class Overloaded(PlaneError):
    """RESOURCE_EXHAUSTED: the plane is at a limit, or the message is too large for it."""

    default_code = Code.RESOURCE_EXHAUSTED


class Unimplemented(PlaneError):
    """The plane doesn't offer this method."""

    default_code = Code.UNIMPLEMENTED


class ProtocolError(PlaneError):
    """A response in another protocol than the client's: from another server, or malformed bytes on a stream."""


class NetworkError(Error):
    """A failure between the client and the plane: no response, or a lost one."""


class Unavailable(NetworkError, ConnectionError):
    """UNAVAILABLE: no connection, or a broken one; also a plane that shuts down."""

    default_code = Code.UNAVAILABLE


class DeadlineExceeded(NetworkError, TimeoutError):
    """DEADLINE_EXCEEDED: no response within `timeout`."""

    default_code = Code.DEADLINE_EXCEEDED


class WaitError(Error, RuntimeError):
    """A wait that can't succeed. A RuntimeError, as the Flyte SDK promises.

    `last`: the app as last observed, a `flyteapps.App`; None if it never was.
    """

    def __init__(self, message: str, *, last: Any = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.last = last


class DeploymentFailed(WaitError):
    """The app FAILED, or was stopped while it should become active.

    `substate`: a `flyteapps.Substate`. `reason`: the message of the condition. `log_lines`: the app's last log
    lines, if the plane serves logs.
    """

    def __init__(
        self, message: str, *, substate: Any = None, reason: str = "", log_lines: Sequence[str] = (), **about: Any
    ) -> None:
        super().__init__(message, **about)
        self.substate = substate
        self.reason = reason
        self.log_lines = tuple(log_lines)


class AppDeleted(WaitError):
    """The app was deleted during a wait for it."""


class WatchStalled(WaitError):
    """The plane can't be watched any longer: each attempt to open the stream or to read the app failed."""


class WaitTimeout(WaitError, TimeoutError):
    """The deadline of a wait expired; the plane was watched until then."""
