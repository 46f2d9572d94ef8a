"""Rules for faults, one function an effect: `fail("Create", code="UNAVAILABLE", nth=2)`.

Each returns a message of the control API, and raises ValueError or TypeError for what no rule can be. The keywords of
`Selection` say which calls get the fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from flyteapps_control.arguments import number, selected, text, texts, truth, whole
from flyteapps_control.codes import code_name
from flyteapps_control.durations import DurationLike, nanoseconds
from flyteapps_control.v1.control_pb2 import Fault


class Selection(TypedDict, total=False):
    """The choice of the calls that get a fault; all calls of the RPC without any keyword.

    `project`, `domain`, `app`: globs on the app that the request names. `caller`: a glob on the subject of an
    authenticated caller. `headers`: globs on the values of headers. `nth`, `first`, `every` (counted from 1) and
    `probability` choose from the calls that match, and exclude each other. `times`: at most so many faults.
    `lifetime`: so long, in the plane's time.
    """

    project: str
    domain: str
    app: str
    caller: str
    headers: Mapping[str, str]
    nth: int
    first: int
    every: int
    probability: float
    times: int
    lifetime: DurationLike


ATTEMPTS = ("nth", "first", "every", "probability")


def fail(
    rpc: str,
    *,
    code: str,
    message: str = "",
    details: Sequence[Message] = (),
    applied: bool = False,
    **selection: Unpack[Selection],
) -> Fault:
    """Answer with an error; with `applied` the call is carried out, and its answer lost."""
    packed: list[AnyMessage] = []
    for detail in details:
        if not isinstance(detail, Message):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
            raise TypeError(f"details must be messages of protobuf, not {detail!r:.80}")
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    effect = Fault.Fail(code=code_name(code), message=text("message", message), details=packed)
    effect.applied = truth("applied", applied)
    return _rule(rpc, selection, fail=effect)


def delay(
    rpc: str,
    *,
    seconds: DurationLike | tuple[DurationLike, DurationLike] | None = None,
    median: DurationLike | None = None,
    sigma: float = 0.5,
    real: bool = False,
    **selection: Unpack[Selection],
) -> Fault:
    """Delay a call: by `seconds`, evenly between two of them, or log-normally around `median`.

    `sigma`: the standard deviation of the logarithm. The time is the plane's; with `real` that of the wall clock.
    """
    if (seconds is None) == (median is None):
        raise ValueError("a delay needs seconds, as one duration or as a pair (minimum, maximum), or a median")
    effect = Fault.Delay(real=truth("real", real))
    if median is not None:
        if not 0 < number("sigma", sigma) <= 10:
            raise ValueError(f"sigma must be over 0 and at most 10, not {sigma!r}")
        effect.log_normal.median.CopyFrom(_duration("median", median))
        effect.log_normal.sigma = sigma
    elif isinstance(seconds, tuple):
        if len(seconds) != 2:  # pyright: ignore[reportUnnecessaryComparison]  # what users hand in
            raise ValueError(f"seconds must be one duration or a pair (minimum, maximum), not {seconds!r:.80}")
        low, high = seconds
        effect.uniform.min.CopyFrom(_duration("the minimum", low, zero=True))
        effect.uniform.max.CopyFrom(_duration("the maximum", high))
        if nanoseconds(low) > nanoseconds(high):
            raise ValueError(f"the delay's minimum {low!r} is above its maximum {high!r}")
    elif seconds is not None:
        effect.fixed.CopyFrom(_duration("seconds", seconds))
    return _rule(rpc, selection, delay=effect)


def reset(rpc: str, *, applied: bool = False, **selection: Unpack[Selection]) -> Fault:
    """Reset the connection, or the HTTP/2 stream, instead of an answer; with `applied` the call is carried out."""
    return _rule(rpc, selection, reset=Fault.Reset(applied=truth("applied", applied)))


def answer(
    rpc: str,
    *,
    status: int,
    body: bytes | str = b"",
    headers_sent: Mapping[str, str] | None = None,
    retry_after: int | None = None,
    applied: bool = False,
    **selection: Unpack[Selection],
) -> Fault:
    """Answer in HTTP, as a proxy does: a status with a body that is no RPC's.

    `headers_sent`: headers of the answer. `retry_after`: its Retry-After, in seconds.
    """
    if not 200 <= whole("status", status) <= 599:
        raise ValueError(f"a status of HTTP is from 200 to 599, not {status}")
    sent = {name.lower(): value for name, value in texts("headers_sent", headers_sent or {}).items()}
    if retry_after is not None:
        sent["retry-after"] = str(whole("retry_after", retry_after))
    content = body.encode() if isinstance(body, str) else body
    if not isinstance(content, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        raise TypeError(f"body must be bytes or a text, not {body!r:.80}")
    effect = Fault.HttpAnswer(status=status, headers=sent, body=content, applied=truth("applied", applied))
    return _rule(rpc, selection, http=effect)


def cut(rpc: str, *, after: int, code: str = "UNAVAILABLE", **selection: Unpack[Selection]) -> Fault:
    """End a stream after so many messages; `code=""` for an end without an error."""
    effect = Fault.Cut(after=whole("after", after), code=code_name(code) if code else "")
    return _rule(rpc, selection, cut=effect)


def stall(rpc: str, *, after: int, seconds: DurationLike | None = None, **selection: Unpack[Selection]) -> Fault:
    """Let a stream fall silent after so many messages, for so long, or for good."""
    effect = Fault.Stall(after=whole("after", after))
    if seconds is not None:
        effect.duration.CopyFrom(_duration("seconds", seconds))
    return _rule(rpc, selection, stall=effect)


def repeat(rpc: str, *, message: int, **selection: Unpack[Selection]) -> Fault:
    """Send one message of a stream twice: `message` is its number, from 1."""
    return _rule(rpc, selection, repeat=Fault.Rearrange(message=whole("message", message, 1)))


def withhold(rpc: str, *, message: int, **selection: Unpack[Selection]) -> Fault:
    """Leave one message of a stream out: `message` is its number, from 1."""
    return _rule(rpc, selection, withhold=Fault.Rearrange(message=whole("message", message, 1)))


def reorder(rpc: str, *, message: int, **selection: Unpack[Selection]) -> Fault:
    """Send one message of a stream after the next one: `message` is its number, from 1."""
    return _rule(rpc, selection, reorder=Fault.Rearrange(message=whole("message", message, 1)))


def stale(rpc: str = "Get", *, age: DurationLike, **selection: Unpack[Selection]) -> Fault:
    """Answer a Get or List as it would have been some time ago, no earlier than when the rule was added.

    A Watch begins with the snapshot of then, and the events since.
    """
    return _rule(rpc, selection, stale=Fault.Stale(age=_duration("age", age)))


def steal_lease(rpc: str = "UpdateStatus", *, cluster: str, **selection: Unpack[Selection]) -> Fault:
    """Let another cluster take the app before a report on it, which then is one of a cluster that doesn't hold it."""
    if not text("cluster", cluster):
        raise ValueError("steal_lease needs the name of a cluster that takes the app")
    return _rule(rpc, selection, steal_lease=Fault.StealLease(cluster=cluster))


