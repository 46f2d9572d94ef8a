"""Recorded calls as lines of text: the call, what it led to, and the causes of a stream's messages."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.core.validation import plain, printable


def shown(call: pb.RecordedCall) -> str:
    """Return a call in one line."""
    moment = _time_text(call.time)
    parts = [
        f"#{call.number}",
        moment,
        call.protocol,
        call.rpc.rpartition(".")[2],
        plain(call.app) or "-",
        call.code or "open",
    ]
    parts += [f"by {plain(call.caller)}"] if call.caller else []
    parts += [f"{call.messages} message(s)"] if call.messages else []
    parts += [f"faults {','.join(call.faults)}"] if call.faults else []
    return " ".join(parts) + (f": {printable(' '.join(call.message.split()))}" if call.message else "")


def links(call: pb.RecordedCall) -> Iterator[str]:
    """Yield what a call led to, and the causes of the messages of a stream, each in one line."""
    for effect in call.effects:
        what = effect.change or f"message {effect.message} of #{effect.stream}"
        yield f"    -> {_time_text(effect.time)} {plain(effect.app)} {what}{_by(effect.cause, call.number)}"
    first = call.messages - len(call.causes) + 1
    for number, cause in enumerate(call.causes, first):
        yield f"    <- message {number}{_by(cause, 0)}"


def _by(cause: pb.Cause, call: int) -> str:
    """Return the cause in words; a call of that number isn't named."""
    parts = [f"call #{cause.call}"] if cause.call and cause.call != call else []
    parts += [f"timer: {cause.timer}"] if cause.timer else []
    parts += [f"fault {cause.fault}"] if cause.fault else []
    parts += [cause.other] if cause.other else []
    return f" by {', '.join(parts)}" if parts else ""


def _time_text(time: Timestamp) -> str:
    return time.ToDatetime(datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
