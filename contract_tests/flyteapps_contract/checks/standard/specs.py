"""The effect of the spec: rows SP-1 to SP-5."""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support import writing
from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.checks.support.update_requests import anew, rich
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.session import (
    ACTIVE,
    DEPLOYING,
    FAILED,
    STOP,
    UNASSIGNED,
    Session,
    last_status,
    preparing,
    status_name,
)
from flyteapps_contract.streams import WatchEvent

S = model.Status
IDLE = 900.0
"""Seconds after which an app that doesn't say goes to zero."""
AROUND = 30.0
"""Seconds within which a start or a scale-down is over."""
HOURS = 6 * 3600.0


# ---- SP-1


@check("SP-1", needs=("cluster",))
def an_app_starts_with_its_least_replicas(s: Session) -> None:
    """An app starts with max(1, min) replicas; unset means from 0 to 1, and nothing is written into the spec."""
    wanted = ((None, 1), ((0, 0), 1), ((0, 3), 1), ((1, 1), 1), ((2, 5), 2))
    made = [s.given(_scaled(s, bounds)).metadata.id for bounds, _ in wanted]  # first, so that they start at once
    for app_id, (bounds, expected) in zip(made, wanted, strict=True):
        app = s.given_rest(app_id, ACTIVE)
        expect_equal(app.status.current_replicas, expected, f"the replicas of an app with bounds {bounds}")
        expect_equal(app.spec.HasField("autoscaling"), bounds is not None, "whether the spec has autoscaling")


@check("SP-1", needs=("clock", "cluster"))
def an_idle_app_goes_to_zero_after_its_time(s: Session) -> None:
    """An app goes to zero after its scaledown_period, by default 15 minutes, and not before."""
    for period in (0.0, 60.0, 7200.0):
        app = s.given_rest(s.given(_scaled(s, None if not period else (0, 2), period)).metadata.id, ACTIVE)
        wait = period or IDLE
        s.advance(wait - AROUND)
        expect_equal(s.get(app.metadata.id).status.current_replicas, 1, f"the replicas before {wait:g} s were over")
        s.advance(AROUND * 2)
        last = s.get(app.metadata.id)
        expect_equal(last.status.current_replicas, 0, f"the replicas after {wait:g} s")
        condition = last.status.conditions[-1]
        expect_equal(
            (condition.deployment_status, condition.substate),
            (ACTIVE, S.SCALED_TO_ZERO),
            "the condition of an idle app",
        )


@check("SP-1", needs=("clock", "cluster"))
def replicas_stay_within_their_bounds(s: Session) -> None:
    """While an app is ACTIVE its replicas are from min to max, whatever time passes; with a min it never is at zero."""
    writer = writing.Writer(s)
    writer.create()
    watcher = writer.opened(project=s.scope())
    bounds = {s.name(): pair for pair in ((0, 1), (1, 1), (2, 2), (1, 4), (0, 4))}
    for name, pair in bounds.items():
        s.given(_scaled(s, pair, 600.0, name))
    marker = None
    for _ in range(6):
        s.advance(HOURS / 6)
    marker = s.given(s.app(state=STOP))
    events = watcher.until(lambda seen: seen.name == marker.metadata.id.name, "the marker")
    for seen in filter(_active, events):
        if seen.name in bounds:
            least, most = bounds[seen.name]
            count = seen.app.status.current_replicas
            expect(least <= count <= most, f"an ACTIVE app with bounds ({least}, {most}) has {count} replicas")
    reached = {seen.name for seen in events if _active(seen)}
    expect_equal(sorted(bounds.keys() - reached), [], "the apps that were never ACTIVE")


@check("SP-1", needs=("cluster",))
def bounds_that_contradict_each_other_fail(s: Session) -> None:
    """With min above max the app is stored, then DEPLOYING with WEBHOOK_ERROR, then FAILED with it."""
    _expect_rejected(s, _scaled(s, (3, 2)))


