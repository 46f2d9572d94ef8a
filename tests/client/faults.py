"""Faults by a plan, one a call: FaultyTransport with another rule for each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from connectrpc.errors import ConnectError

from flyteapps.testing import Call, FaultyTransport, MockTransport, faults
from flyteapps_fake.inprocess.transport import DirectTransport

REQUEST_LOST = "request lost"
RESPONSE_LOST = "response lost"
REPEATED = "request repeated"
REFUSED = "refused: busy"
BROKEN = "internal error before the commit"
CALL_FAULTS = (REQUEST_LOST, RESPONSE_LOST, REPEATED, REFUSED, BROKEN)

OK = "ok"

RULES: dict[str, dict[str, Any]] = {
    REQUEST_LOST: {"code": "UNAVAILABLE", "message": "the request was lost"},
    RESPONSE_LOST: {"code": "UNAVAILABLE", "message": "the response was lost", "applied": True},
    REFUSED: {"code": "RESOURCE_EXHAUSTED", "message": "busy"},
    BROKEN: {"code": "INTERNAL", "message": "broken"},
}
"""The arguments of `faults.fail`."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A stream ends after so many messages: "clean", or with a code; `repeat`: its last message comes twice."""

    after: int
    how: str = "UNAVAILABLE"
    repeat: bool = False

    def rules(self, rpc: str) -> list[faults.Fault]:
        """Return the rules of such a stream."""
        repeated = self.repeat and self.after > 0
        cut = faults.cut(rpc, after=self.after + repeated, code="" if self.how == "clean" else self.how)
        return [cut, faults.repeat(rpc, message=self.after)] if repeated else [cut]


@dataclass(slots=True)
class Plan:
    """Faults of unary calls and of streams, in order; once they are used up everything works."""

    calls: list[str] = field(default_factory=list[str])
    cuts: list[Cut] = field(default_factory=list[Cut])
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def faulty(inner: DirectTransport, plan: Plan) -> MockTransport:
    """Return a transport with the plan's faults, in front of a plane in this process."""

    def answer(call: Call) -> Any:
        if call.streaming:
            return call.send(FaultyTransport(inner, plan.cuts.pop(0).rules(call.rpc) if plan.cuts else ()))
        fault = plan.calls.pop(0) if plan.calls else OK
        plan.log.append((call.rpc, fault))
        rules = [faults.fail(call.rpc, **RULES[fault])] if fault in RULES else []
        response = FaultyTransport(inner, rules).unary(call.method, call.request)
        if fault == REPEATED:
            with contextlib.suppress(ConnectError):
                inner.unary(call.method, call.request)
        return response

    return MockTransport(answer)
