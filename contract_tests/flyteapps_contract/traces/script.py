"""A run that broke a guarantee, as a script for others to run: nothing but flyteidl2 and connectrpc is needed.

It makes the same calls and ends with status 1 and the lines that are not true, or with 0 where all are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from google.protobuf import text_format
from google.protobuf.message import Message

from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.traces.trace import Step

HEAD = '''\
"""{title}

{text}

Run it with the URL of a plane: python script.py http://localhost:8090. Status 0: the plane keeps the contract.
"""

import sys
import threading
import time

from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2, app_payload_pb2
from flyteidl2.app.app_service_connect import AppServiceClientSync
from google.protobuf import text_format

client = AppServiceClientSync(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8090")
answers, codes, messages, details, streams = {{}}, {{}}, {{}}, {{}}, {{}}


def call(number, method, request, text, token_of=None):
    """One unary call: its answer, or the code and the message with which it was refused."""
    request = text_format.Parse(text, getattr(app_payload_pb2, request)())
    if token_of is not None:
        request.request.token = answers[token_of].token
    codes[number], messages[number], details[number] = "OK", "", ()
    try:
        answers[number] = getattr(client, method)(request)
    except ConnectError as error:
        codes[number], messages[number], details[number] = error.code.name, error.message, error.details


class Stream:
    """An open stream, read in a thread."""

    def __init__(self, method, request, text):
        self.seen, self.ended, self.closed = [], None, False
        request = text_format.Parse(text, getattr(app_payload_pb2, request)())
        threading.Thread(target=self.read, args=(getattr(client, method)(request),), daemon=True).start()

    def read(self, answers):
        try:
            for answer in answers:
                if not self.closed:
                    self.seen.append(answer)
        except ConnectError as error:
            self.ended = error
'''

TAIL = '''

def holds(check):
    """Whether it is true, or comes to be: what a stream has to show may be on its way."""
    for left in range(20, -1, -1):
        try:
            if check():
                return True
        except (KeyError, IndexError, AttributeError):
            pass
        time.sleep(0.1 if left and streams else 0)
    return False


seen = None
while streams and seen != (seen := [len(stream.seen) for stream in streams.values()]):
    time.sleep(0.5)  # until the streams are quiet: a wrong event may come after the right ones
wrong = [text for text, check in CHECKS if not holds(check)]
for text in wrong:
    print("not so:", text)
sys.exit(1 if wrong else 0)
'''

HELPERS: dict[str, str] = {
    "violations": '''
def violations(number):
    """The field paths of the violations among a refusal's details."""
    from buf.validate.validate_pb2 import Violations

    found = []
    for detail in details[number]:
        violations = Violations()
        if detail.Unpack(violations):
            for each in violations.violations:
                parts = []
                for part in each.field.elements:
                    subscript = part.WhichOneof("subscript")
                    parts.append(part.field_name + (f"[{getattr(part, subscript)}]" if subscript else ""))
                found.append(".".join(parts))
    return found
''',
    "names": '''
def names(number):
    """The names of the apps on a page."""
    return [app.metadata.id.name for app in answers[number].apps]
''',
    "once": '''
def once(first, last):
    """No incarnation of an app is on two of the pages."""
    seen = [
        (str(app.metadata.id), app.status.created_at.ToNanoseconds())
        for number in sorted(answers)
        if first <= number <= last and hasattr(answers[number], "apps")
        for app in answers[number].apps
    ]
    return len(seen) == len(set(seen))
''',
    "names_of_pages": '''
def names_of_pages(last):
    """The names on all pages."""
    return [name for number in sorted(answers) if number <= last and hasattr(answers[number], "apps")
            for name in names(number)]
''',
    "leased": '''
def leased(stream):
    """The names of the apps that a Lease stream was sent."""
    return [app.metadata.id.name for batch in streams[stream].seen for app in batch.apps]
''',
    "disjoint": '''
ASSIGNED, STOPPED = (app_definition_pb2.Status.DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{name}")
                     for name in ("ASSIGNED", "STOPPED"))


def disjoint(one, other):
    """No lease that one stream was sent overlaps another cluster's of the other stream, unless the app was stopped."""
    def begun(app):
        return app.status.conditions[-1].last_transition_time.ToNanoseconds()

    def stopped_since(app, time):
        return any(each.deployment_status == STOPPED and each.last_transition_time.ToNanoseconds() >= time
                   for each in app.status.conditions)

    sent = {(app.SerializeToString(deterministic=True)): app
            for number in (one, other) for batch in streams[number].seen for app in batch.apps
            if app.status.conditions[-1].deployment_status == ASSIGNED}
    order = sorted(sent.values(), key=lambda app: (begun(app), app.status.lease_expiration.ToNanoseconds()))
    return all(
        before.metadata.id != after.metadata.id or before.status.created_at != after.status.created_at
        or before.status.assigned_cluster == after.status.assigned_cluster or stopped_since(after, begun(before))
        or begun(after) >= before.status.lease_expiration.ToNanoseconds()
        for place, before in enumerate(order) for after in order[place + 1:])
