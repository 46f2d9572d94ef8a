"""Declared loads: their texts, such as "50rps", the table of a plane, and their Python face."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from flyteapps_control.api import Api
from flyteapps_control.arguments import selected
from flyteapps_control.selection import AppGlobs, AppName, Size, Totals
from flyteapps_control.v1 import control_pb2 as pb

M = TypeVar("M", pb.Load, pb.AppSelector)

MAX_LOADS = 10_000
MAX_AMOUNT = 1e9
_TEXT = re.compile(r"(?P<number>[0-9]+([.][0-9]+)?|[.][0-9]+)\s*(?P<unit>rps|concurrent)?")
_EXAMPLES = "write it as 50rps (requests a second) or 20concurrent (requests at the same time)"


def load_of(text: str, *, app: str = "", project: str = "", domain: str = "") -> pb.Load:
    """Return a load by its text, such as "50rps", "20 concurrent" or "0". Raises ValueError."""
    found = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
    if found is None:
        raise ValueError(f"the load {text!r:.80} is invalid: {_EXAMPLES}")
    number, unit = float(found["number"]), found["unit"]
    if number and unit is None:
        raise ValueError(f"the load {text!r} has no unit: {_EXAMPLES}")
    if number > MAX_AMOUNT:
        raise ValueError(f"the load {text!r:.80} is over {MAX_AMOUNT:,.0f}")
    load = pb.Load(app=selected(app, project, domain))
    if unit == "concurrent":
        load.concurrent_requests = number
    else:
        load.requests_per_second = number
    return load


def text_of(load: pb.Load) -> str:
    """Return the text of a load's amount."""
    if load.WhichOneof("amount") == "concurrent_requests":
        return f"{load.concurrent_requests:.15g}concurrent"
    return f"{load.requests_per_second:.15g}rps"


LoadKey = tuple[str, str, str]
"""The globs of a load: project, domain, name."""


class Declared(NamedTuple):
    """A declared load, which never changes. `number`: of those that select an app, the one with the highest counts."""

    globs: AppGlobs
    load: pb.Load
    number: int


class LoadTable:
    """The declared loads of one plane."""

    def __init__(self) -> None:
        self._loads: dict[LoadKey, Declared] = {}
        self._totals = Totals("loads")
        self.on_touch: Callable[[LoadKey], None] | None = None
        """The function that is called with the key of each load that is about to change."""
        self.on_change: Callable[[pb.Load | None, pb.AppSelector | None], None] | None = None
        """The function that is called with a load that is declared, or with the selector of what is removed."""

    def __len__(self) -> int:
        return len(self._loads)

    def set(self, load: pb.Load) -> None:
        """Declare a load, instead of one with the same selector. Raises ValueError where there are too many."""
        key = key_of(load.app)
        if key not in self._loads and len(self._loads) >= MAX_LOADS:
            raise ValueError(f"there can be at most {MAX_LOADS:,} loads: clear some")
        own = _kept(load)
        self._totals.add([Size.of(own)])
        if key in self._loads:
            self._totals.remove(Size.of(self._loads[key].load))
        self._touch(key)
        self._loads.pop(key, None)  # the last one that is declared counts
        last = next(reversed(self._loads.values()), None)
        self._loads[key] = Declared(AppGlobs(own.app), own, last.number + 1 if last is not None else 1)
        if self.on_change is not None:
            self.on_change(own, None)

    def list(self) -> list[pb.Load]:
        """Return the loads, in the order in which they were declared."""
        return [each.load for each in self._loads.values()]

    def clear(self, app: pb.AppSelector | None) -> list[pb.Load]:
        """Remove the load with this selector, or all of them; return them."""
        if app is None:
            self._touch(*self._loads)
            removed, self._loads = self.list(), {}
        else:
            self._touch(key_of(app))
            found = self._loads.pop(key_of(app), None)
            removed = [found.load] if found is not None else []
        for load in removed:
            self._totals.remove(Size.of(load))
        if removed and self.on_change is not None:
            self.on_change(None, None if app is None else _kept(app))
        return removed

    def of(self, app: AppName) -> pb.Load | None:
        """Return the load of an app, None where none is declared."""
        for globs, load, _ in reversed(self._loads.values()):
            if globs.matches(app):
                return load
        return None

    def keys(self) -> list[LoadKey]:
        """Return the keys of the loads, in the order in which they were declared."""
        return [*self._loads]

    def get(self, key: LoadKey) -> Declared | None:
        """Return the load of a key, None for none."""
        return self._loads.get(key)

    def put(self, key: LoadKey, declared: Declared | None) -> None:
        """Replace a load, which is no news; `settle` has to follow."""
        old = self._loads.pop(key, None)
        if old is not None:
            self._totals.remove(Size.of(old.load))
        if declared is not None:
            self._totals.put(Size.of(declared.load))
            self._loads[key] = declared

    def settle(self) -> None:
        """Go on from the loads that were put."""
        self._loads = dict(sorted(self._loads.items(), key=lambda each: each[1].number))

    def _touch(self, *keys: LoadKey) -> None:
        if self.on_touch is not None:
            for key in keys:
                self.on_touch(key)


def _kept(message: M) -> M:
    """Return a copy to be kept, as the message belongs to a request."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def key_of(app: pb.AppSelector) -> LoadKey:
    """Return the key of a load by its globs."""
    return app.project, app.domain, app.name


class Loads:
    """The declared loads of apps, which the simulated cluster scales them to."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def set(self, load: str, *, app: str = "", project: str = "", domain: str = "") -> int:
        """Declare a load such as "50rps", "20concurrent" or "0"; return how many apps there are with it.

        `app`, `project`, `domain`: globs; apps that are created later have it, too. It replaces one with the same
        globs. Raises ValueError for a load that is invalid, ControlError where the plane refuses.
        """
        request = pb.SetLoadRequest(load=load_of(load, app=app, project=project, domain=domain))
        return self._api.call("SetLoad", request, pb.SetLoadResponse).apps

    def list(self) -> list[pb.Load]:
        """Return the declared loads, in the order in which they were declared."""
        return list(self._api.call("ListLoads", pb.ListLoadsRequest(), pb.ListLoadsResponse).loads)

    def clear(self, *, app: str = "", project: str = "", domain: str = "") -> list[pb.Load]:
        """Remove the load with exactly these globs, or all without any; return what was removed."""
        request = pb.ClearLoadsRequest()
        if app or project or domain:
            request.app.CopyFrom(selected(app, project, domain))
        return list(self._api.call("ClearLoads", request, pb.ClearLoadsResponse).loads)
