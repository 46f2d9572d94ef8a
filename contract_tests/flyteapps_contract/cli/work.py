"""The steps of a run, each in a thread of its own: neither Ctrl-C nor the end of the time waits for a plane."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

from flyteapps_contract.outcomes import Outcome, Refused
from flyteapps_contract.run import TIME_IS_OVER, Ending, Run, RunEnded
from flyteapps_contract.session import UNANSWERED_SECONDS, Session, remove
from flyteapps_contract.targets.target import Target

TURN = 0.1
"""Seconds after which a waiting step looks for a signal that was lost."""
GRACE = 0.3
"""Seconds in which a step that was interrupted reports what it had found."""
CLEANING_SECONDS = 0.8
"""Seconds for removing what an interrupted step has created."""


class Work:
    """One step of a run under way: its outcomes, as they come."""

    def __init__(self, run: Run, step: Callable[[], Iterator[Outcome]], signalled: Callable[[], bool]) -> None:
        self._run = run
        self._signalled = signalled
        self._results: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        threading.Thread(target=self._carry_out, args=(step,), name="flyteapps-contract-step", daemon=True).start()

    def _carry_out(self, step: Callable[[], Iterator[Outcome]]) -> None:
        try:
            for outcome in step():
                self._results.put(outcome)
        except BaseException as trouble:  # raised by the thread that waits
            self._results.put(trouble)
        else:
            self._results.put(None)

    def outcomes(self) -> Iterator[Outcome]:
        """Return the outcomes as they come. Raises what the step raises, RunEnded, and KeyboardInterrupt."""
        while True:
            try:
                result = self._results.get(timeout=self._run.ending.at_most(TURN))
            except queue.Empty:
                if self._signalled():
                    raise KeyboardInterrupt from None
                if self._run.ending.is_over:
                    self._run.end(TIME_IS_OVER)
                    yield from self.rest()
                    raise RunEnded(self._run.ending.reason) from None
                continue
            if isinstance(result, BaseException):
                raise result
            if result is None:
                return
            yield result

    def rest(self) -> list[Outcome]:
        """Return the outcomes of a step that was interrupted, as far as they come in time."""
        found: list[Outcome] = []
        until = time.monotonic() + GRACE
        while True:
            try:
                result = self._results.get(timeout=max(until - time.monotonic(), 0.0))
            except queue.Empty:
                return found
            if not isinstance(result, Outcome):
                return found
            found.append(result)


def clean_up(target: Target, run: Run) -> None:
    """Remove what the sessions of an interrupted run have created, as far as the plane answers in time."""
    left = {} if target.capabilities.fresh else run.abandoned()
    run.left.update(left)
    if not left:
        return
    settled = time.monotonic() + UNANSWERED_SECONDS
    last = [key for key in left if key in run.unanswered]
    again = Run(
        prefix=run.prefix,
        org=run.org,
        project=run.project,
        domain=run.domain,
        ending=Ending(time.monotonic() + CLEANING_SECONDS),
    )

    def remove_all() -> None:
        with Session(target.plane(), again) as session:
            for key in [*(each for each in reversed(left) if each not in last), *last]:
                if key in last:
                    time.sleep(max(settled - time.monotonic(), 0.0))
                try:
                    remove(session, left[key])
                except (Refused, RunEnded):
                    continue
                run.left.pop(key, None)

    cleaning = threading.Thread(target=remove_all, name="flyteapps-contract-cleaning", daemon=True)
    cleaning.start()
    cleaning.join(CLEANING_SECONDS)
    again.end(TIME_IS_OVER)
