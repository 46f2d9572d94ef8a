"""What a transport raises, made the client's own error, for both drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from connectrpc.errors import ConnectError

from flyteapps.errors import Error
from flyteapps.flows.operations import Open, Unary
from flyteapps.support.secret import forget_headers

Translate = Callable[[ConnectError, "Unary | Open"], Error]
"""Makes the client's error of what a transport raised for an operation."""


def raise_translated(
    translate: Translate, error: BaseException, operation: Unary | Open, outer: BaseException | None, seconds: float = 0
) -> NoReturn:
    """Raise the client's error for a ConnectError, and any other as it is; without the headers in their tracebacks.

    `outer`: the exception that was being handled before the operation. `seconds`: how long it took.
    """
    forget_headers(error, operation.headers, outer)
    if not isinstance(error, ConnectError):
        raise error
    translated = translate(error, operation)
    translated.seconds = seconds
    raise translated from error
