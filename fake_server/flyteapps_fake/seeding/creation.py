"""The creation of a file's apps, by the plane's own writes, and the steps of their starts, which take no time here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, UpdateRequest

from flyteapps_control.selection import AppName
from flyteapps_fake.core.call import Call, Identity
from flyteapps_fake.core.dialect import Dialect
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.lifecycle import STOPPED, short_name
from flyteapps_fake.core.operations import CREATE, UPDATE
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.causes import Cause
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.seeding.app_file import SeedApp
from flyteapps_fake.simulation.files.field_values import nearest
from flyteapps_fake.simulation.files.located import ScenarioError
from flyteapps_fake.simulation.scenarios import LABEL

MAX_STEPS = 10_000
"""Steps of one start."""
OF_FILE = Cause(other="a file of apps")


def create_apps(plane: Plane, apps: Sequence[SeedApp]) -> None:
    """Create apps, all or none, and let each reach its status. Raises ScenarioError for the first that can't be."""
    plane.timed(lambda dialect, timeline: _Creation(plane, dialect, timeline).run(apps))


class _Creation:
    """The creation of apps, under the plane's lock."""

    def __init__(self, plane: Plane, dialect: Dialect, timeline: Timeline) -> None:
        self._subject = Identity(plane.settings.subject)
        self._simulated = plane.settings.data_plane == "simulated"
        self._dialect = dialect
        self._timeline = timeline

    def run(self, apps: Sequence[SeedApp]) -> None:
        """Create the apps. Raises ScenarioError, and leaves none of them then."""
        dialect, created = self._dialect, list[AppName]()
        self._check(apps)
        before, dialect_sees = dialect.caller, dialect.sees
        dialect.act_for(self._subject, None)
        try:
            with self._timeline.causes.during(OF_FILE):
                for each in apps:
                    self._call(CREATE, CreateRequest(app=each.app), each)
                    created.append(each.name)
                self._stop(apps)
                self._reach(apps)
        except ScenarioError:
            for name in created:
                dialect.remove_app(name)
            raise
        finally:
            dialect.act_for(before, dialect_sees)

    def _check(self, apps: Sequence[SeedApp]) -> None:
        present, scenarios = self._statuses(), self._dialect.scenarios
        for each in apps:
            if each.name in present:
                raise ScenarioError(each.place, f"the app {each.name} is there already: remove it, or leave it out")
            scenario = each.app.metadata.labels.get(LABEL)
            if self._simulated and scenario and scenarios.find(scenario) is None:
                place = each.places.get("scenario", each.place)
                known = nearest(scenario, scenarios.names())
                raise ScenarioError(place, f"scenario: {quoted(scenario)} is unknown; {known}")

    def _call(self, operation: Any, request: Any, app: SeedApp) -> None:
        try:
            self._dialect.call_at_once(Call(operation, request))
        except RpcError as error:
            raise ScenarioError(app.place, f"the app {app.name} is refused: {error.message}") from None

    def _stop(self, apps: Sequence[SeedApp]) -> None:
        """Stop the apps that should be, where Create starts every app."""
        statuses = self._statuses()
        for each in apps:
            if each.app.spec.desired_state == Spec.DESIRED_STATE_STOPPED and statuses[each.name] != STOPPED:
                app = App()
                app.CopyFrom(each.app)
                self._call(UPDATE, UpdateRequest(app=app), each)

    def _reach(self, apps: Sequence[SeedApp]) -> None:
        """Take the steps of all apps, one of each in turn, until each has its status."""
        left: Collection[SeedApp] = apps
        for _ in range(MAX_STEPS):
            statuses = self._statuses()
            owners = {each.app: each.owner for each in self._timeline.pending() if each.progress and each.changes}
            left = [each for each in left if statuses[each.name] != each.status]
            if stuck := [each for each in left if each.name not in owners and each.status is not None]:
                first = stuck[0]
                wanted, status = short_name(first.status or 0), short_name(statuses[first.name])
                raise ScenarioError(
                    first.places["status"], f"the app {first.name} never becomes {wanted}: its start ends as {status}"
                )
            left = [each for each in left if each.name in owners]
            if not left:
                return
            for each in left:
                self._timeline.take_step(owners[each.name])
        first, *_ = left
        raise ScenarioError(
            first.place, f"the start of the app {first.name} has more than {MAX_STEPS:,} steps: give a `status` in it"
        )

    def _statuses(self) -> dict[AppName, int]:
        return dict(self._dialect.apps())
