"""Update, what becomes of the app: rows UP-5 to UP-7.

A check that has to stop an app half way needs a clock that can be moved; the others live with apps that move by
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.checks.support.update_requests import anew
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.updates import appended
from flyteapps_contract.outcomes import Unjudged
from flyteapps_contract.session import (
    ACTIVE,
    ASSIGNED,
    DEPLOYING,
    FAILED,
    PENDING,
    REST,
    RUN,
    STARTED,
    STOP,
    STOPPED,
    UNASSIGNED,
    UNSPECIFIED,
    Session,
    last_status,
    preparing,
    status_name,
    statuses,
)

MOMENT = 0.1
"""Virtual seconds: a deployment takes several."""
LONG = 30.0
"""Virtual seconds: a deployment takes fewer, an idle app isn't scaled down yet."""
MOMENTS = (0, 1, 3, 6)
"""The times at which an update comes between: after so many moments, or events, of a deployment."""


# ---- UP-5


@check("UP-5")
def an_app_without_a_cluster_is_stopped_at_once(s: Session) -> None:
    """An update that wants STOPPED of an app that no cluster has appends STOPPED, stopped before or UNASSIGNED."""
    for app in (s.given_stopped(), _given_unassigned(s)):
        _updated(s, app, state=STOP)


@check("UP-5", needs=("cluster",))
def an_app_that_was_released_is_stopped_at_once(s: Session) -> None:
    """So it is where a cluster had the app and gave it back."""
    app = s.given_active()
    app = s.given_rest(s.given_update(anew(s, app, state=STOP)).metadata.id, STOPPED)
    _updated(s, app, state=STOP)


@check("UP-5")
def an_unassigned_app_stays_unassigned(s: Session) -> None:
    """An update of an app that waits for a cluster appends nothing."""
    app = _given_unassigned(s)
    for number in range(2):
        app = _updated(s, app, image=f"img:2.{number}")
        expect_equal(last_status(app), UNASSIGNED, "the last status of an app that waits for a cluster")


@check("UP-5", needs=("clock", "cluster"))
def an_assigned_app_stays_assigned(s: Session) -> None:
    """An update of an app that its cluster hasn't acknowledged yet appends nothing; it still ends in ACTIVE."""
    app = s.given()
    if last_status(app) not in (UNASSIGNED, ASSIGNED):
        raise Unjudged(f"a new app is already {status_name(last_status(app))}")
    app = _updated(s, app, image="img:2")
    app = _updated(s, app, image="img:3")
    _expect_end(s, app, ACTIVE)


@check("UP-5", needs=("clock", "cluster"))
def an_assigned_app_is_stopped_by_its_cluster(s: Session) -> None:
    """An app that has a cluster and is stopped before it is acknowledged is PENDING, then STOPPED."""
    app = s.given()
    _expect_end(s, _updated(s, app, state=STOP), STOPPED)


@check("UP-5", needs=("cluster",))
def a_new_revision_of_an_active_app_is_pending(s: Session) -> None:
    """Any update of an ACTIVE app appends PENDING, and the app is ACTIVE again by legal moves."""
    app = s.given_active()
    for change in ({"image": "img:2"}, {"image": "img:2", "labels": {"a": "b"}}, {"image": "img:2", "state": STARTED}):
        app = _expect_end(s, _updated(s, app, **change), ACTIVE)


@check("UP-5", needs=("clock", "cluster"))
def a_new_revision_on_the_way_is_pending(s: Session) -> None:
    """An update of an app that is PENDING or DEPLOYING appends PENDING, and the app ends in ACTIVE."""
    for wanted in (PENDING, DEPLOYING):
        app = _given_on_the_way(s, s.given(), wanted)
        _expect_end(s, _updated(s, app, image="img:2"), ACTIVE)


@check("UP-5", needs=("cluster", "failing"))
def a_new_revision_can_fail_and_recover(s: Session) -> None:
    """An update to what can't be deployed appends PENDING and ends in FAILED; the next ends in ACTIVE again."""
    app = s.given_active()
    app = _expect_end(s, _updated(s, app, labels=s.capabilities.failing), FAILED)
    app = _expect_end(s, _updated(s, app, image="img:2", labels=s.capabilities.failing), FAILED)
    _expect_end(s, _updated(s, app, image="img:2"), ACTIVE)


@check("UP-5", needs=("cluster",))
def an_active_app_is_stopped_by_its_cluster(s: Session) -> None:
    """An ACTIVE app that is stopped is PENDING, then STOPPED with 0 replicas."""
    app = _updated(s, s.given_active(), state=STOP)
    app = _expect_end(s, app, STOPPED)
    expect_equal(app.status.current_replicas, 0, "the replicas of a stopped app")


@check("UP-5", needs=("cluster", "failing"))
def a_failed_app_is_stopped_by_its_cluster(s: Session) -> None:
    """A FAILED app that is stopped is PENDING, then STOPPED with 0 replicas."""
    app = s.given_rest(s.given(s.app(labels=s.capabilities.failing)).metadata.id, FAILED)
    app = _expect_end(s, _updated(s, app, state=STOP), STOPPED)
    expect_equal(app.status.current_replicas, 0, "the replicas of a stopped app")


