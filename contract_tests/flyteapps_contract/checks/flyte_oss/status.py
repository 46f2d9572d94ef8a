"""An app's state in flyte-oss: rows OSS-30 to OSS-33."""

from __future__ import annotations

import re

from flyteapps_contract.checks.support.oss import changed, given_received, is_of, next_of, rests, shown, stopped, until
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import FAILED, Session, last_status, statuses

READY = ["Configuration is ready", "Service is ready", "Routes are ready"]
REASON = re.compile(r"\w+: .")


@check("OSS-30", needs=("cluster",))
def conditions_are_those_of_now(s: Session) -> None:
    """A new app has none, then PENDING, then DEPLOYING for what is ready, then three that are ACTIVE."""
    app = s.app()
    watcher = given_received(s, app.metadata.id)
    s.create(app)
    s.watch(app_id=app.metadata.id)  # a plane may wait for a client that looks after its write, which takes seconds
    seen = until(s, watcher, lambda seen: is_of(seen, app) and rests(seen.app), "the app to be active")
    shapes = list(dict.fromkeys(tuple(statuses(each.app)) for each in seen if is_of(each, app)))
    expect(() in shapes[:1], f"a new app should have no conditions at first, not {shapes[0]}")
    expect_equal(set(shapes[1]), {"PENDING"}, "the first conditions that the cluster reports")
    for shape in shapes[1:-1]:
        expect(len(shape) < len(READY), f"routes that are unknown should be left out, not be among {shape}")
        expect(set(shape) <= {"PENDING", "DEPLOYING"}, f"before an app is active it should not show {shape}")
    expect("DEPLOYING" in shapes[-2], f"what is ready before all is should be DEPLOYING, not {shapes[-2]}")
    last = seen[-1].app.status
    expect_equal([each.message for each in last.conditions], READY, "the messages of an active app")
    expect(last.current_replicas >= 1, "an active app should have a replica")


@check("OSS-30", needs=("cluster",))
def conditions_keep_their_times(s: Session) -> None:
    """An app at rest is shown with the same conditions, times included, whenever it is read."""
    app = s.given_active()
    first = shown(s, app.metadata.id)
    if s.capabilities.clock:
        s.advance(1.0)
    expect_equal(shown(s, app.metadata.id).status.conditions, first.status.conditions, "the conditions, later")
    expect_equal(app.status.conditions, first.status.conditions, "the conditions in List, and in the watch")


@check("OSS-31")
def an_update_leaves_the_conditions(s: Session) -> None:
    """The response of an update, and the next reads, show the conditions that were there."""
    app = s.given_active()
    answer = s.update(changed(app, "img:2"))
    expect_equal(answer.status.conditions, app.status.conditions, "the conditions in the response of Update")


@check("OSS-31", needs=("cluster", "failing"))
def what_will_fail_looks_active(s: Session) -> None:
    """After an update to a spec that fails the app shows ACTIVE, until the cluster has reported."""
    app = s.given_active()
    new = changed(app, "img:2")
    for key, value in s.capabilities.failing.items():
        new.metadata.labels[key] = value
    watcher = s.watch(app_id=app.metadata.id)
    next_of(s, watcher, "the snapshot")
    expect(rests(s.update(new)), "right after an update the app should look active")
    until(s, watcher, lambda seen: last_status(seen.app) == FAILED, "the failure")
    kinds = [statuses(each.app) for each in watcher.seen if each.app.spec.container.image == "img:2"]
    expect("ACTIVE" in kinds[0], f"the first event of the update should show ACTIVE, not {kinds[0]}")


@check("OSS-32", needs=("cluster", "failing"))
def a_failure_has_a_reason(s: Session) -> None:
    """An app whose service can't be ready shows FAILED conditions, each REASON: MESSAGE, and stays there."""
    app = s.given(s.app(labels=s.capabilities.failing))
    found = s.until(app.metadata.id, lambda app: set(statuses(app)) == {"FAILED"})
    expect(len(found.status.conditions) > 1, "the failure should be shown of the configuration, and of the service")
    for each in found.status.conditions:
        expect(REASON.match(each.message), f"the message of a failure should be REASON: MESSAGE, not {each.message!r}")
    expect(found.status.HasField("ingress") == app.status.HasField("ingress"), "a failed app should keep its ingress")


@check("OSS-33")
def a_stopped_app_shows_that_alone(s: Session) -> None:
    """It shows STOPPED, without an ingress, replicas or k8s_metadata, in the response of the stop and later."""
    app = s.given_active()
    new = changed(app, app.spec.container.image)
    new.spec.desired_state = stopped(s, app).spec.desired_state
    for what, found in (
        ("a stop", s.update(new)),
        ("Get", s.get(app.metadata.id)),
        ("List", shown(s, app.metadata.id)),
    ):
        expect_equal(found.spec.desired_state, new.spec.desired_state, f"the desired state in {what}")
        expect_equal(statuses(found), ["STOPPED"], f"the conditions in {what}")
        expect_equal(found.status.conditions[0].message, "App scaled to zero", f"the message in {what}")
        found.status.ClearField("conditions")
        expect_equal(found.status.ByteSize(), 0, f"the bytes of what else the status holds in {what}")


@check("OSS-33")
def a_stop_is_stamped_when_it_is_read(s: Session) -> None:
    """The time of a stopped app's condition is that of the reading."""
    app = s.given_active()
    stopped(s, app)
    times: list[int] = []
    for _ in range(2):
        times.append(shown(s, app.metadata.id).status.conditions[0].last_transition_time.ToNanoseconds())
        if s.capabilities.clock:
            s.advance(1.0)
    expect(times[0] < times[1], "the condition of a stopped app, read later, should have a later time")


@check("OSS-33")
def a_stop_stays_a_stop(s: Session) -> None:
    """A report of the cluster on a stopped app changes nothing of what is shown."""
    app = s.given_active()
    watcher = s.watch(app_id=app.metadata.id)
    next_of(s, watcher, "the snapshot")
    stopped(s, app)
    until(s, watcher, lambda seen: statuses(seen.app) == ["STOPPED"], "the stop")
    if s.capabilities.clock:
        s.advance(60.0)
    for seen in iter(watcher.poll, None):
        expect_equal(statuses(seen.app), ["STOPPED"], "the conditions of a stopped app")
    expect_equal(statuses(shown(s, app.metadata.id)), ["STOPPED"], "the conditions of a stopped app, later")
