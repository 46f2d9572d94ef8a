"""Histories: rows HI-1 (small directed races of several threads) and HI-2 (runs that are equal, on two planes).

Threads speak through the session's calls alone. Apps that are raced for are stopped: nothing but the race writes them.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.racing import calling, together
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.updates import OPENING
from flyteapps_contract.outcomes import Refused, Unjudged
from flyteapps_contract.session import (
    ACTIVE,
    NO_ANSWER,
    PENDING,
    RUN,
    SERVICE,
    STOP,
    Session,
    copy,
    preparing,
)
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.targets.target import CALL_SECONDS

RACERS = 4
ROUNDS = 4

NEAR = 1_000_000
"""Nanoseconds that times may differ by because of other apps' commits: each moves the clock by a microsecond or so."""

A = TypeVar("A")
T = TypeVar("T")


# ---- HI-1


@check("HI-1")
def one_of_racing_creates_wins(s: Session) -> None:
    """Of several Creates of one id at once one succeeds, the others are ALREADY_EXISTS; its app is what is stored."""
    for _ in range(ROUNDS):
        name = s.name()
        apps = [s.app(name, image=f"img:{racer}", state=STOP, labels={"racer": str(racer)}) for racer in range(RACERS)]
        won = _winner(together([calling(s.create, app) for app in apps]), "ALREADY_EXISTS")
        _expect_one_of(won, apps)
        expect_equal(s.get(won.metadata.id), won, "the app that is stored after the race")


@check("HI-1")
def one_of_racing_updates_with_a_revision_wins(s: Session) -> None:
    """Of several Updates with the same revision one succeeds, the others are ABORTED; the revision rises by 1."""
    app = s.given_stopped()
    for round_ in range(ROUNDS):
        sent = [_marked(app, f"{round_}.{racer}") for racer in range(RACERS)]
        won = _winner(together([calling(s.update, each) for each in sent]), "ABORTED", OPENING)
        expect_equal(won.metadata.revision, app.metadata.revision + 1, "the revision after the race")
        _expect_one_of(won, sent)
        app = s.get(app.metadata.id)
        expect_equal(app, won, "the app that is stored after the race")


@check("HI-1")
def racing_updates_without_a_revision_follow_each_other(s: Session) -> None:
    """Several Updates with revision 0 all succeed, each with a revision of its own; the last one is stored."""
    app = s.given_stopped()
    sent = [_marked(app, f"{number}", revision=0) for number in range(RACERS * ROUNDS)]
    parts = [sent[racer::RACERS] for racer in range(RACERS)]
    answers = [each for part in together([_each(s.update, part) for part in parts]) for each in part]
    revisions = sorted(each.metadata.revision for each in answers)
    first = app.metadata.revision + 1
    expect_equal(revisions, list(range(first, first + len(sent))), "the revisions of updates that raced")
    for part in zip(*[iter(answers)] * ROUNDS, strict=True):
        own = [each.metadata.revision for each in part]
        expect_equal(own, sorted(own), "the revisions that one thread's updates got")
    for answer, request in zip(answers, itertools.chain(*parts), strict=True):
        _expect_one_of(answer, [request])
    last = max(answers, key=lambda each: each.metadata.revision)
    expect_equal(s.get(app.metadata.id), last, "the app that is stored after the race")


@check("HI-1")
def no_update_is_lost(s: Session) -> None:
    """Threads that read, add one, write with the revision they read, and begin again when ABORTED, count right."""
    before = s.given_stopped(labels={"count": "0"}).metadata
    app_id = before.id

    def add() -> int:
        attempts, added = 0, 0
        while added < ROUNDS and attempts < 100 * ROUNDS:
            attempts += 1
            app = s.get(app_id)
            app.metadata.labels["count"] = str(int(app.metadata.labels["count"]) + 1)
            try:
                s.update(app)
            except Refused as error:
                if error.code != "ABORTED":
                    raise
            else:
                added += 1
        return added

    added = sum(together([add] * RACERS))
    after = s.get(app_id)
    expect_equal(after.metadata.labels["count"], str(added), f"a counter after {added} acknowledged additions")
    expect_equal(after.metadata.revision, before.revision + added, "the revision after them")


