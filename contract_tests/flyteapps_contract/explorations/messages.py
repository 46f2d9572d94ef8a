"""Messages that are drawn from the rules of the .proto files: valid ones are taken, one step beyond a rule is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message
from hypothesis import strategies as st

from flyteapps_contract.explorations.exercised import exercised
from flyteapps_contract.explorations.search import Exploration, Finding, Kept, PassedOver, SearchOptions, draw
from flyteapps_contract.model.constraints import Break, Grammar
from flyteapps_contract.model.violations import Violation, code_proof, field_proofs
from flyteapps_contract.session import STOP, Run, Session, copy
from flyteapps_contract.targets.target import Target
from flyteapps_contract.traces.script import render
from flyteapps_contract.traces.trace import OK, Step, Trace, app_of, calls_of, timeline
from flyteapps_contract.wording import differing

LEFT_OUT = frozenset(
    {
        # the plane fills in an org and a scope before it looks at the rules
        "flyteidl2.app.Identifier.org",
        "flyteidl2.app.ListRequest.org",
        "flyteidl2.app.ListRequest.request",
        "flyteidl2.common.ProjectIdentifier.organization",
        "flyteidl2.common.ClusterIdentifier.organization",
        "flyteidl2.core.ArtifactKey.org",
        # rules of the contract's own, which are not those of the messages
        "flyteidl2.app.Spec.ingress",
        "flyteidl2.app.Spec.cluster_pool",
        "flyteidl2.app.Spec.desired_state",
        "flyteidl2.app.Meta.revision",
        # enriched by the plane
        "flyteidl2.common.User.roles",
        "flyteidl2.common.User.policies",
        "flyteidl2.common.User.spec",
    }
)
METHODS: dict[str, tuple[type[Message], type[Message]]] = {
    "Create": (rpc.CreateRequest, rpc.CreateResponse),
    "Update": (rpc.UpdateRequest, rpc.UpdateResponse),
    "Get": (rpc.GetRequest, rpc.GetResponse),
    "Delete": (rpc.DeleteRequest, rpc.DeleteResponse),
    "List": (rpc.ListRequest, rpc.ListResponse),
    "UpdateStatus": (rpc.UpdateStatusRequest, rpc.UpdateStatusResponse),
}
INVALID = "INVALID_ARGUMENT"
GRAMMAR = Grammar(LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A request as it was drawn, with ids that the session replaces; the number of the step that breaks it, or -1."""

    method: str
    request: Any
    step: int


@st.composite
def requests(draw: st.DrawFn) -> Drawn:
    """Return valid requests, and such that are a step beyond one rule."""
    method = draw(st.sampled_from(list(METHODS)))
    request: Any = METHODS[method][0]()
    _place(method, request, model.Identifier(project="p", domain="d", name="n"), "1")

    def below(count: int) -> int:
        return draw(st.integers(0, count - 1))

    GRAMMAR.fill(request, below)
    return Drawn(method, request, below(len(_steps(request))) if draw(st.booleans()) else -1)


def _steps(request: Message) -> list[Break]:
    """Return the steps beyond its rules, those of deep fields first: they are drawn more often."""
    return sorted(GRAMMAR.breaks(request), key=lambda each: -each.path.count("."))


def _place(method: str, request: Any, app_id: model.Identifier, mark: str) -> None:
    """Set what has to be of the session, whatever is drawn beside it."""
    match method:
        case "Create" | "Update" | "UpdateStatus":
            request.app.metadata.id.CopyFrom(app_id)
            request.app.spec.desired_state = STOP
            request.app.metadata.labels["drawn"] = mark
        case "Get" | "Delete":
            request.app_id.CopyFrom(app_id)
        case _:
            request.project.name, request.project.domain = app_id.project, app_id.domain
            request.project.organization = app_id.org


