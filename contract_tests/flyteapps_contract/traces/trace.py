"""The calls of one run with their responses, step by step: verdicts refer to them, scripts are rendered from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract import wording
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Refused, Span, Unjudged
from flyteapps_contract.session import GONE, Session
from flyteapps_contract.streams import Leases, Watcher

M = TypeVar("M", bound=Message)

OK = "OK"


@dataclass(slots=True)
class Step:
    """One step: a unary call with its answer, a stream that was opened or closed, or time that passed.

    `code` is how a call ended, OK included; `stream` the number of the stream that the step opened or closed.
    `token_of`: the step whose answer the token of this request is from. `exercised`: the guarantees that it put to the
    test, where they were recorded.
    """

    kind: str
    method: str = ""
    request: Message | None = None
    answer: Message | None = None
    code: str = OK
    message: str = ""
    fields: tuple[str, ...] = ()
    stream: int = -1
    seconds: float = 0.0
    token_of: int = -1
    received: bool = True
    exercised: tuple[str, ...] = ()


@dataclass(slots=True)
class Trace:
    """The steps of one run on one session."""

    session: Session
    steps: list[Step] = field(default_factory=list[Step])
    streams: int = 0

    def call(
        self, method: str, request: Message, response: type[M], *, token_of: int = -1, received: bool = True
    ) -> Step:
        """Return one unary call; a refusal is an answer, too. A response that isn't `received` is lost on its way."""
        step = Step("call", method, request, token_of=token_of, received=received)
        self.steps.append(step)
        try:
            step.answer = self.session.call(method, request, response)
        except Refused as error:
            if error.code in GONE:
                raise Unjudged(f"{method}: {error}") from error  # its outcome is unknown
            step.code, step.message, step.fields = error.code, error.message, tuple(error.violations())
        return step

    def watch(self, request: rpc.WatchRequest) -> tuple[int, Watcher]:
        """Return an open Watch, and its number among the streams."""
        target = {field.name: value for field, value in request.ListFields()}
        return self._opened("Watch", request), self.session.watch(**target)

    def lease(self, cluster: str) -> tuple[int, Leases]:
        """Return an open Lease, and its number among the streams."""
        return self._opened("Lease", rpc.LeaseRequest(id=self.session.cluster(cluster))), self.session.lease(cluster)

    def close(self, stream: int) -> None:
        """Record that the client closed that stream."""
        self.steps.append(Step("close", stream=stream))

    def advance(self, seconds: float) -> None:
        """Move the plane's clock."""
        self.steps.append(Step("advance", seconds=seconds))
        try:
            self.session.advance(seconds)
        except Exception as error:  # a plane in this process may raise anything
            text = f"the plane failed while time passed: {type(error).__name__}: {error}"
            raise Violation(("ID-3",), text, f"no failure while {seconds} s pass") from error

    @property
    def number(self) -> int:
        """The number of the last step."""
        return len(self.steps) - 1

    def calls(self) -> int:
        """Return how many calls and streams it takes."""
        return sum(step.kind in ("call", "open") for step in self.steps)

    def _opened(self, method: str, request: Message) -> int:
        self.steps.append(Step("open", method, request, stream=self.streams))
        self.streams += 1
        return self.streams - 1


def app_of(step: Step) -> model.App:
    """Return the app in a unary call's answer."""
    assert isinstance(step.answer, rpc.CreateResponse | rpc.GetResponse | rpc.UpdateResponse | rpc.UpdateStatusResponse)
    return step.answer.app


def calls_of(steps: Sequence[Step]) -> str:
    """Return the steps in words, a numbered line each: the calls with what they said and how they ended."""
    lines: list[str] = []
    for step in steps:
        match step.kind:
            case "call" if step.request is not None:
                token = f", with the token of call {step.token_of + 1}" if step.token_of >= 0 else ""
                ended = step.code if step.received else "answer lost"
                lines.append(f"{wording.call(step.method, step.request)}{token} -> {ended}")
            case "open" if step.request is not None:
                lines.append(f"open {wording.call(step.method, step.request)} as stream {step.stream}")
            case "close":
                lines.append(f"close stream {step.stream}")
            case _:
                lines.append(f"{step.seconds:g} s pass")
    return "\n".join(f"  {number}. {line}" for number, line in enumerate(lines, 1))


def timeline(steps: Sequence[Step]) -> tuple[Span, ...]:
    """Return the timeline of one client, its streams and the clock; the last call showed the violation."""
    spans: list[Span] = []
    last = max((number for number, step in enumerate(steps) if step.kind == "call"), default=-1)
    ends = {step.stream: number for number, step in enumerate(steps) if step.kind == "close"}
    for number, step in enumerate(steps):
        match step.kind:
            case "call":
                text = f"{step.method}: {step.code if step.received else 'lost'}\n{step.request}"
                spans.append(Span("calls", text, number, number + 1, number == last))
            case "open":
                end = ends.get(step.stream, len(steps))
                spans.append(Span(f"stream {step.stream}", f"{step.method}\n{step.request}", number, end))
            case "advance":
                spans.append(Span("clock", f"{step.seconds:g} s pass", number, number + 1))
            case _:
                pass
    return tuple(spans)
