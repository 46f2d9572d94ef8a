"""Messages of flyte-oss, drawn from the rules of the .proto files, with steps beyond them and other oddities.

No rule is checked there: what is taken comes back as it was sent, and what is refused, for reasons of the backend's or
of a cluster's, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from hypothesis import strategies as st

from flyteapps_contract.explorations.messages import METHODS
from flyteapps_contract.explorations.search import Exploration, Finding, Kept, PassedOver, SearchOptions, draw
from flyteapps_contract.model.constraints import Grammar
from flyteapps_contract.model.flyte_oss.names import resource
from flyteapps_contract.model.flyte_oss.requests import IMAGE, INTERNAL, NAMED, OK, PAINLESS, UNAVAILABLE, due
from flyteapps_contract.model.violations import Violation, code_proof, field_proofs
from flyteapps_contract.outcomes import Refused, Unjudged
from flyteapps_contract.session import RUN, STARTED, STOP, UNSPECIFIED, Run, Session, copy
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.targets.target import Target
from flyteapps_contract.traces.script import render
from flyteapps_contract.traces.trace import Step, Trace, app_of, calls_of, timeline
from flyteapps_contract.wording import differing

LEFT_OUT = frozenset(
    {
        # of the session, whatever is drawn
        "flyteidl2.app.Identifier.org",
        "flyteidl2.app.ListRequest.project",
        "flyteidl2.app.Spec.desired_state",
        # the plane's
        "flyteidl2.app.App.status",
    }
)
DRAWN = (*["Create"] * 6, *["Update"] * 6, *["Get"] * 2, *["List"] * 2, *["Delete"] * 2, "UpdateStatus")
"""The methods, each as often as it is drawn beside the others."""
GRAMMAR = Grammar(LEFT_OUT)
ORGS = ("", "flyte", "other", "é")
STATES = (RUN, UNSPECIFIED, STOP, STARTED, 99)
"""Desired states; the last is none that the plane knows."""
TAILS = ("", "-b", "X", "_x", ".x", "-", "é", " x", "x" * 30, "x" * 60)
"""Ends of names; a cluster refuses some of them, or what they make of a resource name."""
UNKNOWN = b"\xd2\xf9\x06\x05later"
"""A field that no message has, number 14234, with a text."""
READS = ("list", "get", "watch")
PODS: tuple[dict[str, Any], ...] = (
    {"containers": [{"name": "main", "image": IMAGE}]},
    {"containers": [{"name": "main", "image": IMAGE, "ports": [{"containerPort": 8080}], "args": ["a", "b"]}]},
    {"containers": [{"name": "main", "image": 5}]},
    {"containers": {"name": "main"}},
    {"containers": [{"name": "main", "image": IMAGE, "resources": {"limits": {"cpu": "lots"}}}]},
    {"containers": [{"name": "main", "image": IMAGE}], "later": {"a": [None, True, 1.5]}},
    {"serviceAccountName": "é", "containers": [{"name": "main", "image": IMAGE, "env": [{"name": "A", "value": "b"}]}]},
    {},
)
"""Specs of pods, some of which are none."""


def _tame(spec: model.Spec) -> None:
    """Leave out of a spec what a cluster may refuse."""
    for field, _ in spec.ListFields():
        if field.name not in PAINLESS:
            spec.ClearField(field.name)  # type: ignore[arg-type]  # the name of one of its fields
    container = model.Spec().container
    container.image, container.command[:], container.args[:] = IMAGE, spec.container.command, spec.container.args
    spec.container.CopyFrom(container)


def _empty_part(spec: model.Spec, number: int) -> None:
    (spec.autoscaling, spec.timeouts, spec.ingress, spec.profile)[number % 4].SetInParent()


def _pod(spec: model.Spec, number: int) -> None:
    spec.pod.pod_spec.Clear()
    value = Struct()
    value.update(PODS[number % len(PODS)])
    spec.pod.pod_spec.CopyFrom(value)


def _quantity(text: str) -> Callable[[model.Spec, int], None]:
    def put(spec: model.Spec, number: int) -> None:
        resources = spec.container.resources
        entry = (resources.limits if number % 2 else resources.requests).add()
        entry.name, entry.value = NAMED[number // 2 % len(NAMED)], text

    return put


def _unknown_inside(spec: model.Spec, number: int) -> None:
    inside = (spec.container, spec.ingress, spec.autoscaling, spec.profile)[number % 4]
    inside.MergeFromString(UNKNOWN)


def _secret(spec: model.Spec, number: int) -> None:
    secret = spec.security_context.secrets.add(key="k", group="g")
    secret.mount_requirement = (0, 1, 2, 3, 7, -1)[number % 6]  # type: ignore[assignment]


def _long_text(spec: model.Spec, number: int) -> None:
    (spec.container.args, spec.container.command)[number % 2].append("long" * 500)


ODDITIES: tuple[Callable[[model.Spec, int], object], ...] = (
    lambda spec, number: None,
    lambda spec, number: spec.MergeFromString(UNKNOWN),
    _unknown_inside,
    _empty_part,
    _quantity("lots"),
    _quantity("500m"),
    _secret,
    _long_text,
    _pod,
    lambda spec, number: spec.ClearField(spec.WhichOneof("app_payload") or "container"),
    lambda spec, number: spec.container.env.add(key=("PORT", "A", "", "é=")[number % 4], value="\n"),
    lambda spec, number: spec.container.ports.add(container_port=(8080, 0, 70_000)[number % 3], name="p"),
    lambda spec, number: spec.links.add(path="not a URI \t", title="é" * 200),
)
"""Changes of a spec beyond the grammar, by a number that was drawn; the first is none."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A request as it was drawn, with ids that the session replaces.

    `step`: the number of the step that breaks a rule of its message, or -1; `tails`: of its name and project; `exists`:
    whether its app does; `read`: by which call the outcome is read.
    """

    method: str
    request: Any
    step: int
    tails: tuple[str, str]
    org: str
    exists: bool
    read: str


@st.composite
def requests(draw_: st.DrawFn) -> Drawn:
    """Return requests, with an oddity or without."""

    def below(count: int) -> int:
        return draw_(st.integers(0, count - 1))

    method = DRAWN[below(len(DRAWN))]
    request: Any = METHODS[method][0]()
    writes = method in ("Create", "Update", "UpdateStatus")
    if writes:
        request.app.metadata.id.SetInParent()
        request.app.spec.container.image = (IMAGE, "D9", "")[below(3)]
        request.app.spec.desired_state = STATES[below(len(STATES))]
    elif method in ("Get", "Delete") and below(3) < 2:
        request.app_id.SetInParent()
    elif method == "List" and below(3) < 2:
        request.project.SetInParent()
    GRAMMAR.fill(request, below)
    if writes:
        if below(3) < 2:
            _tame(request.app.spec)
        for _ in range(2):
            ODDITIES[below(len(ODDITIES))](request.app.spec, below(12))
    steps = sorted(GRAMMAR.breaks(request), key=lambda each: -each.path.count("."))
    step = below(len(steps)) if steps and below(5) == 4 else -1
    odd = below(6) == 5
    tails = (TAILS[below(len(TAILS))], TAILS[below(4)]) if odd else ("", "")
    return Drawn(method, request, step, tails, ORGS[below(len(ORGS))], below(3) > 0, READS[below(3)])


class Conversation:
    """One drawn message on one session, and what is made of it; `exercised`: the guarantees that it put to the test."""

    def __init__(self, session: Session, drawn: Drawn) -> None:
        self.session = session
        self.trace = Trace(session)
        self.exercised: set[str] = set()
        self._drawn = drawn
        self._method = drawn.method
        fixed = not session.capabilities.projects
        project = session.project + ("" if fixed else drawn.tails[1])
        self._id = session.id(session.name(drawn.tails[0]), project=project, org=drawn.org)

    def run(self) -> None:
        """Send it, and read what it left. Raises Violation."""
        sent = self._sent()
        before = self._prepared() if self._drawn.exists or self._method not in ("Create", "Update") else None
        if self._method == "List":
            self._judge_list(sent, before)
            return
        expected = due(self._method, sent, exists=before is not None, lenient=self.session.capabilities.lenient)
        step = self._call(self._method, sent)
        self.exercised.add(expected.guarantee)
        if not expected.allows(step.code, step.message):
            text = f"{self._method} ended with {step.code} {step.message}, not with {' or '.join(expected.codes)}"
            raise Violation((expected.guarantee, "OSS-1"), text, code_proof(self.trace.number, expected.codes))
        if step.code != OK:
            self._expect_shown(before, ("OSS-81",))
        elif self._method == "Delete":
            self._expect_shown(None, ("OSS-20",))
        elif self._method == "Get":
            self._expect_equal(before, app_of(step), ("OSS-6", "OSS-12"))
        else:
            self._judge_written(sent.app, app_of(step), before)

    def _sent(self) -> Any:
        """Return the request with the ids of this session, and with its step beyond a rule."""
        sent: Any = METHODS[self._method][0]()
        sent.CopyFrom(self._drawn.request)
        if self._drawn.step >= 0:
            sorted(GRAMMAR.breaks(sent), key=lambda each: -each.path.count("."))[self._drawn.step].make()
        if self._method in ("Create", "Update", "UpdateStatus"):
            if sent.app.metadata.HasField("id"):
                sent.app.metadata.id.CopyFrom(self._id)
        elif self._method in ("Get", "Delete"):
            if sent.HasField("app_id"):
                sent.app_id.CopyFrom(self._id)
        elif sent.HasField("project"):
            sent.project.CopyFrom(self.session.scope(self._id.project))
        return sent

    def _prepared(self) -> model.App | None:
        """Return a small app of that id as it is shown once it was created, None where the cluster refuses its id.

        It is created without an org, so that the request may have another one.
        """
        app = model.App(metadata=model.Meta(id=self._id))
        app.metadata.id.org = ""
        app.spec.container.image, app.spec.container.args[:] = IMAGE, ["serve"]
        app.spec.desired_state = RUN
        expected = due("Create", rpc.CreateRequest(app=app), exists=False, lenient=self.session.capabilities.lenient)
        step = self._call("Create", rpc.CreateRequest(app=app))
        if not expected.allows(step.code, step.message):
            text = f"Create of a small app ended with {step.code} {step.message}"
            raise Violation(("OSS-1",), text, code_proof(self.trace.number, expected.codes))
        return _as_shown(app) if step.code == OK else None

    def _call(self, method: str, request: Message) -> Step:
        """Return one call with its answer; an inner service that panics is one, too."""
        try:
            return self.trace.call(method, request, METHODS[method][1])
        except Unjudged as unjudged:
            cause = unjudged.__cause__
            if not isinstance(cause, Refused) or (cause.code, cause.message) != (UNAVAILABLE, "unexpected EOF"):
                raise
            step = self.trace.steps[-1]
            step.code, step.message = cause.code, cause.message
            return step

    # ---- verdicts

    def _judge_written(self, sent: model.App, answer: model.App, before: model.App | None) -> None:
        """Judge the response of a write, what is shown of the app, and that it can be sent back as it is shown."""
        says = "OSS-11" if self._method == "Create" else "OSS-17"
        wanted = copy(answer)
        wanted.metadata.CopyFrom(sent.metadata)
        wanted.spec.CopyFrom(sent.spec)
        if self._method == "Create":
            wanted.ClearField("status")
            wanted.status.SetInParent()
            if answer.status.HasField("ingress"):
                wanted.status.ingress.CopyFrom(answer.status.ingress)
        self.exercised |= {says, "OSS-81"}
        self._expect_equal(wanted, answer, (says,))
        self.session.may_have(sent.metadata.id)
        stops = self._method == "Update" and sent.spec.desired_state == STOP
        if stops and before is not None:
            left = copy(before)
            left.spec.desired_state = STOP
        elif before is not None and _bytes(before.spec) == _bytes(sent.spec):
            return  # nothing was written, or of a pod perhaps
        else:
            left = _as_shown(sent)
        shown = self._expect_shown(left, ("OSS-81", "OSS-12"))
        if shown is None:
            return
        again = self._call("Update", rpc.UpdateRequest(app=shown))
        if again.code != OK:
            text = f"an app that came from the plane, sent back as it is, ended with {again.code}: {again.message}"
            raise Violation(("OSS-17",), text, code_proof(self.trace.number, (OK,)))

    def _judge_list(self, sent: rpc.ListRequest, before: model.App | None) -> None:
        step = self._call("List", sent)
        expected = due("List", sent, exists=True, lenient=self.session.capabilities.lenient)
        self.exercised.add(expected.guarantee)
        if not expected.allows(step.code, step.message):
            text = f"List ended with {step.code} {step.message}, not with {' or '.join(expected.codes)}"
            raise Violation((expected.guarantee, "OSS-1"), text, code_proof(self.trace.number, expected.codes))
        if step.code != OK or before is None or sent.request.limit or not self.session.capabilities.projects:
            return
        assert isinstance(step.answer, rpc.ListResponse)
        name = resource(before.metadata.id)
        found = [app for app in step.answer.apps if resource(app.metadata.id) == name]
        if len(found) != 1:
            line = f"{self._id.name!r} in [each.metadata.id.name for each in answers[{self.trace.number}].apps]"
            raise Violation(("OSS-22", "OSS-21"), f"List shows {len(found)} apps of {name}, which exists", line)
        self._expect_equal(before, found[0], ("OSS-12",), self._in_list(found[0]))

    def _expect_shown(self, left: model.App | None, says: tuple[str, ...]) -> model.App | None:
        """Return the app as the plane shows it, which has to be that one, or nothing; None where it can't be read."""
        self.exercised.update(says)
        if self._drawn.read == "watch" and left is not None and self._id.name:
            number, watcher = self.trace.watch(rpc.WatchRequest(app_id=self._id))
            event = watcher.poll(PATIENCE)
            if event is None or event.kind != "create":
                text = f"a Watch of {self._id.name}, which exists, doesn't begin with its CreateEvent"
                raise Violation((*says, "OSS-26"), text, f"'create_event' in kinds({number})")
            found, where = event.app, f"app_of(events({number})[0])"
        elif self._drawn.read == "get":
            step = self._call("Get", rpc.GetRequest(app_id=self._id))
            wanted = OK if left is not None else "NOT_FOUND"
            if step.code != wanted:
                text = f"then Get of {self._id.name} ended with {step.code} {step.message}, not with {wanted}"
                raise Violation(says, text, code_proof(self.trace.number, (wanted,)))
            found, where = app_of(step) if step.code == OK else None, f"answers[{self.trace.number}].app"
        else:
            scope = self.session.scope(self._id.project)
            step = self._call("List", rpc.ListRequest(project=scope))
            if step.code == INTERNAL and self._drawn.tails[1]:
                return None  # the cluster has no label of such a value
            if step.code != OK or not isinstance(step.answer, rpc.ListResponse):
                raise Violation(says, f"then List ended with {step.code} {step.message}", self._code(OK))
            name = resource(self._id)
            found = next((app for app in step.answer.apps if resource(app.metadata.id) == name), None)
            where = self._in_list(found)
            if (found is None) != (left is None):
                there, word = ("is there", "not in") if found is not None else ("isn't there", "in")
                line = f"{self._id.name!r} {word} [each.metadata.id.name for each in answers[{self.trace.number}].apps]"
                raise Violation(says, f"then {self._id.name} {there} in List", line)
        if left is None or found is None:
            return None
        self._expect_equal(left, found, says, where)
        return found

    def _in_list(self, app: model.App | None) -> str:
        """Return a script's words for the app on the last page."""
        name = app.metadata.id.name if app is not None else ""
        return f"next(each for each in answers[{self.trace.number}].apps if each.metadata.id.name == {name!r})"

    def _expect_equal(self, wanted: model.App | None, now: model.App, says: tuple[str, ...], where: str = "") -> None:
        """Raise Violation where metadata or spec differ, of a response of Create the status, too.

        `where`: a script's words for it; by default it is the answer's app.
        """
        if wanted is None:
            return
        other = copy(wanted)
        if not wanted.HasField("status"):
            other.status.CopyFrom(now.status)
        if _bytes(other) == _bytes(now):
            return
        proofs = field_proofs(where or f"answers[{self.trace.number}].app", other, now)
        text = differing(other, now) or "  of the fields that no message has, some are missing, or are others"
        raise Violation(says, f"{now.metadata.id.name} is not as it has to be:\n{text}", *proofs)

    def _code(self, code: str) -> str:
        return code_proof(self.trace.number, (code,))


