"""Files of scenarios that change while a plane runs: each version is read once, and an invalid one changes nothing.

When to look is its caller's matter: a server does so each second, and the plane itself never.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.files.located import ScenarioError
from flyteapps_fake.simulation.files.sources import Stamp, read, stamp_of

KEPT = "the scenarios that were read before stay in force"


class FileWatch:
    """The files of the settings of one plane. `held`: yields its scenarios, under its lock."""

    def __init__(
        self,
        held: Callable[[], AbstractContextManager[ScenarioBook]],
        stamp: Callable[[str], Stamp | None] = stamp_of,
    ) -> None:
        self._held = held
        self._stamp = stamp
        with held() as book:
            self._known = dict(book.files)

    @property
    def files(self) -> list[str]:
        """The paths of the files."""
        return [*self._known]

    def look(self) -> list[str]:
        """Read the files again whose version is another than at the last look; return a message about each."""
        messages: list[str] = []
        for path, known in self._known.items():
            found = self._stamp(path)
            if found == known:
                continue
            self._known[path] = found
            if found is None:
                messages.append(f"{path}: is gone; {KEPT}")
            elif not found.regular:  # to read a pipe could take for good
                messages.append(f"{path}: is no file any more; {KEPT}")
            else:
                messages.append(self._read(path))
        return messages

    def _read(self, path: str) -> str:
        try:
            scenarios = read(path)  # without the lock: calls go on meanwhile
            with self._held() as book:
                book.replace(path, scenarios)
        except ScenarioError as error:
            return f"{error}; {KEPT}"
        return f"{path}: read again; the next starts of apps get its {len(scenarios)} scenario(s)"