@check("SP-1", needs=("cluster",))
def a_bad_quantity_fails(s: Session) -> None:
    """A resource that is no quantity: the app is stored, then DEPLOYING with WEBHOOK_ERROR, then FAILED with it."""
    for value in ("much", "1 Gi", "-1", "", "1.5.2", "10GB"):
        app = s.app()
        app.spec.container.resources.requests.add(name=3, value=value)
        _expect_rejected(s, app)


@check("SP-1", needs=("cluster",))
def a_good_quantity_does_not_fail(s: Session) -> None:
    """A quantity that Kubernetes accepts is accepted."""
    app = s.app()
    for name, value in ((1, "500m"), (1, "2"), (3, "1.5Gi"), (3, "1e9"), (4, "100k"), (5, ".5E")):
        app.spec.container.resources.requests.add(name=name, value=value)  # type: ignore[arg-type]  # an enum's value
        app.spec.container.resources.limits.add(name=name, value=value)  # type: ignore[arg-type]
    s.given_rest(s.create(app).metadata.id, ACTIVE)


@check("SP-1", needs=("cluster",))
def a_corrected_app_starts(s: Session) -> None:
    """An app that was rejected is ACTIVE after an update that corrects its spec."""
    app = s.given_rest(s.given(_scaled(s, (3, 2))).metadata.id, FAILED)
    s.update(anew(s, app))
    corrected = s.until(app.metadata.id, lambda app: last_status(app) == ACTIVE)
    expect_equal(corrected.status.current_replicas, 1, "the replicas of a corrected app")


# ---- SP-2


@check("SP-2")
def an_app_of_a_pool_that_nobody_serves_waits(s: Session) -> None:
    """If no cluster serves its pool an app stays UNASSIGNED, with a message that names the pool."""
    mine = Cluster(s)
    app = s.create(mine.app())
    if s.capabilities.clock:
        s.advance(HOURS)
    with s.unchanged(app):
        last = app.status.conditions[-1]
        expect_equal(last_status(app), UNASSIGNED, "the status of an app of a pool that nobody serves")
        expect(mine.name in last.message, f"its message should name pool {mine.name}: {last.message!r}")
    leased = mine.leases.take(1)[0]
    expect_equal(leased.metadata.id, app.metadata.id, "what the first cluster that serves the pool is leased")


@check("SP-2")
def an_app_can_leave_such_a_pool(s: Session) -> None:
    """An app that waits in vain in one pool is leased once an update moves it to another."""
    mine, other = Cluster(s), Cluster(s)
    app = s.given(mine.app())
    asked = anew(s, app)
    asked.spec.cluster_pool = other.name
    moved = s.update(asked)
    expect(other.name in moved.status.conditions[-1].message, f"the message should name pool {other.name}")
    expect_equal([each.metadata.id for each in other.leases.take(1)], [app.metadata.id], "what the other is leased")


# ---- SP-3 to SP-5


@check("SP-3")
def what_is_not_used_is_stored_as_sent(s: Session) -> None:
    """Fields without an effect in the plane, such as timeouts, links and profile, come back as they were sent."""
    app = rich(s, s.app(state=STOP), "7")
    app.spec.container.ports[0].name = "http1"  # the only names that Knative takes are http1 and h2c
    made = s.create(app)
    for field in STORED:
        expect_equal(getattr(made.spec, field), getattr(app.spec, field), f"spec.{field} as it came back from Create")
        expect_equal(getattr(s.get(made.metadata.id).spec, field), getattr(app.spec, field), f"spec.{field} in Get")


@check("SP-3")
def no_default_is_written_in(s: Session) -> None:
    """A field left out of a spec stays left out, also while the app runs."""
    app = s.app()
    made = s.create(app)
    ours = {field.name for field, _ in app.spec.ListFields()}
    for where, answer in (("the response of Create", made), ("Get", s.get(made.metadata.id))):
        written = {field.name for field, _ in answer.spec.ListFields()} - ours - {"ingress", "creator"}
        expect_equal(sorted(written), [], f"the fields that the plane wrote into a spec, in {where}")


