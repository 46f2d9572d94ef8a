"""The client's reports are true of the plane, also if a network loses, repeats or cuts messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload
from hypothesis import given, settings
from hypothesis import strategies as st

from flyteapps import AppNotFound, Client, Conflict, Error, FailedPrecondition, Retries, Waits
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import SCOPE, Run
from .faults import CALL_FAULTS, OK, RESPONSE_LOST, Cut, Plan, faulty
from .messages import app, spec

IMAGES = ("example.org/app:1", "example.org/app:2", "example.org/app:3")

faults = st.lists(st.sampled_from((OK, *CALL_FAULTS, RESPONSE_LOST)), max_size=7)
cuts = st.lists(
    st.builds(
        Cut,
        st.integers(0, 5),
        st.sampled_from(("clean", "UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED")),
        st.booleans(),
    ),
    max_size=3,
)
actions = st.one_of(
    st.tuples(st.sampled_from(("create", "replace", "update")), st.sampled_from(IMAGES)),
    st.tuples(st.sampled_from(("activate", "deactivate")), st.booleans()),
    st.tuples(st.sampled_from(("ephemeral", "delete", "watch")), st.just(True)),
    st.tuples(st.just("another writer"), st.sampled_from(IMAGES)),
)
steps = st.lists(st.tuples(actions, faults, cuts), min_size=1, max_size=4)


@dataclass
class Setup:
    """A plane, a client of it behind faults, and reads of the plane without faults."""

    plane: FakeControlPlane
    client: Client
    plan: Plan
    run: Run

    @property
    def counts(self) -> bool:
        """True if the plane counts revisions."""
        return self.plane.settings.dialect == "standard"

    def stored(self) -> definition.App | None:
        """Return the app as the plane has it."""
        listed = self.plane.stub().list(payload.ListRequest())
        return listed.apps[0] if listed.apps else None

    def another_writer(self, image: str) -> None:
        """Update the app as another writer."""
        stored = self.stored()
        if stored is not None and stored.spec.container.image != image:
            stored.spec.container.image = image
            stored.metadata.revision = 0
            self.plane.stub().update(payload.UpdateRequest(app=stored, reason="somebody else"))


def content(stored: definition.App | None) -> Any:
    """Return the content that writes change, without what the plane does by itself."""
    if stored is None:
        return None
    return stored.metadata.revision, stored.spec.SerializeToString(deterministic=True), dict(stored.metadata.labels)


def perform(setup: Setup, step: tuple[str, Any]) -> None:
    """Perform one step of the client, and assert what must hold after it."""
    what, how = step
    apps, run = setup.client.apps, setup.run
    before = setup.stored()
    if what == "another writer":
        setup.another_writer(how)
        return
    try:
        if what == "create":
            made = run(apps.create, app(image=how))
            after = setup.stored()
            assert after is not None
            assert (made.revision, after.spec.container.image) == (after.metadata.revision, how)
            unchanged = before is not None and before.spec.container.image == how
            if not setup.counts:
                assert made.revision == 0
            elif before is None:
                assert made.revision == 1
            elif unchanged and made.pb2.spec == before.spec:
                assert after.metadata.revision == before.metadata.revision
            else:
                assert after.metadata.revision == before.metadata.revision + 1
        elif what == "replace":
            made = run(apps.replace, "hello", spec(how), "test")
            after = setup.stored()
            assert after is not None
            assert before is not None
            assert after.spec.container.image == how == made.pb2.spec.container.image
            assert after.metadata.revision == made.revision <= before.metadata.revision + 1
        elif what == "update":
            if before is None:
                return
            wanted = definition.App()
            wanted.CopyFrom(before)
            wanted.spec.container.image = how
            changes = before.spec.container.image != how
            made = run(apps.update, wanted, "test")
            after = setup.stored()
            assert after is not None
            if setup.counts:
                assert changes
                assert made.revision == after.metadata.revision == before.metadata.revision + 1
            elif not _should_run(before):
                how = before.spec.container.image  # an app that should not run keeps its spec there
            assert after.spec.container.image == how
        elif what == "delete":
            run(apps.delete, "hello")
            assert setup.stored() is None
        else:
            handle = run(apps.get, "hello")
            _switch(setup, handle, what, how)
    except AppNotFound:
        assert before is None
    except FailedPrecondition:
        assert what == "delete"
        assert before is not None
        assert content(setup.stored()) == content(before)
    except Conflict as error:
        # only an update that changes nothing is refused: there is no other writer at work meanwhile
        assert what == "update"
        assert not error.maybe_applied
        assert before is not None
        assert before.spec.container.image == how
    except Error as error:
        assert any(fault != OK for _, fault in setup.plan.log), (
            "nothing went wrong, and yet the client reports an error"
        )
        if not error.maybe_applied and what != "ephemeral":  # which stops the app on its way out
            assert content(setup.stored()) == content(before), "a write that surely failed has changed the app"


def _should_run(app: definition.App) -> bool:
    return app.spec.desired_state != definition.Spec.DESIRED_STATE_STOPPED


def _switch(setup: Setup, handle: Any, what: str, waits: bool) -> None:
    run = setup.run
    if what == "activate":
        run(handle.activate, wait=waits)
    elif what == "deactivate":
        run(handle.deactivate, wait=waits)
    elif what == "watch":
        target = "deactivated" if handle.desired_state == definition.Spec.DESIRED_STATE_STOPPED else "activated"
        run(handle.watch, target)
        what, waits = target, True
    else:
        entered: list[bool] = []
        run.within(handle.ephemeral_ctx_sync, handle.ephemeral_ctx, lambda: entered.append(handle.is_active()))
        assert entered == [True]
    after = setup.stored()
    assert after is not None
    assert (handle.revision, handle.pb2.spec) == (after.metadata.revision, after.spec)
    runs = _should_run(after)
    assert runs == (what in ("activate", "activated"))
    if waits:
        assert handle.is_active() if runs else handle.is_deactivated()
    if waits and setup.counts:  # without revisions the active app may be another writer's
        name = definition.Status.DeploymentStatus.Name(after.status.conditions[-1].deployment_status)
        assert name == ("DEPLOYMENT_STATUS_ACTIVE" if runs else "DEPLOYMENT_STATUS_STOPPED")


@pytest.mark.parametrize(
    "awaiting", [False, pytest.param(True, marks=pytest.mark.matrix)], ids=["blocking", "awaiting"]
)
@settings(deadline=None, max_examples=100)
@given(sequence=steps, exists=st.booleans(), attempts=st.sampled_from((1, 2, 4)))
def test_what_the_client_reports_is_true(
    dialect: str,
    awaiting: bool,
    sequence: list[tuple[tuple[str, Any], list[str], list[Cut]]],
    exists: bool,
    attempts: int,
) -> None:
    """After each step, with any faults in between, the plane is as the client says."""
    plan = Plan()
    with FakeControlPlane(dialect=dialect) as plane:
        client = Client(
            transport=faulty(plane.transport(), plan),
            retries=Retries(attempts=attempts, initial=0, maximum=0),
            waits=Waits(timeout=20, settle=0.02, poll=0.5),
            **SCOPE,
        )
        setup = Setup(plane, client, plan, Run(awaiting))
        if exists:
            client.apps.create(app(image=IMAGES[0]))
        for action, lost, ends in sequence:
            plan.calls[:], plan.cuts[:] = lost, ends
            plan.log.clear()
            perform(setup, action)
