"""Short tracebacks: of an error that is expected, the caller's own lines count, and not the client's or a library's."""

from __future__ import annotations

from operator import methodcaller

from flyteapps.errors import Error

hidden_in_tests = methodcaller("errisinstance", Error)
"""The value of a module's `__tracebackhide__`: pytest then leaves the module's frames out of the traceback of an Error,
and of no other exception. It is called with pytest's ExceptionInfo."""


def forget_tracebacks(error: BaseException, outer: BaseException | None) -> None:
    """Remove the tracebacks of an error and of its causes, up to `outer`; type and message stay.

    `outer`: the exception that the caller was handling already, which is left as it is.
    """
    each: BaseException | None = error
    seen = {id(outer)}
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