@check("SP-4")
def inputs_are_not_resolved(s: Session) -> None:
    """Inputs that name what isn't there are stored as they were sent."""
    app = s.app(state=STOP)
    app.spec.inputs.items.add(name="text", string_value="{nothing}")
    app.spec.inputs.items.add(name="other", app_id=s.id())
    artifact = app.spec.inputs.items.add(name="data").artifact_id
    artifact.key.project, artifact.key.domain, artifact.key.name = s.project, s.domain, s.name()
    made = s.create(app)
    expect_equal(made.spec.inputs, app.spec.inputs, "the inputs as they came back")
    expect_equal(s.get(made.metadata.id).spec.inputs, app.spec.inputs, "the inputs in Get")


@check("SP-4")
def an_input_has_a_name_of_its_own(s: Session) -> None:
    """Two inputs of one name are INVALID_ARGUMENT, in Create and in Update, whatever their values are."""
    app = s.given_stopped()
    new, changed = s.app(state=STOP), anew(s, app)
    for each in (new, changed):
        each.spec.inputs.items.add(name="a", string_value="1")
        each.spec.inputs.items.add(name="b", string_value="1")
        each.spec.inputs.items.add(name="a", app_id=s.id())
    calls: dict[str, Callable[[], object]] = {"Create": lambda: s.create(new), "Update": lambda: s.update(changed)}
    with s.unchanged(app, absent=[new.metadata.id]):
        for method, call in calls.items():
            with expect_refusal("INVALID_ARGUMENT", f"{method} with two inputs of one name", says=["'a'"]):
                call()


@check("SP-5", needs=("cluster",))
def images_and_secrets_exist(s: Session) -> None:
    """An image and a secret that are unknown don't keep an app from running."""
    app = s.app(image=f"registry.invalid/{s.name()}:1")
    app.spec.security_context.secrets.add(key=s.name(), group="g")
    made = s.create(app)
    s.until(made.metadata.id, lambda app: last_status(app) in (ACTIVE, FAILED))
    last = s.get(made.metadata.id)
    if (reason := last.status.conditions[-1].message) and "has no value here" in reason:
        raise NotOffered("apps really run there, so that secrets need values")
    expect_equal(status_name(last_status(last)), "ACTIVE", "the status of an app with them")


# ---- what they share

STORED = (
    "timeouts",
    "profile",
    "links",
    "images",
    "runtime_metadata",
    "extended_resources",
    "security_context",
    "autoscaling",
    "cluster_pool",
    "cluster",
)


def _scaled(s: Session, bounds: tuple[int, int] | None, period: float = 0.0, name: str | None = None) -> model.App:
    """Return an app with these bounds, and this scaledown_period in seconds."""
    app = s.app(name)
    if bounds is not None:
        app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = bounds
        app.spec.autoscaling.replicas.SetInParent()
    if period:
        app.spec.autoscaling.scaledown_period.FromMilliseconds(round(period * 1000))
    return app


def _active(seen: WatchEvent) -> bool:
    return last_status(seen.app) == ACTIVE


def _expect_rejected(s: Session, app: model.App) -> None:
    made = s.create(app)
    expect_equal(made.spec.autoscaling, app.spec.autoscaling, "the spec of an app that can't run, as it came back")
    with preparing("waiting for what becomes of it"):
        end = s.until(made.metadata.id, lambda app: last_status(app) in (ACTIVE, FAILED))
    shown = [(each.deployment_status, each.substate) for each in end.status.conditions]
    expect_equal(shown[-2:], [(DEPLOYING, S.WEBHOOK_ERROR), (FAILED, S.WEBHOOK_ERROR)], "how such an app ends")
    expect(end.status.conditions[-1].message, "the condition of an app that was rejected doesn't say why")