@check("UP-5", needs=("clock", "cluster"))
def an_app_on_the_way_is_stopped_by_its_cluster(s: Session) -> None:
    """An app that is stopped while PENDING or DEPLOYING is PENDING, then STOPPED with 0 replicas."""
    for wanted in (PENDING, DEPLOYING):
        app = _given_on_the_way(s, s.given(), wanted)
        app = _expect_end(s, _updated(s, app, state=STOP), STOPPED)
        expect_equal(app.status.current_replicas, 0, "the replicas of a stopped app")


@check("UP-5", needs=("cluster",))
def three_words_mean_run(s: Session) -> None:
    """UNSPECIFIED, STARTED and ACTIVE each start a stopped app: PENDING, then ACTIVE."""
    started = [_updated(s, s.given_stopped(), state=state) for state in (UNSPECIFIED, STARTED, RUN)]
    for app in started:
        _expect_end(s, app, ACTIVE)


# ---- UP-6


@check("UP-6")
def the_reason_is_in_the_condition_of_a_stopped_app(s: Session) -> None:
    """The reason of an update, up to 100 characters of any kind, is in the message of the condition that it appends."""
    app = s.given_stopped()
    for number, reason in enumerate(("cheaper at night", "{0} %s \\n 'x'", "ü" * 100, "r" * 100)):
        after = s.update(anew(s, app, image=f"img:2.{number}"), reason)
        _expect_reason(app, after, reason)
        _expect_reason(app, s.get(app.metadata.id), reason)
        app = after
    after = s.update(anew(s, app, state=RUN), "wanted again")
    _expect_reason(app, after, "wanted again")


@check("UP-6", needs=("cluster",))
def the_reason_is_in_the_condition_of_a_running_app(s: Session) -> None:
    """The reasons of a redeployment and of a stop are in the messages of their PENDING conditions, and stay there."""
    app = s.given_active()
    after = s.update(anew(s, app, image="img:2"), "a new image")
    _expect_reason(app, after, "a new image")
    app = s.given_rest(app.metadata.id, ACTIVE)
    after = s.update(anew(s, app, image="img:2", state=STOP), "not needed")
    _expect_reason(app, after, "not needed")
    with preparing("waiting for STOPPED"):
        _expect_reason(app, s.given_rest(app.metadata.id, STOPPED), "not needed")


# ---- UP-7


@check("UP-7", needs=("cluster", "failing"))
def a_failure_under_way_is_cancelled(s: Session) -> None:
    """An app that was about to fail and is updated to a sound one never shows FAILED afterwards, at whatever point."""
    apps: list[model.App] = []
    for moments in MOMENTS:
        app = _moved(s, s.given(s.app(labels=s.capabilities.failing)), moments)
        apps.append(s.given_update(anew(s, app)))
    _expect_only(s, apps, (PENDING, DEPLOYING, ACTIVE))


@check("UP-7", needs=("cluster", "failing"))
def a_success_under_way_is_cancelled(s: Session) -> None:
    """An app that was about to be ACTIVE and is updated to one that fails never shows ACTIVE afterwards."""
    apps: list[model.App] = []
    for moments in MOMENTS:
        app = _moved(s, s.given(), moments)
        apps.append(s.given_update(anew(s, app, labels=s.capabilities.failing)))
    _expect_only(s, apps, (PENDING, DEPLOYING, FAILED))


@check("UP-7", needs=("cluster",))
def a_start_under_way_is_cancelled_by_a_stop(s: Session) -> None:
    """An app that is stopped on its way up shows PENDING and STOPPED afterwards, and nothing of the start."""
    apps: list[model.App] = []
    for moments in MOMENTS:
        app = _moved(s, s.given(), moments)
        apps.append(s.given_update(anew(s, app, state=STOP)))
    _expect_only(s, apps, (PENDING, STOPPED))


@check("UP-7", needs=("cluster",))
def a_stop_under_way_is_cancelled_by_a_start(s: Session) -> None:
    """An app that is started again while it stops never shows STOPPED afterwards."""
    app = s.given_active()
    app = _moved(s, s.given_update(anew(s, app, state=STOP)), 1)
    _expect_only(s, [s.given_update(anew(s, app, state=RUN))], (PENDING, DEPLOYING, ACTIVE))


@check("UP-7", needs=("cluster",))
def a_deployment_under_way_is_replaced_by_the_next(s: Session) -> None:
    """Of several updates in a row only the last one's deployment is seen: by legal moves to ACTIVE, then nothing."""
    app = s.given()
    for number, moments in enumerate((*MOMENTS, 0)):
        app = s.given_update(anew(s, _moved(s, app, moments), image=f"img:{number}.new"))
    _expect_only(s, [app], (PENDING, DEPLOYING, ACTIVE))
    since = _since(app, s.get(app.metadata.id))
    violation = lifecycle.violation(since, stopping=False)
    expect(not violation, violation)
    times = [each.deployment_status for each in since].count(ACTIVE)
    expect_equal(times, 1, "how often the last revision became ACTIVE")


