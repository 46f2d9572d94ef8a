"""Pods in flyte-oss: the hash of their maps, row OSS-45."""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.oss import next_of, resource, rests, shown, silent
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import Session, copy, preparing, statuses
from flyteapps_contract.streams import Watcher

LABELS = 20
"""Entries of a map that practically never has the same order twice."""
WRITES = 4


def pod_app(s: Session, image: str = "img:1") -> model.App:
    """Return a small app with a pod, no map of which has two entries."""
    app = s.app()
    app.spec.pod.pod_spec.update({"containers": [{"image": image}]})
    return app


def _given_watched(s: Session, app: model.App) -> tuple[model.App, Watcher]:
    """Return the app once it is active, and a watch of it whose snapshot was read."""
    s.given(app)
    with preparing("waiting for an app with a pod"):
        active = s.until(app.metadata.id, rests)
        watcher = s.watch(app_id=app.metadata.id)
        next_of(s, watcher, "the snapshot")
    return active, watcher


def _labelled(s: Session) -> model.App:
    app = pod_app(s)
    app.spec.pod.metadata.labels.update({f"label-{number}": "x" for number in range(LABELS)})
    return app


@check("OSS-45", needs=("cluster",))
def a_pod_of_large_maps_is_written_though_unchanged(s: Session) -> None:
    """Create and Update of a pod with the stored spec and 20 labels are events that show no change, and no restart."""
    before, watcher = _given_watched(s, _labelled(s))
    sent = copy(before)
    sent.ClearField("status")
    for number, write in enumerate((s.create, s.update) * (WRITES // 2)):
        expect_equal(write(sent).spec, before.spec, "the spec in the response to a write of an unchanged pod")
        seen = next_of(s, watcher, f"the event of unchanged write {number + 1}")
        expect_equal(seen.kind, "update", "the event of a write of an unchanged pod")
        expect_equal(seen.app.spec, before.spec, "the spec in the event of a write of an unchanged pod")
        expect_equal(seen.app.status.conditions, before.status.conditions, "the conditions after an unchanged write")
    silent(s, watcher)
    found = shown(s, before.metadata.id)
    expect_equal(set(statuses(found)), {"ACTIVE"}, "the statuses of a pod that was written unchanged")


@check("OSS-45", needs=("cluster",))
def a_pod_written_unchanged_has_the_new_org(s: Session) -> None:
    """A write of an unchanged pod stores the org that it was sent with."""
    before, _ = _given_watched(s, _labelled(s))
    sent = copy(before)
    sent.ClearField("status")
    sent.metadata.id.org = "elsewhere"
    s.update(sent)
    expect_equal(shown(s, before.metadata.id).metadata.id.org, "elsewhere", "the org after an unchanged write")


@check("OSS-45", needs=("cluster",))
def a_pod_of_one_entry_a_map_is_not_written(s: Session) -> None:
    """A pod none of whose maps has two entries is like a container: with the stored spec nothing is written."""
    before, watcher = _given_watched(s, pod_app(s))
    _stays_silent(s, before, watcher, s.create)
    _stays_silent(s, before, watcher, s.update)


def _stays_silent(s: Session, before: model.App, watcher: Watcher, write: Callable[[model.App], model.App]) -> None:
    sent = copy(before)
    sent.ClearField("status")
    sent.metadata.id.org = "elsewhere"
    for _ in range(WRITES):
        write(sent)
    silent(s, watcher)
    expect(shown(s, before.metadata.id) == before, f"{resource(before.metadata.id)} changed by unchanged writes")
