"""The answers of a handler: which are allowed, and the error for another."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, cast

from flyteapps.testing.calls import Call


def response_of(call: Call, found: Any) -> Any:
    """Return the response of a unary call, or raise the exception that the handler returned."""
    if isinstance(found, Exception):
        raise found
    if isinstance(found, call.method.output):
        return found
    raise mismatch(call, found, f"a {call.method.output.__name__}")


def items_of(call: Call, found: Any) -> Iterable[Any]:
    """Return the items of a stream: messages, exceptions, SILENCE."""
    if isinstance(found, Exception):
        return (found,)
    if isinstance(found, Iterable):
        return cast("Iterable[Any]", found)
    raise mismatch(call, found, "an iterable of messages")


def mismatch(call: Call, found: Any, wanted: str) -> TypeError:
    """Return the error of an answer that is none."""
    if inspect.isawaitable(found) or hasattr(found, "__aiter__"):
        if inspect.iscoroutine(found):
            found.close()
        return TypeError(f"the handler's answer to {call.rpc} has to be awaited: call the client's method by .aio")
    return TypeError(f"the handler has to answer {call.rpc} by {wanted}, not by {type(found).__name__}")