# ---- expectations


def _new(before: model.App, after: model.App) -> Sequence[model.Condition]:
    """Return the conditions that were appended since."""
    return after.status.conditions[len(before.status.conditions) :]


def _updated(s: Session, app: model.App, **options: Any) -> model.App:
    """Return the app after an update to these options, which appended what the oracle says and no more before it."""
    sent = anew(s, app, **options)
    if app.spec.cluster_pool:
        sent.spec.cluster_pool = app.spec.cluster_pool
    if not options.keys() & {"image", "labels"}:
        sent.spec.container.image = f"img:{app.metadata.revision}.new"  # so that something changes in any case
    expected = appended(app, sent.spec.desired_state)
    after = s.update(sent)
    came = _new(app, after)
    was = status_name(last_status(app))
    if expected is None:
        expect(not came, f"an update of an app that is {was} should append no condition, but {statuses(after)} came")
        return after
    expect(came, f"an update of an app that is {was} should append {status_name(expected)}, but none came")
    expect_equal(status_name(came[0].deployment_status), status_name(expected), f"the condition appended to {was}")
    violation = lifecycle.violation(_since(app, after)[:2], renewed=True, stopping=sent.spec.desired_state == STOP)
    expect(not violation, violation)
    return after


def _since(app: model.App, later: model.App) -> Sequence[model.Condition]:
    """Return the later one's conditions from the last one of `app` on."""
    return later.status.conditions[len(app.status.conditions) - 1 :]


def _expect_end(s: Session, app: model.App, status: int) -> model.App:
    """Return the app at rest, with that status, reached by legal moves from `app` on."""
    rest = s.until(app.metadata.id, lambda now: last_status(now) in REST)
    expect_equal(status_name(last_status(rest)), status_name(status), "where the app ends")
    violation = lifecycle.violation(_since(app, rest), stopping=rest.spec.desired_state == STOP)
    expect(not violation, violation)
    misfit = lifecycle.misfit(_since(app, rest))
    expect(not misfit, f"a condition whose substate doesn't qualify its status: {misfit}")
    return rest


def _expect_only(s: Session, apps: Sequence[model.App], allowed: Sequence[int]) -> None:
    """After their updates, `apps` showed only statuses that are allowed, and long after it they are at the last."""
    for app in apps:
        s.until(app.metadata.id, lambda now: last_status(now) in REST)
    if s.capabilities.clock:
        s.advance(LONG)
    else:
        s.given_active()  # takes as long as what was cancelled would have
    words = ", ".join(map(status_name, allowed))
    for app in apps:
        later = s.get(app.metadata.id)
        for condition in _since(app, later):
            # the first two are of an app that no cluster had acknowledged before the update
            fits = condition.deployment_status in (UNASSIGNED, ASSIGNED, *allowed)
            expect(fits, f"after an update that leads to {words} alone came {lifecycle.text_of(condition)}")
        expect_equal(status_name(last_status(later)), status_name(allowed[-1]), "the status long after the update")


def _expect_reason(before: model.App, after: model.App, reason: str) -> None:
    came = _new(before, after)
    if not came:
        raise Unjudged("the update appended no condition")
    expect(reason in came[0].message, f"the condition's message should hold {reason!r}: {came[0].message!r}")


# ---- preparation


def _given_unassigned(s: Session) -> model.App:
    """Return an app that stays UNASSIGNED, for no cluster serves its pool."""
    s.require_pools()
    app = s.app()
    app.spec.cluster_pool = f"nobody-serves-{app.metadata.id.name}"
    app = s.given(app)
    if last_status(app) != UNASSIGNED or app.status.assigned_cluster:
        raise Unjudged("an app for a pool that nobody serves isn't UNASSIGNED")
    return app


def _given_on_the_way(s: Session, app: model.App, wanted: int) -> model.App:
    """Return the app when it has that status, on a clock that can be moved."""
    for _ in range(int(LONG / MOMENT)):
        if last_status(app) == wanted:
            return app
        s.advance(MOMENT / 2)
        app = s.get(app.metadata.id)
    raise Unjudged(f"an app that starts was never seen {status_name(wanted)}")


def _moved(s: Session, app: model.App, moments: int) -> model.App:
    """Return the app after so many moments, or after so many events where time can't be moved; earlier if at rest."""
    if s.capabilities.clock:
        s.advance(moments * MOMENT)
        return s.get(app.metadata.id)
    with preparing("watching an app that moves"):
        watcher = s.watch(app_id=app.metadata.id)
        for _ in range(1 + min(moments, 3)):  # later ones would find it at rest
            app = watcher.next().app
            if last_status(app) in REST:
                break
        watcher.close()
    return app
