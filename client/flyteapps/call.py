"""How one flow becomes two ways to call: `app.get(...)` blocks, `await app.get.aio(...)` awaits.

A method of the public surface is written once, as a generator that yields operations, under one of these decorators.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from flyteapps.operations import Flow, ItemFlow

if TYPE_CHECKING:
    from flyteapps.drivers.awaiting import AsyncItems, AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver, Items

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="HasDrivers")


class HasDrivers(Protocol):
    """What has methods that call: it knows what runs its flows."""

    @property
    def _blocking(self) -> BlockingDriver: ...

    @property
    def _awaiting(self) -> AwaitingDriver: ...


class Call(Generic[P, T]):
    """A method that calls the plane, of one object: called, it blocks; `aio` is the same for asyncio."""

    __slots__ = ("__wrapped__", "_owner")

    def __init__(self, owner: Any, flow: Callable[..., Flow[T]]) -> None:
        self._owner = owner
        self.__wrapped__ = flow

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        owner = self._owner
        return owner._blocking.run(self.__wrapped__(owner, *args, **kwargs))

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, awaiting."""
        owner = self._owner
        return await owner._awaiting.run(self.__wrapped__(owner, *args, **kwargs))

    @property
    def __doc__(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]  # of the method, not of this class
        return self.__wrapped__.__doc__

    @property
    def __name__(self) -> str:
        return self.__wrapped__.__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__wrapped__.__qualname__} of {self._owner!r}>"


class Iteration(Generic[P, T]):
    """A method that gives items as they come, of one object: called, an iterator; `aio` an async one."""

    __slots__ = ("__wrapped__", "_owner")

    def __init__(self, owner: Any, flow: Callable[..., ItemFlow[T]]) -> None:
        self._owner = owner
        self.__wrapped__ = flow

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Items[T]:
        return self._owner._blocking.iterate(self.__wrapped__(self._owner, *args, **kwargs))

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncItems[T]:
        """The same, for `async for`."""
        return self._owner._awaiting.iterate(self.__wrapped__(self._owner, *args, **kwargs))

    @property
    def __doc__(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]  # of the method, not of this class
        return self.__wrapped__.__doc__

    @property
    def __name__(self) -> str:
        return self.__wrapped__.__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__wrapped__.__qualname__} of {self._owner!r}>"


class calling(Generic[S, P, T]):  # noqa: N801  # a decorator, as property is
    """Decorates a flow that returns one result."""

    def __init__(self, flow: Callable[Concatenate[S, P], Flow[T]]) -> None:
        self.flow = flow
        functools.update_wrapper(cast("Any", self), flow)

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> calling[S, P, T]: ...
    @overload
    def __get__(self, instance: S, owner: type[Any] | None = None) -> Call[P, T]: ...
    def __get__(self, instance: S | None, owner: type[Any] | None = None) -> Call[P, T] | calling[S, P, T]:
        return self if instance is None else Call(instance, self.flow)


class iterating(Generic[S, P, T]):  # noqa: N801  # a decorator, as property is
    """Decorates a flow that emits items."""

    def __init__(self, flow: Callable[Concatenate[S, P], ItemFlow[T]]) -> None:
        self.flow = flow
        functools.update_wrapper(cast("Any", self), flow)

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> iterating[S, P, T]: ...
    @overload
    def __get__(self, instance: S, owner: type[Any] | None = None) -> Iteration[P, T]: ...
    def __get__(self, instance: S | None, owner: type[Any] | None = None) -> Iteration[P, T] | iterating[S, P, T]:
        return self if instance is None else Iteration(instance, self.flow)


class _Late:
    """Stands for an object that is found when it is used, so that looking at `App.get` is always possible."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __repr__(self) -> str:
        return "the default client"


class calling_by(Generic[P, T]):  # noqa: N801  # a descriptor, as property is
    """A class's own way to another object's method: `App.get` is `Apps.get` of the default client."""

    def __init__(self, method: calling[Any, P, T], owner: Callable[[], Any]) -> None:
        self._flow = method.flow
        self._owner = _Late(owner)
        functools.update_wrapper(cast("Any", self), method.flow)

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Call[P, T]:
        return Call(self._owner, self._flow)


class iterating_by(Generic[P, T]):  # noqa: N801  # a descriptor, as property is
    """The same for a method that gives items."""

    def __init__(self, method: iterating[Any, P, T], owner: Callable[[], Any]) -> None:
        self._flow = method.flow
        self._owner = _Late(owner)
        functools.update_wrapper(cast("Any", self), method.flow)

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Iteration[P, T]:
        return Iteration(self._owner, self._flow)
