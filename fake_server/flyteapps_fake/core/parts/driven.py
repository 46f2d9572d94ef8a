"""The levers of a plane: rules for faults, declared loads, recorded calls, the removal of apps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager

from flyteapps_control.fault_table import prepare
from flyteapps_control.selection import AppGlobs, AppName, exact_name
from flyteapps_control.v1.control_pb2 import AppSelector, Fault, Load
from flyteapps_fake.control.call_log import LoadChange, Record
from flyteapps_fake.core.dialect import Scale
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.core.parts.base import PlaneParts
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.core.time.usage import UsedApp, amount_of, steps_since

OF_LOAD = Cause(other="a declared load")
MAX_USED_APPS = 100
"""Apps in one answer about their use."""
OF_RESET = Cause(other="a reset by the control API")


class DrivenPlane(PlaneParts):
    """The part of a plane that drives it."""

    def add_faults(self, faults: Iterable[Fault]) -> list[Fault]:
        """Add rules, all or none; return them with their ids. Raises ValueError."""
        rules = prepare(faults)
        with self._lock:
            return self._interceptor.add(rules)

    def list_faults(self) -> list[Fault]:
        """Return the rules, in the order in which they were added."""
        with self._lock:
            return self._interceptor.table.list()

    def remove_faults(self, ids: Sequence[str]) -> list[Fault]:
        """Remove these rules, or all where `ids` is empty; return them. Raises KeyError for an id without a rule."""
        with self._lock:
            return self._interceptor.remove(ids)

    def set_load(self, load: Load) -> int:
        """Declare the load of apps; return how many of them there are. Raises ValueError for too many loads."""
        with self._lock:
            self._timeline.run_due()
            found = self._loads_of([load.app])
            self._dialect.loads.set(load)
            self._load_changed(found)
            return len(found)

    def list_loads(self) -> list[Load]:
        """Return the declared loads, in the order in which they were declared."""
        with self._lock:
            return self._dialect.loads.list()

    def clear_loads(self, app: AppSelector | None) -> list[Load]:
        """Remove the load with this selector, or all of them; return them."""
        with self._lock:
            self._timeline.run_due()
            found = self._loads_of([each.app for each in self._dialect.loads.list()] if app is None else [app])
            removed = self._dialect.loads.clear(app)
            if removed:
                self._load_changed(found)
            return removed

    def _loads_of(self, selectors: Iterable[AppSelector]) -> dict[AppName, Load | None]:
        """Return the declared loads of the selected apps."""
        globs = [AppGlobs(each) for each in selectors]
        found = [name for name, _ in self._dialect.apps() if any(each.matches(name) for each in globs)]
        return {name: self._dialect.loads.of(name) for name in found}

    def _load_changed(self, before: Mapping[AppName, Load | None]) -> None:
        """Let these apps follow their loads, which were others before."""
        with self._timeline.causes.during(OF_LOAD):
            for name, load in before.items():
                self._timeline.usage.loaded(name, load, self._dialect.loads.of(name))
                self._dialect.load_changed(name)

    def used_apps(self, app: AppSelector) -> tuple[list[UsedApp], int]:
        """Return what the selected apps use, of the first ones in order alone; and how many are selected."""
        globs, exact = AppGlobs(app), exact_name(app)
        with self._lock:
            self._timeline.run_due()
            names = [exact] if exact is not None else [name for name, _ in self._dialect.apps() if globs.matches(name)]
            scales = [(name, scale) for name in names if (scale := self._dialect.scale_of(name)) is not None]
            found = [self._used(name, scale) for name, scale in scales[:MAX_USED_APPS]]
        return found, len(scales)

    def _used(self, name: AppName, scale: Scale) -> UsedApp:
        usage = self._timeline.usage.of(name)
        since = max(usage.since, scale.created)
        load = self._dialect.loads.of(name)
        return UsedApp(
            name,
            since,
            steps_since(usage.replicas or [(since, scale.replicas)], since),
            steps_since(usage.loads or ([] if load is None else [(since, amount_of(load))]), since),
            [*usage.requests],
        )

    def count_faults(self) -> int:
        """Return how many rules for faults there are."""
        with self._lock:
            return len(self._interceptor.table)

    def applied_faults(self) -> int:
        """Return how many faults calls have had, of rules that were removed, too."""
        with self._lock:
            return self._interceptor.applied

    def count_calls(self) -> int:
        """Return how many calls are recorded."""
        with self._lock:
            return len(self._interceptor.log)

    def recorded_calls(self) -> list[Record]:
        """Return the recorded calls, the oldest first."""
        with self._lock:
            return list(self._interceptor.log)

    def recorded_loads(self) -> list[LoadChange]:
        """Return the changes of declared loads, the oldest first, as far as calls are recorded."""
        with self._lock:
            return list(self._interceptor.log.loads)

    def forgotten_calls(self) -> int:
        """Return how many calls were recorded and are forgotten by now."""
        with self._lock:
            return self._interceptor.log.forgotten

    def clear_calls(self) -> int:
        """Forget the recorded calls; return how many there were."""
        with self._lock:
            return self._interceptor.log.clear()

    def statuses(self, app: AppSelector) -> list[tuple[AppName, str]]:
        """Return the selected apps with the names of their statuses, such as ACTIVE, in order."""
        globs = AppGlobs(app)
        with self._lock:
            found = [(name, short_name(status)) for name, status in self._dialect.apps()]
        return [(name, status) for name, status in found if globs.matches(name)]

    @contextmanager
    def noting_changes(self, app: AppSelector) -> Generator[Callable[[], bool]]:
        """Yield a function that returns whether a selected app has changed since its last call."""
        globs, noted = AppGlobs(app), False

        def note(key: Hashable) -> None:
            nonlocal noted
            noted = noted or globs.is_all or globs.matches(self._dialect.named(key))

        def changed() -> bool:
            nonlocal noted
            before, noted = noted, False
            return before

        self._timeline.on_change.append(note)
        try:
            yield changed
        finally:
            self._timeline.on_change.remove(note)

    def remove_apps(self, app: AppSelector) -> int:
        """Remove the selected apps in any state, with events to their watchers; return how many there were."""
        with self._lock:
            found = self.statuses(app)
            with self._timeline.causes.during(OF_RESET):
                for name, _ in found:
                    self._dialect.remove_app(name)
            return len(found)

    def end_streams_of(self, app: AppSelector, code: Code) -> int:
        """End the open streams about these apps with a code; return how many there were."""
        globs = AppGlobs(app)
        error = RpcError(code, "the stream was dropped, by the control API")
        with self._lock:
            streams = [each for each in self._dialect.streams.all() if globs.matches(each.app)]
            for stream in streams:
                stream.end(error)
            return len(streams)
