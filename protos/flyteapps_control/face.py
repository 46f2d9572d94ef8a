"""The control API as Python objects: `control.faults.fail("Create", code="UNAVAILABLE")`, `control.clock.now`.

The same objects drive a plane in process and over the wire: they make messages, and hand them to an `Api`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

from flyteapps_control import faults, states
from flyteapps_control.api import Api
from flyteapps_control.arguments import selected, text, whole
from flyteapps_control.calls import Calls
from flyteapps_control.clock import Clock
from flyteapps_control.durations import DurationLike, nanoseconds
from flyteapps_control.loads import Loads
from flyteapps_control.scenarios import Scenarios
from flyteapps_control.states import Path, Snapshots
from flyteapps_control.v1 import control_pb2 as pb

P = ParamSpec("P")

STREAMS = ("Watch", "Lease", "TailLogs")
"""The RPCs that open a stream."""
MAX_SEED = 2**63 - 1
"""The largest seed that a message holds."""


class _Adding(Generic[P]):
    """A method of `Faults` that makes a rule and adds it."""

    def __init__(self, make: Callable[P, pb.Fault]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, instance: Faults, owner: type[Faults]) -> Callable[P, pb.Fault]:
        def add(*arguments: P.args, **keywords: P.kwargs) -> pb.Fault:
            return instance.add(self._make(*arguments, **keywords))[0]

        add.__doc__ = self._make.__doc__
        return add


class Faults:
    """The rules for faults. Each method that adds one returns it with its id."""

    fail = _Adding(faults.fail)
    delay = _Adding(faults.delay)
    reset = _Adding(faults.reset)
    answer = _Adding(faults.answer)
    cut = _Adding(faults.cut)
    stall = _Adding(faults.stall)
    repeat = _Adding(faults.repeat)
    withhold = _Adding(faults.withhold)
    reorder = _Adding(faults.reorder)
    stale = _Adding(faults.stale)
    steal_lease = _Adding(faults.steal_lease)

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *rules: pb.Fault) -> list[pb.Fault]:
        """Add rules, all or none; return them with their ids. Raises ControlError."""
        for each in rules:
            if not isinstance(each, pb.Fault):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
                raise TypeError(f"a rule must be one of flyteapps_control.faults, such as fail(...), not {each!r:.80}")
        return list(self._api.call("AddFaults", pb.AddFaultsRequest(faults=rules), pb.AddFaultsResponse).faults)

    def list(self) -> list[pb.Fault]:
        """Return the rules, in the order in which they were added, with how often each matched and was applied."""
        return list(self._api.call("ListFaults", pb.ListFaultsRequest(), pb.ListFaultsResponse).faults)

    def unapplied(self) -> list[pb.Fault]:
        """Return the rules whose fault no call has had: often a mistake in a test."""
        return [each for each in self.list() if not each.applied]

    def remove(self, *rules: pb.Fault | str) -> list[pb.Fault]:
        """Remove rules, by themselves or by their ids; return them as they were. Raises ControlError."""
        ids = [each.id if isinstance(each, pb.Fault) else text("a rule to remove", each) for each in rules]
        if not ids:
            return []
        return list(self._api.call("RemoveFaults", pb.RemoveFaultsRequest(ids=ids), pb.RemoveFaultsResponse).faults)

    def clear(self) -> list[pb.Fault]:
        """Remove all rules; return them as they were."""
        return list(self._api.call("RemoveFaults", pb.RemoveFaultsRequest(), pb.RemoveFaultsResponse).faults)


class Tokens:
    """The keys and the clock of the tokens that an authenticating plane issues."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def rotate_keys(self, *, keep: bool = True) -> None:
        """Sign with a new key from now on; `keep`: tokens of the keys before still count. Raises ControlError."""
        self._api.call("RotateKeys", pb.RotateKeysRequest(drop=not keep), pb.RotateKeysResponse)

    def skew(self, *, ahead: DurationLike = 0, behind: DurationLike = 0) -> None:
        """Let the tokens' clock be ahead of the plane's, or behind it; without either it is the same again.

        Raises ValueError for both, ControlError where the plane issues no tokens.
        """
        request, spans = pb.SkewTokensRequest(), (nanoseconds(ahead), nanoseconds(behind))
        if all(spans):
            raise ValueError("a clock is ahead or behind, not both")
        if spans[0]:
            request.ahead.FromNanoseconds(spans[0])
        elif spans[1]:
            request.behind.FromNanoseconds(spans[1])
        self._api.call("SkewTokens", request, pb.SkewTokensResponse)


