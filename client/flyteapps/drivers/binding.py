"""Decorators that make two methods of one flow: `app.get(...)` blocks, `await app.get.aio(...)` awaits.

A method of the public surface is written once, as a generator that yields operations, under one of these decorators.
Callers, `inspect`, `help` and `unittest.mock` find two plain functions, which the decorator makes of the generator: one
for `method(...)`, one for `method.aio(...)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from flyteapps.flows.operations import Flow, ItemFlow
from flyteapps.support.lazy import lazy
from flyteapps.support.tracebacks import hidden_in_tests

if TYPE_CHECKING:
    from flyteapps.drivers.awaiting import AsyncItems, AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver, Items

__tracebackhide__ = hidden_in_tests

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="HasDrivers")

_Functions = tuple[Callable[..., Any], Callable[..., Any]]
"""The blocking function of a method, and the awaiting one; the first argument of each is the method's object."""


class HasDrivers(Protocol):
    """An object with flows for methods, and with the drivers that run them."""

    @property
    def _blocking(self) -> BlockingDriver: ...

    @property
    def _awaiting(self) -> AwaitingDriver: ...


class _Called:
    """A callable like a method, with an awaiting form in `aio`."""

    __slots__ = ()

    def _bound(self) -> tuple[Any, Any]:
        """Return the two bound methods behind this object."""
        raise NotImplementedError

    if not TYPE_CHECKING:  # a type checker takes `__call__` and `aio` from the subclasses

        @property
        def __call__(self):
            return self._bound()[0]

        @property
        def aio(self):
            return self._bound()[1]

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._bound()[0])


class _BoundMethod(_Called):
    """A method of one object, or of one class."""

    __slots__ = ("__self__", "_functions")

    def __init__(self, owner: Any, functions: _Functions) -> None:
        self.__self__ = owner
        self._functions = functions

    def _bound(self) -> tuple[Any, Any]:
        blocking, awaiting = self._functions
        return MethodType(blocking, self.__self__), MethodType(awaiting, self.__self__)

    if not TYPE_CHECKING:  # the hot path: one bound method is made, not two

        @property
        def __call__(self):
            return MethodType(self._functions[0], self.__self__)

        @property
        def aio(self):
            return MethodType(self._functions[1], self.__self__)

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self:
        """Return itself: makes it a routine for `inspect`, and so for `help` and Sphinx."""
        return self

    def _documentation(self) -> str | None:
        return self._functions[0].__doc__

    def __getattr__(self, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            return getattr(self._functions[0], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self._functions[0].__name__)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._functions[0].__qualname__} of {self.__self__!r}>"


class Call(_BoundMethod, Generic[P, T]):
    """A bound method that calls the plane: called, it blocks; `aio` is the same for asyncio."""

    __slots__ = ()

    __doc__ = property(_BoundMethod._documentation)  # pyright: ignore[reportAssignmentType]  # of the method, not of this class

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
            """Call it, blocking."""
            ...

        async def aio(self, *args: P.args, **kwargs: P.kwargs) -> T:
            """Call it, awaiting."""
            ...


class Iteration(_BoundMethod, Generic[P, T]):
    """A bound method that iterates: called, it returns an iterator; `aio` returns an async one."""

    __slots__ = ()

    __doc__ = property(_BoundMethod._documentation)  # pyright: ignore[reportAssignmentType]  # of the method, not of this class

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Items[T]:
            """Return the iterator."""
            ...

        def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncItems[T]:
            """Return the iterator for `async for`."""
            ...


class _Decorated(_Called):
    """A decorated flow: the entry in a class's `__dict__`, such as `App.watch`."""

    bound: type[_BoundMethod]

    def __init__(self, flow: Callable[..., Any]) -> None:
        self.flow = flow
        functools.update_wrapper(cast("Any", self), flow)

    @lazy
    def functions(self) -> _Functions:
        """Return the two functions of this method, made on first access."""
        raise NotImplementedError

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        return self if instance is None else self.bound(instance, self.functions)

    def _bound(self) -> tuple[Any, Any]:
        """Return the methods of `App.watch(app, ...)`; their signatures omit `app`, as mocks of the method get none."""
        blocking, awaiting = self._unbound
        return MethodType(blocking, self), MethodType(awaiting, self)

    @lazy
    def _unbound(self) -> _Functions:
        blocking, awaiting = self.functions
        return _for_other(blocking, lambda _: ()), _for_other(awaiting, lambda _: ())

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.functions[0])

    def __reduce__(self) -> str:
        return cast("Any", self).__qualname__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.flow.__qualname__}>"


class _Calling(_Decorated):
    bound = Call

    @lazy
    def functions(self) -> _Functions:
        """Return the two functions of this method, made on first access."""
        flow = self.flow

        def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
            return owner._blocking.run(flow(owner, *args, **kwargs))

        async def aio(owner: Any, *args: Any, **kwargs: Any) -> Any:
            return await owner._awaiting.run(flow(owner, *args, **kwargs))

        return _shown(call, flow, "{}"), _shown(aio, flow, "{}")