''',
    "ended": '''
def ended(stream):
    """Whether a stream ended."""
    return streams[stream].ended is not None
''',
    "events": '''
def events(stream):
    """The events of a Watch."""
    return streams[stream].seen
''',
    "app_of": '''
def app_of(event):
    """The app as an event leaves it."""
    kind = event.WhichOneof("event")
    return event.update_event.updated_app if kind == "update_event" else getattr(event, kind).app
''',
    "kinds": '''
def kinds(stream):
    """Kind and name of each event."""
    return [(event.WhichOneof("event").removesuffix("_event"), app_of(event).metadata.id.name)
            for event in events(stream)]
''',
    "names_in": '''
def names_in(stream):
    """The names of the apps that a Watch showed."""
    return {name for _, name in kinds(stream)}
''',
    "resource": '''
def resource(app):
    """The resource name of an app in the dialect flyte-oss."""
    import hashlib

    app_id = app.metadata.id
    whole = f"{app_id.name}-{app_id.project}-{app_id.domain}".lower()
    digest = hashlib.sha256(f"{app_id.project}/{app_id.domain}/{app_id.name}".encode()).hexdigest()
    return whole if len(whole) <= 63 else f"{whole[:54]}-{digest[:8]}"
''',
    "resources": '''
def resources(number):
    """The resource names of the apps on a page."""
    return [resource(app) for app in answers[number].apps]
''',
    "statuses": '''
def statuses(status):
    """The short names of the conditions of a status."""
    names = app_definition_pb2.Status.DeploymentStatus
    return [names.Name(each.deployment_status).removeprefix("DEPLOYMENT_STATUS_") for each in status.conditions]
''',
    "row": '''
def row(event):
    """What an event shows: its kind, the id, the spec, whether the app is stopped."""
    app = app_of(event)
    where = "/".join((app.metadata.id.project, app.metadata.id.domain, app.metadata.id.name))
    spec = text_format.MessageToString(app.spec, as_one_line=True)
    return event.WhichOneof("event").removesuffix("_event"), where, spec, statuses(app.status) == ["STOPPED"]
''',
    "shows": '''
def shows(stream, due):
    """A Watch showed all that was due, in this order; other events may come between."""
    seen = iter([row(event) for event in events(stream)])
    return all(each in seen for each in due)
''',
    "only": '''
def only(stream, name, allowed):
    """Of the app of that resource name a Watch showed nothing else."""
    return all(row(event) in allowed for event in events(stream) if resource(app_of(event)) == name)
''',
    "writes": '''
def writes(stream):
    """Name and revision of each write that a Watch showed, from the one that the first line is about on."""
    shown = [(app_of(event).metadata.id.name, app_of(event).metadata.revision)
             for event in events(stream) if event.WhichOneof("event") != "delete_event"]
    return list(dict.fromkeys(shown))
''',
    "state_of": '''
def state_of(stream, name):
    """The first state of an app that a Watch showed is one that was read before it was opened."""
    first = next(app_of(event) for event in events(stream) if app_of(event).metadata.id.name == name)
    return any(getattr(answer, "app", None) == first for answer in answers.values())
''',
    "last_of": '''
def last_of(stream, name):
    """The app as a Watch left it, None where it is gone."""
    found = None
    for event in events(stream):
        if app_of(event).metadata.id.name == name:
            found = None if event.WhichOneof("event") == "delete_event" else app_of(event)
    return found
''',
    "pairs": '''
def pairs(seen):
    """Each event with the one before of the same app, None for the first."""
    last = {}
    for event in list(seen):
        key = str(app_of(event).metadata.id)
        yield last.get(key), event
        last[key] = event
''',
    "previous": '''
def previous(seen):
    """An update's old_app is the app of the event before."""
    return all(after.update_event.old_app == app_of(before) for before, after in pairs(seen)
               if before is not None and after.WhichOneof("event") == "update_event"
               and before.WhichOneof("event") != "delete_event")
''',
    "unique": '''
def unique(seen):
    """No event shows twice."""
    return len(list(seen)) == len({event.SerializeToString(deterministic=True) for event in list(seen)}) and all(
        before is None or before.WhichOneof("event") == "delete_event" or app_of(before) != app_of(after)
        for before, after in pairs(seen))
''',
    "in_order": '''