class Conversation:
    """One drawn message on one session, and what is made of it."""

    def __init__(self, session: Session, drawn: Drawn) -> None:
        self.session = session
        self.method = drawn.method
        self.trace = Trace(session)
        self._drawn = drawn

    def run(self) -> None:
        """Send it. Raises Violation."""
        request, answer = METHODS[self.method]
        app = self.session.app(state=STOP)
        sent: Any = request()
        sent.CopyFrom(self._drawn.request)
        _place(self.method, sent, app.metadata.id, str(self.session.run.number()))
        before = self._prepared(app)
        if self._drawn.step < 0:
            self._expect_taken(sent, self.trace.call(self.method, sent, answer))
        else:
            broken = _steps(sent)[self._drawn.step]
            broken.make()
            self._expect_refused(broken, self.trace.call(self.method, sent, answer), before, app)

    def _prepared(self, app: model.App) -> model.App | None:
        if self.method == "Create":
            return None
        step = self.trace.call("Create", rpc.CreateRequest(app=app), rpc.CreateResponse)
        if step.code != OK:
            raise Violation(("CR-1",), f"a small valid app was refused: {step.code} {step.message}", self._code(OK))
        return app_of(step)

    def _expect_taken(self, sent: Any, step: Step) -> None:
        if step.code == "UNIMPLEMENTED" or (self.method == "UpdateStatus" and not step.fields):
            return  # a report has rules of its own beside those of its message
        if step.code != OK:
            text = f"{self.method} of a message that keeps every rule ended with {step.code}: {step.message}"
            raise Violation(("ID-2",), text, self._code(OK))
        if self.method not in ("Create", "Update"):
            return
        now = app_of(step)
        says = ("CR-3",) if self.method == "Create" else ("UP-2",)
        wanted = copy(now)
        wanted.metadata.labels.clear()
        wanted.metadata.labels.update(sent.app.metadata.labels)
        wanted.metadata.code_bundle_uri = sent.app.metadata.code_bundle_uri
        wanted.spec.CopyFrom(sent.app.spec)
        known_callers = self.session.capabilities.authenticated  # the creator is the caller there: AU-7
        for name in ("ingress", "creator"):  # what was left out, the plane fills in; an update keeps who created it
            if name == "creator" and self.method == "Create" and sent.app.spec.HasField(name) and not known_callers:
                continue
            wanted.spec.ClearField(name)
            if now.spec.HasField(name):
                getattr(wanted.spec, name).CopyFrom(getattr(now.spec, name))
        self._expect_equal(wanted, now, says)
        read = self.trace.call("Get", rpc.GetRequest(app_id=now.metadata.id), rpc.GetResponse)
        if read.code != OK:
            raise Violation(("GE-1", "GE-3"), f"Get ended with {read.code}: {read.message}", self._code(OK))
        self._expect_equal(now, app_of(read), ("GE-3",))
        again = self.trace.call("Update", rpc.UpdateRequest(app=app_of(read)), rpc.UpdateResponse)
        if again.code != "ABORTED":
            text = f"an app that came from the plane, sent back as it is, ended with {again.code}: {again.message}"
            raise Violation(("ID-4",) if again.code == INVALID else ("UP-4",), text, self._code("ABORTED"))

    def _expect_equal(self, wanted: model.App, now: model.App, says: tuple[str, ...]) -> None:
        if wanted == now:
            return
        proofs = field_proofs(f"answers[{self.trace.number}].app", wanted, now)
        raise Violation(says, f"{now.metadata.id.name} is not as it was sent:\n{differing(wanted, now)}", *proofs)

    def _expect_refused(self, broken: Break, step: Step, before: model.App | None, app: model.App) -> None:
        if step.code == "UNIMPLEMENTED":
            return
        case = f"{self.method} with {broken.what} in {broken.path}"
        if step.code != INVALID:
            text = f"{case}: expected {INVALID}, got {step.code} {step.message}"
            raise Violation(("ID-2",), text, self._code(INVALID))
        if set(step.fields) != {broken.path}:
            line = f"set(violations({self.trace.number})) == {{{broken.path!r}}}"
            raise Violation(("ID-2",), f"{case}: named were {', '.join(step.fields) or 'no fields'}", line)
        read = self.trace.call("Get", rpc.GetRequest(app_id=app.metadata.id), rpc.GetResponse)
        wanted = "NOT_FOUND" if before is None else OK
        if read.code != wanted:
            raise Violation(("ID-2",), f"{case} was refused; then Get ended with {read.code}", self._code(wanted))
        if before is not None:
            self._expect_equal(before, app_of(read), ("ID-2",))

    def _code(self, code: str) -> str:
        return code_proof(self.trace.number, (code,))


def search(target: Target, run: Run, options: SearchOptions) -> Finding:
    """Draw messages and sends each to a plane of the target; shrinks the first that shows a violation."""
    found = Finding()

    def attempt(drawn: Drawn, keep: Kept) -> None:
        with Session(target.plane(), run) as session:
            conversation = Conversation(session, drawn)
            try:
                conversation.run()
            except Violation as violation:
                violation.symptoms = tuple(session.symptoms.found)
                try:
                    keep(violation)
                except PassedOver:
                    found.evidence.update(exercised(conversation.trace.steps[:-1]))
                    raise
                steps = conversation.trace.steps
                found.calls, found.script, found.timeline = len(steps), render(steps, violation), timeline(steps)
                found.story = calls_of(steps)
                raise
            if found.violation is None:
                found.evidence.update(exercised(conversation.trace.steps))

    draw(options, found, requests(), attempt)
    return found


MESSAGES = Exploration("messages", ("ID-2", "ID-4", "CR-1", "CR-3", "GE-1", "GE-3", "UP-2", "UP-4"), search)