@check("HI-1")
def readers_never_go_back(s: Session) -> None:
    """Reads during writes of others show revisions that never fall, each with the spec and labels that belong to it."""
    app = s.given_stopped()
    written = threading.Event()

    def write(mark: str) -> list[model.App]:
        try:
            return [s.update(_marked(app, f"{mark}.{number}", revision=0)) for number in range(3 * ROUNDS)]
        finally:
            written.set()

    def read() -> list[model.App]:
        seen = [s.get(app.metadata.id)]
        while not written.is_set():
            seen.append(s.get(app.metadata.id))
        return [*seen, s.get(app.metadata.id)]

    first, second, *reads = together([lambda: write("a"), lambda: write("b"), read, read])
    written_apps = {each.metadata.revision: each for each in (app, *first, *second)}
    for seen in reads:
        revisions = [each.metadata.revision for each in seen]
        expect_equal(revisions, sorted(revisions), "the revisions that one reader saw")
        for each, revision in zip(seen, revisions, strict=True):
            expect_equal(each, written_apps.get(revision), f"the app that was read at revision {revision}")
    expect_equal(s.get(app.metadata.id), written_apps[max(written_apps)], "the app after all")


@check("HI-1")
def one_of_racing_deletes_wins(s: Session) -> None:
    """Of several Deletes of one app one succeeds, the others are NOT_FOUND."""
    for _ in range(ROUNDS):
        app = s.given_stopped()
        _winner(together([calling(s.delete, app.metadata.id)] * RACERS), "NOT_FOUND")
        expect(not _exists(s, app.metadata.id), "an app that was deleted in a race is still there")


@check("HI-1")
def a_delete_and_an_update_follow_each_other(s: Session) -> None:
    """If Deletes and Updates of one app race, Updates come before the one that deletes, or are NOT_FOUND."""
    for round_ in range(ROUNDS):
        app = s.given_stopped()
        sent = [_marked(app, f"{round_}.{racer}", revision=0) for racer in range(RACERS - 1)]
        calls = [*(calling(s.update, each) for each in sent), calling(s.delete, app.metadata.id)]
        *updates, deleted = together(calls)
        expect(not isinstance(deleted, Refused), f"a Delete that raced with Updates was refused with {deleted}")
        _expect_codes(updates, "NOT_FOUND")
        revisions = sorted(each.metadata.revision for each in updates if isinstance(each, model.App))
        first = app.metadata.revision + 1
        expect_equal(revisions, list(range(first, first + len(revisions))), "the revisions of updates before a Delete")
        expect(not _exists(s, app.metadata.id), "an app that was updated and deleted in a race is still there")


@check("HI-1", "DE-2")
def a_delete_and_a_start_follow_each_other(s: Session) -> None:
    """If a Delete races the Update that starts an app which was to stop: it is gone, or it runs and is not deleted."""
    cluster = Cluster(s)
    for round_ in range(ROUNDS):
        app = cluster.given(ACTIVE)
        stopping = copy(app)
        stopping.spec.desired_state = STOP
        start = _marked(s.given_update(stopping), str(round_), revision=0)
        start.spec.desired_state = RUN
        started, deleted = together([calling(s.update, start), calling(s.delete, app.metadata.id)])
        _expect_codes([started], "NOT_FOUND")
        _expect_codes([deleted], "FAILED_PRECONDITION")
        ran, went = not isinstance(started, Refused), not isinstance(deleted, Refused)
        expect(ran or went, "of a Delete and an Update of one app each says that the other came first")
        expect(not (ran and went), "an app was deleted that an Update had started, or started although it was gone")
        expect_equal(_exists(s, app.metadata.id), ran, "whether the app is there after a Delete and a start")
        if ran:
            expect_equal(s.get(app.metadata.id), started, "the app that was started")


