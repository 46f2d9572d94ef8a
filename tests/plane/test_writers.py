"""Writers that race in the dialect flyte-oss: each reads its service, and writes it once the time of a write is over.

No thread runs here: a write that is under way is a call that the plane has postponed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.auth import Auth, User
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, LIST, WATCH
from flyteapps_fake.flyte_oss import pending_writes

from .api import app_id, app_of, kind, new_app, statuses
from .writing import (
    ABSENT,
    CONFLICT,
    GONE,
    KNATIVE,
    PRESENT,
    Writing,
    create,
    delete,
    got,
    listed,
    made,
    plane_of,
    stop,
    update,
)

MANY = 200
"""Writes that are under way at once."""


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane whose writes take 10 s."""
    with plane_of(call_log=1_000) as fresh:
        yield fresh


class TestOutcomes:
    """Of the writers that have read one version, the first one to end has its way; the others meet it."""

    def test_a_write_shows_once_it_has_ended(self, plane: FakeControlPlane) -> None:
        """Until then neither List nor Get nor Watch has it, and its caller has no answer."""
        watch = plane.open(Call(WATCH, rpc.WatchRequest(app_id=app_id())))
        writing = create(plane)
        plane.advance(9.999)
        assert not writing.is_over and listed(plane) == [] and watch.take() is None
        plane.advance(0.001)
        assert writing.is_over and listed(plane) == ["img:1"]
        seen = watch.take()
        watch.close()
        assert seen is not None and kind(rpc.WatchResponse.FromString(seen)) == "create"
        assert writing.answer.app.spec.container.image == "img:1"

    def test_two_updates(self, plane: FakeControlPlane) -> None:
        """The one that ends later is refused in Kubernetes' words, and changes nothing."""
        made(plane)
        plane.advance(1)
        watch = plane.open(Call(WATCH, rpc.WatchRequest(app_id=app_id())))
        first = update(plane, "img:2")
        plane.advance(5)
        second = update(plane, "img:3")
        plane.advance(10)
        assert (first.outcome, second.outcome) == ("OK", CONFLICT)
        assert listed(plane) == ["img:2"]
        seen = [rpc.WatchResponse.FromString(each) for each in iter(watch.take, None)]
        watch.close()
        assert [app_of(each).spec.container.image for each in seen] == ["img:1", "img:2"]

    def test_an_update_after_another_one_is_taken(self, plane: FakeControlPlane) -> None:
        """One that begins once the other has ended has read its version."""
        made(plane)
        for image in ("img:2", "img:3"):
            writing = update(plane, image)
            plane.advance(10)
            assert writing.outcome == "OK"
        assert listed(plane) == ["img:3"]

    @pytest.mark.parametrize("second", [create, update])
    def test_two_creates(self, plane: FakeControlPlane, second: Callable[..., Writing]) -> None:
        """The one that ends later finds the app there, which it had read as absent; an Update creates, too."""
        first, other = create(plane, "img:1"), None
        plane.advance(1)
        other = second(plane, "img:2")
        plane.advance(10)
        assert (first.outcome, other.outcome) == ("OK", PRESENT)
        assert listed(plane) == ["img:1"]

    def test_an_invalid_write_that_meets_another(self, plane: FakeControlPlane) -> None:
        """A new app is validated before its name is found taken, a changed one after its version was compared."""
        first = create(plane, "img:1")
        plane.advance(1)
        invalid = create(plane, "Img")
        plane.advance(10)
        assert first.outcome == "OK"
        assert "failed to create KService demo-proj-dev: admission webhook " in invalid.outcome
        second = update(plane, "img:2")
        plane.advance(1)
        invalid = update(plane, "Img")
        plane.advance(10)
        assert second.outcome == "OK" and invalid.outcome == CONFLICT
        assert listed(plane) == ["img:2"]

    @pytest.mark.parametrize("write", [create, update])
    def test_a_deletion_meanwhile(self, plane: FakeControlPlane, write: Callable[..., Writing]) -> None:
        """A write of an app that was read, and is gone at its end, isn't made; the deletion is OK."""
        made(plane)
        deletion = delete(plane)
        plane.advance(1)
        writing = write(plane, "img:2")
        plane.advance(10)
        assert (deletion.outcome, writing.outcome) == ("OK", ABSENT)
        assert listed(plane) == []

    def test_an_app_that_was_created_anew_meanwhile(self, plane: FakeControlPlane) -> None:
        """A write of an app that isn't the one that was read is refused by its UID."""
        before = create(plane, "img:1")
        plane.advance(1)
        deletion = delete(plane)
        plane.advance(1)
        anew = create(plane, "img:3")  # the app is still absent
        plane.advance(8)
        writing = update(plane, "img:2")
        plane.advance(1)
        assert listed(plane) == []
        plane.advance(10)
        assert [each.outcome for each in (before, deletion, anew)] == ["OK"] * 3
        assert writing.outcome.startswith(
            f"INTERNAL: failed to update KService demo-proj-dev: Operation cannot be fulfilled on {KNATIVE}: "
            "StorageError: invalid object, Code: 4, Key: /registry/serving.knative.dev/services/flyte/demo-proj-dev, "
            "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: "
        )
        assert listed(plane) == ["img:3"]

    def test_a_stop_has_no_condition(self, plane: FakeControlPlane) -> None:
        """It is taken after another write; an update that has read the version before it is refused."""
        made(plane)
        first = update(plane, "img:2")
        plane.advance(1)
        stopping = stop(plane)
        plane.advance(1)
        last = update(plane, "img:3")
        plane.advance(10)
        assert [each.outcome for each in (first, stopping, last)] == ["OK", "OK", CONFLICT]
        assert statuses(got(plane)) == ["STOPPED"] and listed(plane) == ["img:2"]

    def test_a_stop_of_what_is_gone(self, plane: FakeControlPlane) -> None:
        """It writes nothing, and finds no status to return."""
        made(plane)
        deletion = delete(plane)
        plane.advance(1)
        stopping = stop(plane)
        plane.advance(10)
        assert (deletion.outcome, stopping.outcome) == ("OK", GONE)

    def test_an_unchanged_spec_is_not_written(self, plane: FakeControlPlane) -> None:
        """It is answered at once, meets nothing, and nothing meets it."""
        made(plane)
        writing = update(plane, "img:2")
        for same in (create(plane), update(plane, "img:1")):
            assert same.postponed is None and same.outcome == "OK"
        plane.advance(10)
        assert writing.outcome == "OK"

    def test_the_operators_report_meanwhile(self) -> None:
        """Its write of the status is another version, too."""
        with plane_of(report_seconds=15) as plane:
            made(plane)
            plane.advance(10)
            writing = update(plane, "img:2")
            plane.advance(10)
            assert writing.outcome == CONFLICT
            again = update(plane, "img:2")
            plane.advance(10)
            assert again.outcome == "OK"

    def test_other_apps_are_not_met(self, plane: FakeControlPlane) -> None:
        """Of many writes under way at once those of different apps are all taken, of those of one app just one is."""
        apart = [create(plane, name=f"app-{number}") for number in range(MANY)]
        together = [create(plane, f"img:{number}") for number in range(MANY)]
        plane.advance(10)
        assert {each.outcome for each in apart} == {"OK"}
        outcomes = [each.outcome for each in together]
        assert outcomes.count("OK") == 1 and outcomes.count(PRESENT) == MANY - 1


