"""The way of a request of the control API to its plane, in process or over the wire, and its refusal."""

from __future__ import annotations

from typing import Protocol, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


class ControlError(ValueError):
    """A request that the control API refused; nothing was changed by it. `code`: the name of its code of gRPC."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[ControlError], tuple[str, str]]:
        """Return what makes the same error in another process."""
        return type(self), (self.code, str(self))


class Api(Protocol):
    """The way of a request of the control API to its plane."""

    def call(self, method: str, request: Message, response: type[M]) -> M:
        """Return the response. Raises ControlError."""
        ...