class calling(_Calling, Generic[S, P, T]):  # noqa: N801  # a decorator, as property is
    """A decorator of a flow that returns one result."""

    if TYPE_CHECKING:

        def __init__(self, flow: Callable[Concatenate[S, P], Flow[T]]) -> None: ...

        @overload
        def __get__(self, instance: None, owner: type[Any]) -> calling[S, P, T]: ...
        @overload
        def __get__(self, instance: S, owner: type[Any] | None = None) -> Call[P, T]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

        def __call__(self, instance: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            """Call it, blocking."""
            ...

        async def aio(self, instance: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            """Call it, awaiting."""
            ...


class calling_self(_Calling, Generic[S, P]):  # noqa: N801  # a decorator, as property is
    """A decorator of a flow that returns its own object, so that a subclass's method returns that class."""

    if TYPE_CHECKING:

        def __init__(self, flow: Callable[Concatenate[S, P], Flow[S]]) -> None: ...

        @overload
        def __get__(self, instance: None, owner: type[A]) -> calling[Any, P, A]: ...
        @overload
        def __get__(self, instance: A, owner: type[Any] | None = None) -> Call[P, A]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...


class iterating(_Decorated, Generic[S, P, T]):  # noqa: N801  # a decorator, as property is
    """A decorator of a flow that emits items."""

    bound = Iteration

    @lazy
    def functions(self) -> _Functions:
        """Return the two functions of this method, made on first access."""
        flow = self.flow

        def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
            return owner._blocking.iterate(flow(owner, *args, **kwargs))

        def aio(owner: Any, *args: Any, **kwargs: Any) -> Any:
            return owner._awaiting.iterate(flow(owner, *args, **kwargs))

        return _shown(call, flow, "Items[{}]"), _shown(aio, flow, "AsyncItems[{}]")

    if TYPE_CHECKING:

        def __init__(self, flow: Callable[Concatenate[S, P], ItemFlow[T]]) -> None: ...

        @overload
        def __get__(self, instance: None, owner: type[Any]) -> iterating[S, P, T]: ...
        @overload
        def __get__(self, instance: S, owner: type[Any] | None = None) -> Iteration[P, T]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

        def __call__(self, instance: S, /, *args: P.args, **kwargs: P.kwargs) -> Items[T]:
            """Return the iterator."""
            ...

        def aio(self, instance: S, /, *args: P.args, **kwargs: P.kwargs) -> AsyncItems[T]:
            """Return the iterator for `async for`."""
            ...


class _ByClass(_Decorated):
    """A class method that calls another object's method: `App.get` is `Apps.get` of the default client.

    `find` returns that object for the class of the lookup, at each call.
    """

    def __init__(self, method: Any, find: Callable[[Any], Any]) -> None:
        super().__init__(method.flow)
        self._method: _Decorated = method
        self._find = find
        self._class: type[Any] = object

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._class = owner

    @lazy
    def functions(self) -> _Functions:
        """Return the two functions of this method, made on first access."""
        find = self._find
        blocking, awaiting = self._method.functions
        return _for_other(blocking, lambda kind: (find(kind),)), _for_other(awaiting, lambda kind: (find(kind),))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self._method.bound(owner or type(instance), self.functions)

    def _bound(self) -> tuple[Any, Any]:
        return self.__get__(None, self._class)._bound()

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._bound()[0])


class calling_by(_ByClass, Generic[P, T]):  # noqa: N801  # a descriptor, as property is
    """A class method with the same result for all classes."""

    if TYPE_CHECKING:

        def __init__(self, method: calling[Any, P, T], find: Callable[[Any], Any]) -> None: ...

        def __get__(self, instance: object, owner: type[Any] | None = None) -> Call[P, T]: ...


class making_by(_ByClass, Generic[P]):  # noqa: N801  # a descriptor, as property is
    """A class method that returns an object of the class of the lookup."""

    if TYPE_CHECKING:

        def __init__(self, method: calling[Any, P, Any], find: Callable[[Any], Any]) -> None: ...

        def __get__(self, instance: object, owner: type[A]) -> Call[P, A]: ...  # pyright: ignore[reportIncompatibleMethodOverride]  # always given


class iterating_by(_ByClass, Generic[P]):  # noqa: N801  # a descriptor, as property is
    """A class method that iterates over objects of the class of the lookup."""

    if TYPE_CHECKING:

        def __init__(self, method: iterating[Any, P, Any], find: Callable[[Any], Any]) -> None: ...

        def __get__(self, instance: object, owner: type[A]) -> Iteration[P, A]: ...  # pyright: ignore[reportIncompatibleMethodOverride]  # always given


def _shown(function: Callable[..., Any], flow: Callable[..., Any], result: str) -> Callable[..., Any]:
    """Return the function with the name, docstring and parameters of the flow, and the result that callers get.

    `result` is a format for the item of `Flow[ITEM]`. Signatures are read off `__wrapped__`: a copy of the flow that
    is never called.
    """
    code: Any = flow
    copy: Any = FunctionType(code.__code__, code.__globals__, code.__name__, code.__defaults__, code.__closure__)
    copy.__kwdefaults__ = code.__kwdefaults__
    item = str(code.__annotations__["return"]).partition("[")[2].removesuffix("]")
    copy.__annotations__ = {**code.__annotations__, "return": result.format(item)}
    functools.update_wrapper(copy, flow, ("__module__", "__qualname__", "__doc__"), ())
    del copy.__wrapped__
    return functools.update_wrapper(function, copy)


def _for_other(function: Callable[..., Any], first: Callable[[Any], tuple[Any, ...]]) -> Callable[..., Any]:
    """Return the function for binding to another object: `first` returns the arguments in place of that object."""
    if inspect.iscoroutinefunction(function):

        async def aio(owner: Any, *args: Any, **kwargs: Any) -> Any:
            return await function(*first(owner), *args, **kwargs)

        return functools.update_wrapper(aio, function)

    def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
        return function(*first(owner), *args, **kwargs)

    return functools.update_wrapper(call, function)