class TestSameInstant:
    """The seed decides the order of the writes of a service that end at the same instant."""

    @staticmethod
    def winner(seed: int, *, backwards: bool = False) -> str:
        """Return the image of the one of two updates that was taken."""
        with plane_of(seed=seed) as plane:
            made(plane)
            images = ["img:3", "img:2"] if backwards else ["img:2", "img:3"]
            outcomes = {image: update(plane, image) for image in images}
            plane.advance(10)
            assert sorted(each.outcome for each in outcomes.values()) == [CONFLICT, "OK"]
            assert outcomes[listed(plane)[0]].outcome == "OK"
            return listed(plane)[0]

    def test_it_is_drawn_from_the_seed(self) -> None:
        """The order in which the calls came doesn't count, and each of them wins with some seeds."""
        winners = [self.winner(seed) for seed in range(8)]
        assert winners == [self.winner(seed, backwards=True) for seed in range(8)]
        assert set(winners) == {"img:2", "img:3"}

    def test_an_update_finds_its_app_gone(self) -> None:
        """It reads the status after the other writes of the instant: a deletion after it leaves nothing to return."""
        outcomes: set[tuple[str, str]] = set()
        for seed in range(8):
            with plane_of(seed=seed) as plane:
                made(plane)
                writing, deletion = update(plane, "img:2"), delete(plane)
                plane.advance(10)
                outcomes.add((writing.outcome, deletion.outcome))
                assert listed(plane) == []
        assert outcomes == {(GONE, "OK"), (ABSENT, "OK")}