@check("HI-1", "UP-2")
def a_report_and_an_update_follow_each_other(s: Session) -> None:
    """If a report races an Update and Lists, the app has the new spec in the end, and a condition of each."""
    cluster = Cluster(s)
    app = cluster.given(ACTIVE)
    for round_ in range(2 * ROUNDS):
        update = _marked(app, str(round_), revision=0)
        report = cluster.message(app, ACTIVE, message=f"report {round_}")
        calls = [calling(s.update, update), calling(s.update_status, report), *[calling(_listed, s)] * RACERS]
        updated, reported, *_ = together(calls)
        for answer, what in ((updated, "an Update"), (reported, "a report")):
            expect(not isinstance(answer, Refused), f"{what} that raced was refused with {answer}")
        found = s.get(app.metadata.id)
        expect_equal(found.metadata.revision, app.metadata.revision + 1, "the revision after an Update and a report")
        _expect_one_of(found, [update])
        before, after = len(app.status.conditions), [each.deployment_status for each in found.status.conditions]
        expect_equal(sorted(after[before:]), sorted([PENDING, ACTIVE]), "the conditions of an Update and a report")
        if s.capabilities.projects:
            expect_equal(_listed(s), [found], "a List after an Update, a report and a List that raced")
        app = found


@check("HI-1")
def creates_and_deletes_alternate(s: Session) -> None:
    """Creates and Deletes of one id that race succeed in turn: as many of each, one Create more if the app exists."""
    sent = s.app(state=STOP)
    app_id = sent.metadata.id
    creates = [calling(s.create, sent)] * RACERS
    deletes = [calling(s.delete, app_id)] * RACERS
    balance = 0
    for _ in range(ROUNDS):
        answers = together([call for pair in zip(creates, deletes, strict=True) for call in pair])
        created, deleted = answers[::2], answers[1::2]
        _expect_codes(created, "ALREADY_EXISTS")
        _expect_codes(deleted, "NOT_FOUND")
        balance += sum(not isinstance(each, Refused) for each in created)
        balance -= sum(not isinstance(each, Refused) for each in deleted)
        expect_equal(balance, int(_exists(s, app_id)), "successful Creates less successful Deletes")
    if balance:
        s.delete(app_id)


@check("HI-1")
def a_call_without_an_answer_happened_wholly_or_not_at_all(s: Session) -> None:
    """An Update that the client gave up on has been applied, or not: what is read is the old app or the new one."""
    app = s.given_stopped()
    for number in range(2 * ROUNDS):
        sent = _marked(app, str(number))
        try:
            s.call("Update", rpc.UpdateRequest(app=sent), rpc.UpdateResponse, seconds=0.001 * (1 + number % 3))
        except Refused as error:
            expect(error.code in NO_ANSWER, f"an Update with a short deadline ended with {error}")
        found = s.get(app.metadata.id)
        _expect_one_of(found, [app, sent])
        applied = found.metadata.labels == sent.metadata.labels
        expect_equal(found.metadata.revision, app.metadata.revision + applied, "the revision of what is read")
        try:
            app = s.update(_marked(app, f"{number}.again"))
        except Refused as error:
            # the first Update has been applied, before that read or after it
            expect(error.code == "ABORTED" and error.message.startswith(OPENING), f"the next Update ended with {error}")
            app = s.get(app.metadata.id)
            _expect_one_of(app, [sent])
        else:
            expect(not applied, "an Update that was seen has been undone: one with the old revision succeeded after it")


