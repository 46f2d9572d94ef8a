"""Bugs of a plane's state, each with the test that has to find it."""

from __future__ import annotations

from functools import partial

from planted import Planted

from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.state.keeping import Keeping
from flyteapps_fake.core.state.marks import Marks
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import TimerQueue
from flyteapps_fake.simulation.choice import ScenarioChoice
from flyteapps_fake.simulation.progress import Progress
from flyteapps_fake.simulation.step_logs import StepLogs
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.dialect import Standard
from flyteapps_fake.standard.ingress import Hosts
from flyteapps_fake.standard.operators.leases import LeaseStream
from flyteapps_fake.standard.organization import Organization
from flyteapps_fake.standard.simulation.reactor import Reactor
from flyteapps_fake.standard.state import app_messages
from flyteapps_fake.standard.state.sections import Apps, DeletedIds, Rest
from flyteapps_fake.standard.store import AppStore

from . import test_marks, test_returns, test_standard

tour = test_standard.test_steps_of_every_kind
outliving = test_standard.test_snapshots_outlive_a_load_and_a_reset
siblings = test_marks.test_siblings_stay_what_they_are_without_the_mark_that_they_differ_from
costs = test_marks.test_a_mark_costs_what_was_written_since
dropped = test_marks.test_a_mark_keeps_what_it_differed_in_by_one_that_is_dropped
apart = test_standard.test_snapshots_that_differ_in_nothing_stay_apart
org = test_returns.test_the_org_goes_with_the_state
late = test_returns.test_a_lease_stream_of_before_takes_no_lease_of_after_back
streams = partial(test_returns.test_streams_end_and_are_opened_again, "restore")
on_auto = partial(test_returns.test_on_auto_an_app_goes_on_when_a_client_waits, "restore")
between = partial(test_returns.test_on_realtime_a_load_counts_the_time_between_or_not, True, 100)
not_between = partial(test_returns.test_on_realtime_a_load_counts_the_time_between_or_not, False, 0)
of_another_org = partial(test_returns.test_a_document_that_a_plane_cannot_take_changes_nothing, "the org flyte")
newer = partial(test_returns.test_a_document_that_a_plane_cannot_take_changes_nothing, "the format 2")

PLANTED = [
    # changes that aren't recorded
    Planted(State, "_replace", "if self.changes.on:", "if False:", tour),
    Planted(State, "_delete", "if self.changes.on:", "if False:", tour),
    Planted(State, "_touch_plane", "if self.changes.on:", "if False:", tour),
    Planted(Reactor, "_touch", "if self._state.changes.on:", "if False:", tour),
    Planted(TimerQueue, "pop", "if self._changes.on:", "if False:", tour),
    Planted(Timeline, "_touch", "if entry is not None:", "if False:", tour),
    Planted(Changes, "replace", "if self.on:", "if False:", outliving),
    # marks
    Planted(Changes, "touch", "entry not in newest.images", "True", tour),
    Planted(Marks, "restore", "passed.images = before", "passed.images = {}", siblings),
    Planted(Marks, "restore", "images, each.images = each.images, {}", "images = each.images", costs),
    Planted(Marks, "drop", "child.images.setdefault(entry, image)", "pass", dropped),
    Planted(Marks, "drop", "child.images[entry] = self._image(entry)", "pass", siblings),
    # what an app has, by piece
    Planted(TimerQueue, "put", "if timer is not None:", "if False:", tour),
    Planted(Apps, "image", "(key, lease_timer(key))", "(key,)", tour),
    Planted(Apps, "put", "own.get(lease))", "own.get(lease) or state.timers.get(lease))", tour),
    Planted(Apps, "put", "state.waiting.put(old, new)", "pass", tour),
    Planted(Apps, "put", "state.store.put(old, new)", "state.store._records[key] = new", tour),
    Planted(Apps, "put", "state.replicas.put(key, image.lives if image is not None else None)", "pass", tour),
    Planted(
        Apps,
        "put",
        "state.hosts.put(key, image.hosts if image is not None else None)",
        "image is not None and state.hosts.put(key, image.hosts)",
        tour,
    ),
    Planted(Hosts, "put", "if self._owners.get(host) == key:", "if host in self._owners:", tour),
    Planted(Reactor, "put", "image.run.copied()", "image.run", apart),
    Planted(Reactor, "put", "self._leases.play(key, image.played_cluster)", "pass", tour),
    Planted(
        Progress, "copied", "[Frame(each.index, each.round, each.branch) for each in self.frames]", "self.frames", tour
    ),
    Planted(ScenarioChoice, "put", "self._starts[key] = image.start", "pass", tour),
    Planted(StepLogs, "put", "self._logs[app] = deque(logs)", "pass", tour),
    Planted(DeletedIds, "put", "self._state.deleted[key] = image", "pass", tour),
    # what a plane takes over as a whole
    Planted(Changes, "put_new", "if self.on:", "if False:", outliving),
    Planted(Apps, "put_new", "state.waiting.put(None, image.record)", "pass", tour),
    Planted(Apps, "put_new", "state.hosts.put(key, image.hosts)", "pass", tour),
    Planted(Apps, "put_new", "state.replicas.put(key, image.lives)", "pass", tour),
    Planted(AppStore, "add_all", "index.update(entries)", "index.update(entries[1:])", tour),
    Planted(TimerQueue, "put_new", "(True, False)", "(True,)", tour),
    Planted(Reactor, "put_new", "self._choice.put(key, image.start)", "pass", tour),
    # what the plane has
    Planted(Rest, "put", "dict.fromkeys(clusters)", "{}", tour),
    Planted(Organization, "decide", "self._name = name or None", "pass", org),
    Planted(Organization, "check", "if self._configured", "if False", of_another_org),
    Planted(Keeping, "set_time", "timers.scheduled = then.scheduled", "timers.scheduled = then.scheduled + 1", tour),
    Planted(Keeping, "set_time", "timeline.seed.value = seed_of(then)", "pass", outliving),
    Planted(Keeping, "set_time", "timeline.clock.set(then.now)", "pass", tour),
    Planted(Keeping, "set_time", "* timeline.speed", "", between),
    Planted(Keeping, "set_time", "if passes else 0", "", not_between),
    # documents
    Planted(app_messages, "_record", "message.incarnation", "1", tour),
    Planted(app_messages, "_record", "message.counter", "message.counter + 1", tour),
    Planted(app_messages, "_record", "message.last_condition_bytes", "message.last_condition_bytes - 1", tour),
    Planted(app_messages, "_run", "message.drawn", "0", tour),
    Planted(app_messages, "progress_of", "place.draws", "0", tour),
    Planted(
        app_messages, "progress_of", "Frame(each.index, each.round, each.branch)", "Frame(each.index, each.round)", tour
    ),
    Planted(app_messages, "bounds_in", "state.maximum", "state.minimum", tour),
    Planted(Keeping, "take_pieces", "if key not in found.get(name, ()):", "if False:", tour),
    Planted(Keeping, "load", "check_head(document, self._name)", "pass", newer),
    # what is open
    Planted(Keeping, "end_streams", "stream.end(error)", "pass", streams),
    Planted(LeaseStream, "_current", "is timer", "is not None", late),
    Planted(Standard, "restored", "self._timeline.restored(key)", "pass", on_auto),
]