def _as_shown(sent: model.App) -> model.App:
    """Return the app as it is shown: its id with an org, its spec, nothing else; without a status."""
    shown = model.App(metadata=model.Meta(id=sent.metadata.id), spec=sent.spec)
    shown.metadata.id.org = sent.metadata.id.org or "flyte"
    return shown


def _bytes(message: Message) -> bytes:
    """Return what is compared: with unknown fields, and where a number is none it is itself."""
    return message.SerializeToString(deterministic=True)


def _has_unknown(step: Step) -> bool:
    """Return whether a request has fields that a script can't send: its messages are text, which leaves them out."""
    if step.request is None:
        return False
    known = type(step.request)()
    known.CopyFrom(step.request)
    known.DiscardUnknownFields()
    return known.ByteSize() != step.request.ByteSize()


def search(target: Target, run: Run, options: SearchOptions) -> Finding:
    """Draw messages and send each to a plane of the target; shrink the first that shows a violation."""
    found = Finding()

    def attempt(drawn: Drawn, keep: Kept) -> None:
        with Session(target.plane(), run) as session:
            conversation = Conversation(session, drawn)
            try:
                conversation.run()
            except Violation as violation:
                try:
                    keep(violation)
                except PassedOver:
                    found.evidence.update(conversation.exercised)
                    raise
                steps = conversation.trace.steps
                found.calls, found.timeline = len(steps), timeline(steps)
                found.script = "" if any(map(_has_unknown, steps)) else render(steps, violation)
                found.story = calls_of(steps)
                raise
            if found.violation is None:
                found.evidence.update(conversation.exercised)

    draw(options, found, requests(), attempt)
    return found


GUARANTEES = (
    *("OSS-81", "OSS-1", "OSS-2", "OSS-3", "OSS-6", "OSS-11", "OSS-12", "OSS-13", "OSS-16", "OSS-17"),
    *("OSS-19", "OSS-20", "OSS-21", "OSS-22", "OSS-23"),
)
MESSAGES = Exploration("messages", GUARANTEES, search)