def in_order(seen):
    """No update comes after an event of its app that shows what became of it later."""
    def age(app):
        return app.metadata.revision, app.status.conditions[-1].revision if app.status.conditions else 0

    return all(age(app_of(before)) <= age(app_of(after)) for before, after in pairs(seen)
               if before is not None and after.WhichOneof("event") == "update_event")
''',
    "one_by_one": '''
def one_by_one(seen):
    """An update that follows on what was shown before is the next revision."""
    return all(app_of(after).metadata.revision <= app_of(before).metadata.revision + 1 for before, after in pairs(seen)
               if before is not None and after.WhichOneof("event") == "update_event"
               and after.update_event.old_app == app_of(before))
''',
    "gapless": '''
def gapless(seen):
    """An update follows on what was shown before, and a deletion, too: no state between is left out."""
    def age(app):
        return app.metadata.revision, app.status.conditions[-1].revision if app.status.conditions else 0

    return not any(
        age(app_of(before)) < age(after.update_event.old_app) < age(app_of(after))
        if after.WhichOneof("event") == "update_event" else age(app_of(before)) < age(app_of(after))
        for before, after in pairs(seen)
        if before is not None and before.WhichOneof("event") != "delete_event"
        and after.WhichOneof("event") != "create_event")
''',
    "first_sight": '''
def first_sight(seen):
    """A create event exactly where an app shows for the first time, or again after its deletion."""
    return all((after.WhichOneof("event") == "create_event")
               == (before is None or before.WhichOneof("event") == "delete_event") for before, after in pairs(seen))
''',
    "last_state": '''
def last_state(seen):
    """A delete event carries the app as the event before left it."""
    return all(app_of(before) == app_of(after) for before, after in pairs(seen)
               if before is not None and after.WhichOneof("event") == "delete_event")
''',
    "step": '''
def step(seen):
    """From one event of an app to the next there is at most one new condition."""
    return all(len(app_of(after).status.conditions) - len(app_of(before).status.conditions) <= 1
               for before, after in pairs(seen)
               if before is not None and after.WhichOneof("event") == "update_event")
''',
    "conditions_follow": '''
MOVES = {moves}


def conditions_follow(app):
    """Each condition of an app follows the one before as the state machine has it."""
    path = [each.deployment_status for each in app.status.conditions]
    return all(after in MOVES.get(before, ()) for before, after in zip(path, path[1:]))
''',
}
"""The functions of proofs, by name."""


def render(steps: Sequence[Step], violation: Violation) -> str:
    """Return the script of a run that ended with that violation."""
    body: list[str] = []
    for number, step in enumerate(steps):
        body += _lines(number, step)
    checks = ",\n".join(f"    ({line!r}, lambda: {line})" for line in violation.proof)
    helpers = _helpers("\n".join(violation.proof))
    title = f"Breaks {', '.join(violation.guarantees)}."
    text = str(violation).replace("\\", "/").replace('"""', "'''")
    head = HEAD.format(title=title, text=text)
    return f"{head}{helpers}\n\n" + "\n".join(body) + f"\n\nCHECKS = [\n{checks},\n]\n{TAIL}"


def _lines(number: int, step: Step) -> list[str]:
    match step.kind:
        case "call":
            method = re.sub("(?<!^)(?=[A-Z])", "_", step.method).lower()
            more = f", token_of={step.token_of}" if step.token_of >= 0 else ""
            assert step.request is not None
            kind = type(step.request).__name__
            return [f'call({number}, "{method}", "{kind}", """\n{_text(step.request)}"""{more})']
        case "open":
            assert step.request is not None
            kind = type(step.request).__name__
            opened = (
                f'streams[{step.stream}] = Stream("{step.method.lower()}", "{kind}", """\n{_text(step.request)}""")'
            )
            return [opened, "time.sleep(0.3)"]
        case "close":
            return [f"streams[{step.stream}].closed = True"]
        case _:
            return [f"time.sleep({step.seconds})  # of the plane's clock"]


def _text(message: Message) -> str:
    return text_format.MessageToString(message).replace("\\", "\\\\").replace('"""', '\\"""')


def _helpers(proof: str) -> str:
    """Return the functions that the lines need, and those that these need."""
    needed: list[str] = []
    todo = [name for name in HELPERS if re.search(rf"\b{name}\(", proof)]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.append(name)
            source = HELPERS[name].replace(f"def {name}(", "")
            todo += [other for other in HELPERS if re.search(rf"\b{other}\(", source)]
    moves = {before: sorted({*after, lifecycle.PENDING}) for before, after in lifecycle.MOVES.items()}
    return "".join("\n" + HELPERS[name].replace("{moves}", repr(moves)) for name in HELPERS if name in needed)
