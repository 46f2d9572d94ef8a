"""Calls that are refused whatever is there: each with its code, and the opening of its message."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract.model.flyte_oss.services import Effect, created, updated
from flyteapps_contract.model.violations import Violation, code_proof
from flyteapps_contract.outcomes import Broken, Refused, StreamEnded
from flyteapps_contract.sequences.flyte_oss import commands
from flyteapps_contract.sequences.flyte_oss.choices import BadCall, DesiredState, Payload, SlotName
from flyteapps_contract.sequences.flyte_oss.context import Context
from flyteapps_contract.streams import PATIENCE

NO_ID = "app_id is required"
NO_SCOPE = "org and cluster_id filters are not supported by the data plane"
NO_TARGET = "only app_id watch target is supported"
INVALID, UNIMPLEMENTED = "INVALID_ARGUMENT", "UNIMPLEMENTED"


class BadCalls:
    """The refused calls of one sequence."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def send(self, command: commands.SendBad) -> None:
        """Send the call, and judge how it is refused."""
        session, which = self._context.session, command.call
        match which:
            case BadCall.CREATE_WITHOUT_ID | BadCall.CREATE_WITHOUT_SPEC | BadCall.CREATE_WITHOUT_PAYLOAD:
                self._write("Create", which)
            case BadCall.CREATE_POD_WITHOUT_SPEC:
                self._write("Create", which)
            case BadCall.UPDATE_WITHOUT_ID | BadCall.UPDATE_WITHOUT_PAYLOAD:
                self._write("Update", which)
            case BadCall.GET_WITHOUT_ID:
                self._call("Get", rpc.GetRequest(), rpc.GetResponse, INVALID, NO_ID, "OSS-1")
            case BadCall.GET_BY_INGRESS:
                ingress = model.Ingress(public_url="http://a.example")
                self._call("Get", rpc.GetRequest(ingress=ingress), rpc.GetResponse, INVALID, NO_ID, "OSS-13")
            case BadCall.DELETE_WITHOUT_ID:
                self._call("Delete", rpc.DeleteRequest(), rpc.DeleteResponse, INVALID, NO_ID, "OSS-1")
            case BadCall.LIST_OF_ORG:
                request = rpc.ListRequest(org=session.run.org or "flyte")
                self._call("List", request, rpc.ListResponse, UNIMPLEMENTED, NO_SCOPE, "OSS-21")
            case BadCall.LIST_OF_CLUSTER:
                request = rpc.ListRequest(cluster_id=session.cluster("c"))
                self._call("List", request, rpc.ListResponse, UNIMPLEMENTED, NO_SCOPE, "OSS-21")
            case BadCall.UPDATE_STATUS:
                request = rpc.UpdateStatusRequest(app=self._app())
                self._call("UpdateStatus", request, rpc.UpdateStatusResponse, UNIMPLEMENTED, "", "OSS-19")
            case BadCall.WATCH_OF_ORG:
                self._watch(rpc.WatchRequest(org=session.run.org or "flyte"))
            case BadCall.WATCH_OF_PROJECT:
                self._watch(rpc.WatchRequest(project=session.scope()))
            case BadCall.WATCH_OF_CLUSTER:
                self._watch(rpc.WatchRequest(cluster_id=session.cluster("c")))

    def _app(self) -> model.App:
        slots = self._context.slots
        return slots.app(slots[SlotName.A], Payload.FIRST, DesiredState.ACTIVE)

    def _write(self, method: str, which: BadCall) -> None:
        app = self._app()
        match which:
            case BadCall.CREATE_WITHOUT_ID | BadCall.UPDATE_WITHOUT_ID:
                app.metadata.ClearField("id")
            case BadCall.CREATE_WITHOUT_SPEC:
                app.ClearField("spec")
            case BadCall.CREATE_POD_WITHOUT_SPEC:
                app.spec.pod.SetInParent()
            case _:
                app.spec.ClearField("container")
        known = self._context.known(self._context.slots[SlotName.A].resource)
        effect: Effect = (created if method == "Create" else updated)(known.service, app, fails=False)
        known.blame = effect.guarantees
        request = rpc.CreateRequest(app=app) if method == "Create" else rpc.UpdateRequest(app=app)
        response = rpc.CreateResponse if method == "Create" else rpc.UpdateResponse
        self._call(method, request, response, effect.code, effect.opening, effect.guarantees[0])

    def _call(
        self, method: str, request: Message, response: type[Message], code: str, opening: str, guarantee: str
    ) -> None:
        step = self._context.trace.call(method, request, response)
        self._context.exercise(guarantee)
        number = self._context.trace.number
        if step.code != code:
            text = f"{method}: expected {code}, got {step.code} {step.message}"
            raise Violation((guarantee,), text, code_proof(number, (code,)))
        if not step.message.startswith(opening):
            text = f"{method}: expected a message that begins with {opening!r}, got {step.message!r}"
            raise Violation((guarantee,), text, f"messages[{number}].startswith({opening!r})")

    def _watch(self, request: rpc.WatchRequest) -> None:
        number, watcher = self._context.trace.watch(request)
        self._context.exercise("OSS-24")
        ended = "nothing"
        try:
            event = watcher.poll(self._context.patience or PATIENCE)
            ended = f"a {event.kind} event" if event is not None else ended
        except Refused as error:
            ended = str(error)
        except (StreamEnded, Broken) as error:
            ended = str(error)
        watcher.close()
        if not ended.startswith(f"{UNIMPLEMENTED}: {NO_TARGET}"):
            target = request.WhichOneof("target")
            line = f"ended({number}) and 'UNIMPLEMENTED' in repr(streams[{number}].ended.code)"
            raise Violation(("OSS-24",), f"Watch by {target}: expected {UNIMPLEMENTED}: {NO_TARGET}, got {ended}", line)
        self._context.trace.close(number)