class Control:
    """All that drives one plane."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.faults = Faults(api)
        self.clock = Clock(api)
        self.calls = Calls(api)
        self.scenarios = Scenarios(api)
        self.loads = Loads(api)
        self.tokens = Tokens(api)
        self.snapshots = Snapshots(api)

    def usage(self, *, app: str = "", project: str = "", domain: str = "") -> list[pb.AppUsage]:
        """Return what those apps (globs) used over time: replicas, declared loads, requests to their URLs.

        Of the first 100 apps, in order of project, domain and name. Raises ControlError.
        """
        request = pb.ListAppUsageRequest(app=selected(app, project, domain))
        return list(self._api.call("ListAppUsage", request, pb.ListAppUsageResponse).apps)

    def open_streams(self, *, app: str = "", project: str = "", domain: str = "") -> int:
        """Return how many streams about those apps (globs) are open, 1,000 at most; one that is delayed counts, too."""
        request = pb.ExplainWaitsRequest(app=selected(app, project, domain))
        waits = self._api.call("ExplainWaits", request, pb.ExplainWaitsResponse).waits
        return sum(each.rpc.rpartition("/")[2] in STREAMS for each in waits)

    def drop_streams(self, *, app: str = "", project: str = "", domain: str = "", code: str = "UNAVAILABLE") -> int:
        """End the open streams about those apps with a code; return how many there were."""
        request = pb.DropStreamsRequest(app=selected(app, project, domain), code=text("code", code))
        return self._api.call("DropStreams", request, pb.DropStreamsResponse).dropped

    def reset(self, *, app: str = "", project: str = "", domain: str = "", seed: int | None = None) -> int:
        """Make the plane, or projects, as if nothing had ever been there; return how many apps there were.

        `project` (a glob) alone: these projects are as if they had never been there, without the rules, loads and uses
        that name exactly them; streams that see them end with UNAVAILABLE. Without a selection the plane is as new, but
        for its snapshots, and every stream ends; `seed`: of its random draws from now on. With `app` or `domain` these
        apps are removed alone, with an event to their watchers. Raises ControlError for a seed beside a selection.
        """
        request = pb.ResetRequest(app=selected(app, project, domain))
        if seed is not None:
            request.seed = whole("seed", seed, -MAX_SEED, MAX_SEED)
        return self._api.call("Reset", request, pb.ResetResponse).removed

    def snapshot(self, name: str) -> None:
        """Keep the plane's state under a name, for `restore`. Raises ControlError."""
        self.snapshots.take(name)

    def restore(self, name: str) -> int:
        """Make the plane's state what it was at `snapshot`; return how many apps there are.

        Open streams end with UNAVAILABLE. Raises ControlError for an unknown name.
        """
        return self.snapshots.restore(name)

    def export(self, path: Path) -> None:
        """Write the plane's state to a file of JSON, for `load`. Raises ControlError, OSError."""
        states.export(self._api, path)

    def load(self, path: Path) -> int:
        """Load a file: the state that `export` wrote, or apps in YAML; return how many apps it had.

        A state replaces the plane's, and open streams end with UNAVAILABLE; apps are created, all or none. Raises
        ControlError with the place of the first mistake, OSError, ValueError.
        """
        return states.load(self._api, path)
