"""Ways to lose a response or a stream."""

from __future__ import annotations

from enum import StrEnum

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.testing import faults


class How(StrEnum):
    """The loss of a response or a stream."""

    CLEANLY = "ended without an error"
    UNAVAILABLE = "ended with UNAVAILABLE"
    CUT = "was cut"

    def lose(self, rpc: str, app: str) -> faults.Fault:
        """Return the rule by which the next call is committed, and its response lost."""
        if self is How.CUT:
            return faults.reset(rpc, app=app, applied=True, times=1)
        return faults.fail(rpc, app=app, code="UNAVAILABLE", applied=True, times=1)

    def end(self) -> None:
        """End a stream: return, or raise."""
        if self is How.UNAVAILABLE:
            raise ConnectError(Code.UNAVAILABLE, "the stream was dropped")
        if self is How.CUT:
            raise ConnectionResetError