class TestStaleAnswers:
    """A Get that has read the app while it was written may cache its answer after the write has dropped the key."""

    @staticmethod
    def stale(plane: FakeControlPlane, rounds: int) -> list[int]:
        """Return the rounds of an update with a Get beside it after which Get had the app before it."""
        made(plane)
        found: list[int] = []
        for number in range(rounds):
            writing = update(plane, f"img:{number + 2}")
            got(plane)
            plane.advance(10)
            assert writing.outcome == "OK"
            if got(plane).spec.container.image != f"img:{number + 2}":
                found.append(number)
                assert listed(plane) == [f"img:{number + 2}"]
                plane.advance(29)
                assert got(plane).spec.container.image == f"img:{number + 1}"
                plane.advance(1.1)
                assert got(plane).spec.container.image == f"img:{number + 2}"
            plane.advance(31)
        return found

    def test_it_is_drawn_from_the_seed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It happens once in 300 updates with a Get beside them, and lasts 30 s."""
        assert pending_writes.STALE_ANSWER_ODDS == 1 / 300
        monkeypatch.setattr(pending_writes, "STALE_ANSWER_ODDS", 1 / 10)
        with plane_of(seed=1) as plane, plane_of(seed=1) as twin:
            found = self.stale(plane, 60)
            assert 1 <= len(found) <= 20
            assert found == self.stale(twin, 60)

    def test_on_demand(self) -> None:
        """A rule for stale reads shows the same whenever a test wants it."""
        with plane_of(write_seconds=0) as plane:
            assert create(plane).outcome == "OK"
            plane.advance(1)
            plane.faults.stale("Get", app="demo", age=30, lifetime=30)
            assert update(plane, "img:2").outcome == "OK"
            assert got(plane).spec.container.image == "img:1" and listed(plane) == ["img:2"]
            plane.advance(31)
            assert got(plane).spec.container.image == "img:2"

    def test_a_get_before_it_counts_for_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An answer that was cached before the write began is dropped by it, whatever is drawn."""
        monkeypatch.setattr(pending_writes, "STALE_ANSWER_ODDS", 1)
        with plane_of() as plane:
            made(plane)
            got(plane)
            writing = update(plane, "img:2")
            got(plane)
            plane.advance(10)
            assert writing.outcome == "OK" and got(plane).spec.container.image == "img:2"

    def test_a_later_write_drops_it_for_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A Get that was answered before another write began is in flight no more, whatever ends later."""
        monkeypatch.setattr(pending_writes, "STALE_ANSWER_ODDS", 1)
        written = 0
        for seed in range(8):
            with plane_of(seed=seed) as plane:
                made(plane)
                stopping = stop(plane)
                got(plane)
                writing = update(plane, "img:2")  # they end at the same instant, in an order drawn from the seed
                plane.advance(10)
                assert stopping.outcome == "OK"
                if writing.outcome == "OK":  # it was the first
                    assert got(plane).spec.desired_state == Spec.DESIRED_STATE_STOPPED
                    written += 1
        assert written

    def test_a_write_of_nothing_drops_it_for_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So does an Update that changes nothing, and is over at once."""
        monkeypatch.setattr(pending_writes, "STALE_ANSWER_ODDS", 1)
        with plane_of() as plane:
            made(plane)
            stopping = stop(plane)
            got(plane)
            assert update(plane, "img:1").outcome == "OK"
            plane.advance(10)
            assert stopping.outcome == "OK" and got(plane).spec.desired_state == Spec.DESIRED_STATE_STOPPED

    def test_a_refused_write_drops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The answer that Get cached during a write that was refused stays, and another isn't stored."""
        monkeypatch.setattr(pending_writes, "STALE_ANSWER_ODDS", 1)
        with plane_of() as plane:
            made(plane)
            first, second = update(plane, "img:2"), update(plane, "img:3")
            got(plane)
            plane.advance(10)
            assert sorted((first.outcome, second.outcome)) == [CONFLICT, "OK"]
            assert got(plane).spec.container.image == "img:1"