@check("HI-1", "CR-6")
def one_of_racing_apps_gets_the_host(s: Session) -> None:
    """Of several apps that want one host at once one gets it, the others are FAILED_PRECONDITION."""
    for round_ in range(ROUNDS):
        cname = f"{s.name()}.example.com"
        apps = [s.app(state=STOP) if racer % 2 else s.given_stopped() for racer in range(RACERS)]
        calls = [s.create if racer % 2 else s.update for racer in range(RACERS)]
        sent = [_marked(app, str(round_)) for app in apps]
        for each in sent:
            each.spec.ingress.cname = cname
        won = _winner(
            together([calling(call, each) for call, each in zip(calls, sent, strict=True)]), "FAILED_PRECONDITION"
        )
        expect_equal(s.get_by_ingress(cname_url=f"https://{cname}"), won, "the app by the host that several wanted")


# ---- HI-2


@check("HI-2", needs=("fresh", "clock"))
def equal_runs_give_equal_bytes(s: Session) -> None:
    """Two planes with one seed that get the same requests at the same virtual times give the same bytes throughout."""
    names = [s.name() for _ in range(4)]
    with _twin(s) as other:
        first, second = _bytes_of_a_run(s, names), _bytes_of_a_run(other, names)
    for what in first:
        expect_equal(len(second[what]), len(first[what]), f"the number of {what} in two equal runs")
        for place, (one, two) in enumerate(zip(first[what], second[what], strict=True)):
            kind = rpc.WatchResponse if what == "events" else rpc.GetResponse
            expect_equal(kind.FromString(two), kind.FromString(one), f"number {place} of the {what} of two equal runs")
            expect(one == two, f"number {place} of the {what} of two equal runs: equal, but serialized differently")


@check("HI-2", needs=("fresh", "clock", "cluster"))
def the_calls_of_one_app_change_no_others_fate(s: Session) -> None:
    """The same app at the same virtual times goes the same way, as fast, whatever is done to other apps meanwhile."""
    names = [s.name() for _ in range(3)]
    with _twin(s) as other:
        alone, crowded = _fates(s, names), _fates(other, names, crowd=4)
    for name in names:
        expect_equal([step for step, _ in crowded[name]], [step for step, _ in alone[name]], "the way of an app")
        for (step, one), (_, two) in zip(alone[name], crowded[name], strict=True):
            apart = abs(one - two)
            expect(apart < NEAR, f"the time from the condition before to {step} differs by {apart} ns from run to run")


# ---- races


def _each(call: Callable[[A], T], arguments: Sequence[A]) -> Callable[[], list[T]]:
    """Return the call with each argument, one after the other."""
    return lambda: [call(argument) for argument in arguments]


def _listed(s: Session) -> list[model.App]:
    """Return the first page of this session's project."""
    return list(s.list().apps)


def _winner(answers: Sequence[T | Refused], code: str, opening: str = "") -> T:
    """Return the one answer that is no refusal; the others have that code."""
    won = [each for each in answers if not isinstance(each, Refused)]
    _expect_codes(answers, code, opening)
    expect(len(won) == 1, f"of {len(answers)} calls at once {len(won)} succeeded, expected exactly one")
    return won[0]


def _expect_codes(answers: Sequence[object], code: str, opening: str = "") -> None:
    for each in answers:
        if isinstance(each, Refused):
            fits = each.code == code and each.message.startswith(opening)
            expect(fits, f"a call that lost a race: expected {code} {opening!r}, got {each}")


def _expect_one_of(found: model.App, sent: Sequence[model.App]) -> None:
    """Expect the image and the labels of one and the same request."""
    pairs = [(each.spec.container.image, dict(each.metadata.labels)) for each in sent]
    pair = (found.spec.container.image, dict(found.metadata.labels))
    expect(pair in pairs, f"image and labels should be those of one request, {pairs}, but are {pair}")


def _marked(app: model.App, mark: str, revision: int | None = None) -> model.App:
    """Return the app with an image and a label that bear the mark; with its own revision unless another is given."""
    other = copy(app)
    other.spec.container.image = f"img:{mark}"
    other.metadata.labels["mark"] = mark
    if revision is not None:
        other.metadata.revision = revision
    return other


def _exists(s: Session, app_id: model.Identifier) -> bool:
    try:
        s.get(app_id)
    except Refused as error:
        if error.code != "NOT_FOUND":
            raise
        return False
    return True


