"""The translation of a transport's errors into the client's own, for both drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from connectrpc.errors import ConnectError

from flyteapps.errors import Error, PlaneError
from flyteapps.flows.operations import Open, Unary
from flyteapps.support.secret import forget_headers
from flyteapps.support.tracebacks import forget_tracebacks, hidden_in_tests

__tracebackhide__ = hidden_in_tests

Translate = Callable[[ConnectError, "Unary | Open"], Error]
"""A function that makes the client's error of a transport's, for an operation."""


def raise_translated(
    translate: Translate, error: BaseException, operation: Unary | Open, outer: BaseException | None, seconds: float = 0
) -> NoReturn:
    """Raise the client's error for a ConnectError, and any other as it is; without the headers in their tracebacks.

    The cause of an expected error loses its traceback, which is a library's. `outer`: the exception that was being
    handled before the operation. `seconds`: its duration.
    """
    forget_headers(error, operation.headers, outer)
    if not isinstance(error, ConnectError):
        raise error
    translated = translate(error, operation)
    translated.seconds = seconds
    if not isinstance(translated, PlaneError):
        forget_tracebacks(error, outer)
    raise translated from error
