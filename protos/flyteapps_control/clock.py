"""The plane's clock as a Python object: `control.clock.advance("2m")`, `control.clock.now`."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from flyteapps_control.api import Api
from flyteapps_control.arguments import selected, text
from flyteapps_control.durations import DurationLike, nanoseconds
from flyteapps_control.v1 import control_pb2 as pb

MAX_TIMERS = 2_000
"""Timers of one request: a tenth of a second, so that no timeout of a request bounds a move of the clock."""

MAX_LISTED = 1_000
"""Timers, and waits, of one response."""

Progress = Callable[[datetime.datetime, int], object]
"""A function that gets the time that a move has reached, and how many timers have fired in it."""


def move(api: Api, request: pb.AdvanceClockRequest, progress: Progress | None = None) -> pb.AdvanceClockResponse:
    """Make a move in as many requests as it takes; return the response of all. Raises ControlError."""
    fired = 0
    while True:
        request.max_timers = MAX_TIMERS
        found = api.call("AdvanceClock", request, pb.AdvanceClockResponse)
        fired += found.fired
        if not found.HasField("rest"):
            found.fired = fired
            return found
        if progress is not None:
            progress(found.now.ToDatetime(datetime.UTC), fired)
        request = found.rest


class Why(list[pb.Wait]):
    """The waits of a plane, at most as many as were requested; as a text, a line each below what moves the clock.

    `clock`: what moves the clock, in a sentence. `total`: how many waits there are. `otherwise`: the states of selected
    apps for which nothing waits, or that there is no such app.
    """

    def __init__(self, found: pb.ExplainWaitsResponse) -> None:
        super().__init__(found.waits)
        self.clock = found.clock
        self.total = found.wait_count
        self.otherwise = found.otherwise

    def __str__(self) -> str:
        nothing = f"nothing waits: {self.otherwise}" if self.otherwise else "nothing waits"
        lines = [each.text for each in self] or [nothing]
        if self.total > len(self):
            lines.append(f"... and {self.total - len(self)} more")
        return "\n".join([self.clock, *lines])


class Clock:
    """The plane's clock."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @property
    def mode(self) -> str:
        """`realtime`, `auto` or `manual`."""
        return self._get().mode

    @property
    def now(self) -> datetime.datetime:
        """The plane's time."""
        return self._get().now.ToDatetime(datetime.UTC)

    def pending(self, *, limit: int = MAX_LISTED) -> list[pb.Timer]:
        """Return what is to happen, the earliest first, at most `limit` timers (1,000). Raises ControlError."""
        return list(self._get(limit).timers)

    def why(self, *, app: str = "", project: str = "", domain: str = "", limit: int = MAX_LISTED) -> Why:
        """Return what waits for those apps (globs): open streams, delayed calls, moving apps, at most `limit` (1,000).

        Print it to read it. Each wait has the timer that would end it, or the reason why there is none.
        """
        request = pb.ExplainWaitsRequest(app=selected(app, project, domain), max_waits=limit)
        return Why(self._api.call("ExplainWaits", request, pb.ExplainWaitsResponse))

    def advance(self, duration: DurationLike, *, progress: Progress | None = None) -> datetime.datetime:
        """Move a manual clock by seconds, or a text such as "2m", and fire what becomes due; return the time.

        `progress`: is called with the time and the number of fired timers, every 2,000 of them. Ctrl-C, and an
        exception of `progress`, end the move between two timers. Raises ControlError for a clock that moves by itself,
        ValueError for a duration that is none.
        """
        request = pb.AdvanceClockRequest()
        request.duration.FromNanoseconds(nanoseconds(duration))
        return self._advance(request, progress)

    def advance_to_next(self) -> datetime.datetime:
        """Move a manual clock to the next timer, and fire it; return the time. Raises ControlError without any."""
        return self._advance(pb.AdvanceClockRequest(next_timer=True))

    def advance_until(
        self,
        *,
        app: str,
        status: str,
        project: str = "",
        domain: str = "",
        limit: DurationLike = "1d",
        progress: Progress | None = None,
    ) -> datetime.datetime:
        """Move a manual clock until that app has that status, such as "ACTIVE"; return the time.

        `progress`: as for `advance`. Raises ControlError where it hasn't within `limit`, with what is pending: the
        clock stays at the last timer.
        """
        until = pb.AdvanceClockRequest.Until(app=selected(app, project, domain), status=text("status", status))
        request = pb.AdvanceClockRequest(until=until)
        request.until.limit.FromNanoseconds(nanoseconds(limit))
        return self._advance(request, progress)

    def _advance(self, request: pb.AdvanceClockRequest, progress: Progress | None = None) -> datetime.datetime:
        return move(self._api, request, progress).now.ToDatetime(datetime.UTC)

    def _get(self, max_timers: int = 0) -> pb.GetClockResponse:
        return self._api.call("GetClock", pb.GetClockRequest(max_timers=max_timers), pb.GetClockResponse)