class TestFaults:
    """A call with faults begins its write once they let it, and the log has its end."""

    def test_a_delay_comes_first(self, plane: FakeControlPlane) -> None:
        """The service is read after the delay."""
        made(plane)
        plane.faults.delay("Update", seconds=5)
        writing = update(plane, "img:2")
        plane.advance(4)
        plane.faults.clear()
        other = update(plane, "img:3")
        plane.advance(1)
        assert not writing.is_over  # it is under way from now on
        plane.advance(9)
        assert other.outcome == "OK"
        plane.advance(1)
        assert writing.outcome == CONFLICT

    def test_a_lost_answer(self, plane: FakeControlPlane) -> None:
        """The write is made in its time, and answered with the fault's error then."""
        plane.faults.fail("Create", code="UNAVAILABLE", applied=True)
        writing = create(plane)
        plane.advance(9)
        assert not writing.is_over and listed(plane) == []
        plane.advance(1)
        assert writing.outcome.startswith("UNAVAILABLE") and listed(plane) == ["img:1"]
        [record] = plane.calls.list("Create")
        assert record.code == "UNAVAILABLE"

    def test_the_log_has_the_end_of_a_write(self, plane: FakeControlPlane) -> None:
        """Its answer, or its refusal, and what it has changed."""
        made(plane)
        first, second = update(plane, "img:2"), update(plane, "img:3")
        assert [each.code for each in plane.calls.list("Update")] == ["", ""]
        plane.advance(10)
        outcomes = [first.outcome, second.outcome]
        codes = [each.code for each in plane.calls.list("Update")]
        assert codes == ["OK" if each == "OK" else "INTERNAL" for each in outcomes]


class TestEndings:
    """A write whose client leaves is made; one under way as the state changes, or the plane goes, isn't."""

    def test_a_client_that_leaves(self, plane: FakeControlPlane) -> None:
        """It was on its way to the cluster: it is made, and the log says what happened."""
        writing = create(plane)
        assert writing.postponed is not None
        writing.postponed.abandon()
        plane.advance(10)
        assert listed(plane) == ["img:1"]
        [record] = plane.calls.list("Create")
        assert record.code == "CANCELED"

    def test_a_reset(self, plane: FakeControlPlane) -> None:
        """The write is refused, and doesn't happen in the new state."""
        writing = create(plane)
        plane.reset()
        assert writing.outcome.startswith("UNAVAILABLE: the plane was reset")
        plane.advance(20)
        assert listed(plane) == []

    def test_a_restore(self, plane: FakeControlPlane) -> None:
        """The write is refused, and doesn't happen in the state of then; one of its own begins anew."""
        plane.snapshot("empty")
        left, writing = create(plane), update(plane, "img:2")
        del left
        plane.restore("empty")
        assert writing.outcome.startswith("UNAVAILABLE: the plane was restored")
        plane.advance(20)
        assert listed(plane) == []
        made(plane)

    def test_a_closed_plane(self) -> None:
        """The write is refused, and isn't made."""
        plane = plane_of()
        writing = create(plane)
        plane.close()
        assert writing.outcome.startswith("UNAVAILABLE")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
    def test_a_forked_child(self, plane: FakeControlPlane) -> None:
        """It has the plane without the writes of its parent's callers, and can write; the parent's go on."""
        writing = create(plane)
        child = os.fork()
        if not child:
            code = 1
            try:
                plane.advance(20)
                if listed(plane) == []:
                    made(plane, "img:child")
                    code = 0 if listed(plane) == ["img:child"] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        plane.advance(10)
        assert writing.outcome == "OK" and listed(plane) == ["img:1"]

    def test_a_caller_with_credentials(self) -> None:
        """Rights are checked as the write begins; it ends as that caller's, also if others call meanwhile."""
        auth = Auth(users=[User("ann", "contributor", ["proj"]), User("vera")])
        with plane_of(auth=auth, call_log=100) as plane:
            ann, vera = ({"authorization": f"Bearer {plane.token(each)}"} for each in ("ann", "vera"))
            request = rpc.CreateRequest(app=new_app())
            with pytest.raises(RpcError, match="PERMISSION_DENIED"):
                plane.call(Call(CREATE, request, vera))
            with pytest.raises(Postponed) as begun:
                plane.call(Call(CREATE, request, ann))
            plane.call(Call(LIST, rpc.ListRequest(), vera))
            plane.advance(10)
            assert begun.value.left() == 0 and begun.value.resume()
            assert [(each.caller, each.code) for each in plane.calls.list("Create")] == [
                ("vera", "PERMISSION_DENIED"),
                ("ann", "OK"),
            ]

    def test_it_is_among_the_waits(self, plane: FakeControlPlane) -> None:
        """Its wait is explained, with the time at which it ends, as that of any call that is answered later."""
        writing = create(plane)
        [wait] = plane.clock.why()
        assert wait.text == (
            "Create of proj/dev/demo (by direct, since 2026-01-01 00:00:00.000) waits for the end of its write: "
            "a client's write ends in 10s (2026-01-01 00:00:10.000)"
        )
        plane.advance(10)
        assert writing.outcome == "OK"
        assert all("Create" not in each.text for each in plane.clock.why())