def _rule(rpc: str, selection: Selection, **effect: Any) -> Fault:
    """Return the rule of an effect. Raises TypeError and ValueError for a selection that can't be."""
    fields: dict[str, Any] = dict(selection)
    unknown = fields.keys() - Selection.__annotations__.keys()
    if unknown:
        known = ", ".join(Selection.__annotations__)
        raise TypeError(f"a rule has no keyword {sorted(unknown)[0]!r}; calls are selected by {known}")
    chosen = [name for name in ATTEMPTS if fields.get(name) is not None]
    if len(chosen) > 1:
        raise ValueError(f"{' and '.join(chosen)} exclude each other: give one of them")
    for name in chosen[:1]:
        if name == "probability":
            if not 0 < number(name, fields[name]) <= 1:
                raise ValueError(f"probability must be over 0 and at most 1, not {fields[name]!r}")
        else:
            whole(name, fields[name], 1)
    if fields.get("times") is not None:
        whole("times", fields["times"], 1)
    if fields.get("lifetime") is not None:
        fields["lifetime"] = _duration("lifetime", fields["lifetime"])
    if fields.get("headers") is not None:
        fields["headers"] = texts("headers", fields["headers"])
    if fields.get("caller") is not None:
        text("caller", fields["caller"])
    selector = selected(fields.pop("app", ""), fields.pop("project", ""), fields.pop("domain", ""))
    fault = Fault(
        rpc=text("the RPC", rpc), **{name: value for name, value in fields.items() if value is not None}, **effect
    )
    if selector.ByteSize():
        fault.app.CopyFrom(selector)
    return fault


def _duration(name: str, value: DurationLike, *, zero: bool = False) -> Duration:
    nanos = nanoseconds(value)
    if not nanos and not zero:
        raise ValueError(f"{name} must be longer than nothing")
    found = Duration()
    found.FromNanoseconds(nanos)
    return found