# ---- runs


def _twin(s: Session) -> Session:
    """Return a session with another plane of the same settings, in the same project."""
    other = Session(s.plane.another(), s.run)
    other.project = s.project
    return other


def _bytes_of_a_run(s: Session, names: Sequence[str]) -> dict[str, list[bytes]]:
    """Return the answers and the events of a run, as they were serialized by the plane."""
    link, answers, events = s.plane.link, list[bytes](), list[bytes]()

    def call(method: str, request: Message) -> bytes:
        # what a message doesn't know it keeps as it came: bytes as the plane wrote them
        answers.append(link.unary(SERVICE, method, request, Empty, CALL_SECONDS).SerializeToString())
        return answers[-1]

    def watch_until(name: str) -> None:
        while not events or _name_in(events[-1]) != name:
            message = stream.next(PATIENCE)
            if message is None:
                raise Unjudged("an event that should come didn't")
            events.append(message.SerializeToString())

    first, failing, late, gone = names
    with preparing("a run"):
        call("Create", rpc.CreateRequest(app=s.app("first-of-all", state=STOP)))
        stream = link.stream(SERVICE, "Watch", rpc.WatchRequest(project=s.scope()), Empty)
        watch_until("first-of-all")
        call("Create", rpc.CreateRequest(app=s.app(first, labels={f"key-{n}": str(n) for n in range(20)})))
        call("Create", rpc.CreateRequest(app=s.app(failing, labels=s.capabilities.failing)))
        call("Create", rpc.CreateRequest(app=s.app(late, state=STOP)))
        call("Create", rpc.CreateRequest(app=s.app(gone, state=STOP)))
        s.advance(0.35)
        call("Update", rpc.UpdateRequest(app=s.app(first, image="img:2"), reason="in between"))
        call("Update", rpc.UpdateRequest(app=s.app(late), reason="wanted"))
        call("Delete", rpc.DeleteRequest(app_id=s.id(gone)))
        s.advance(0.117)
        call("Create", rpc.CreateRequest(app=s.app(gone)))
        s.advance(30)
        call("Update", rpc.UpdateRequest(app=s.app(late, state=STOP)))
        s.advance(30)
        for name in names:
            call("Get", rpc.GetRequest(app_id=s.id(name)))
        call("List", rpc.ListRequest(project=s.scope()))
        call("Create", rpc.CreateRequest(app=s.app("last-of-all", state=STOP)))
        watch_until("last-of-all")
        stream.close()
    return {"answers": answers, "events": events}


def _name_in(response: bytes) -> str:
    """Return the name of the app of a WatchResponse."""
    events = rpc.WatchResponse.FromString(response)
    apps = (events.create_event.app, events.update_event.updated_app, events.delete_event.app)
    return "".join(app.metadata.id.name for app in apps)


def _fates(s: Session, names: Sequence[str], crowd: int = 0) -> dict[str, list[tuple[str, int]]]:
    """Return what became of the apps: each condition, and the nanoseconds since the one before it."""
    for name in names:
        s.given(s.app(name))
    others = [s.given() for _ in range(crowd)]
    for image in ("img:2", "img:3"):
        s.advance(0.4)
        for name in names:
            s.given_update(s.app(name, image=image))
        for other in others:
            s.given_update(s.app(other.metadata.id.name, image=image))
        if others:
            s.given_deleted(s.given())
        s.advance(30)
    fates: dict[str, list[tuple[str, int]]] = {}
    for name in names:
        conditions = s.get(s.id(name)).status.conditions
        times = [each.last_transition_time.ToNanoseconds() for each in conditions]
        gaps = [0, *(later - earlier for earlier, later in itertools.pairwise(times))]
        steps = [f"{lifecycle.text_of(each)} {each.message!r}" for each in conditions]
        fates[name] = list(zip(steps, gaps, strict=True))
    return fates
