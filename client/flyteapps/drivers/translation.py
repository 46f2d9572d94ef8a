"""The translation of a transport's errors into the client's own, for both drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from connectrpc.errors import ConnectError

from flyteapps.errors import Error
from flyteapps.flows.operations import Open, Unary
from flyteapps.support.secret import forget_headers

Translate = Callable[[ConnectError, "Unary | Open"], Error]
"""A function that makes the client's error of a transport's, for an operation."""


def raise_translated(
    translate: Translate, error: BaseException, operation: Unary | Open, outer: BaseException | None, seconds: float = 0
) -> NoReturn:
    """Raise the client's error for a ConnectError, and any other as it is; without the headers in their tracebacks.

    `outer`: the exception that was being handled before the operation. `seconds`: its duration.
    """
    forget_headers(error, operation.headers, outer)
    if not isinstance(error, ConnectError):
        raise error
    translated = translate(error, operation)
    translated.seconds = seconds
    raise translated from error
