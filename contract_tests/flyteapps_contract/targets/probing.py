"""Is there an apps plane at all? One List, and a sentence for each way in which the answer says no."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.catalogue.dialects import DIALECTS
from flyteapps_contract.outcomes import CannotJudge, Refused
from flyteapps_contract.session import SERVICE, Run
from flyteapps_contract.targets.target import CALL_SECONDS, Plane, Target
from flyteapps_control.v1 import control_pb2 as control

PAGE = 1_000
CONTROL = "flyteapps.control.v1.ControlService"
CONTROL_SECONDS = 5.0
"""Time in which a control API has to answer."""
MAX_SHOWN = 3
"""Rules that a message lists."""

_SAYS: dict[str, str] = {
    "UNAVAILABLE": "nothing answers there; is it running, and is it http:// or https://?",
    "DEADLINE_EXCEEDED": "it takes the connection and never answers",
    "UNAUTHENTICATED": "it needs authentication: give it by --header, such as --header 'authorization: Bearer ...'",
    "PERMISSION_DENIED": "it does not let this caller list apps; give another by --header, or --org and --project",
    "UNIMPLEMENTED": "something answers, but it is no plane that serves flyteidl2.app.AppService, or none of this "
    "dialect: --detect says which",
}
_UNTRUSTED = "its certificate is not trusted; name the file of the one that is by --ca-cert"
_STRANGE = ("UNKNOWN", "INTERNAL")
_NO_PLANE = "something answers, but not as a plane does"


def probe(target: Target, seconds: float = CALL_SECONDS) -> None:
    """Raise CannotJudge unless an apps plane answers within so many seconds."""
    plane = target.plane()
    try:
        request = rpc.ListRequest(request=list_pb2.ListRequest(limit=1))
        _ask_all(request, plane, target.capabilities.org)
        plane.link.unary(SERVICE, "List", request, rpc.ListResponse, seconds)
    except Refused as error:
        if error.code in (*_SAYS, *_STRANGE, "NOT_FOUND"):
            raise _no(target, error) from error
    finally:
        plane.close()


def require_no_faults(target: Target, seconds: float = CONTROL_SECONDS) -> None:
    """Raise CannotJudge where the plane has rules for faults; one without a control API has none.

    What else keeps it from answering is for `probe` to say.
    """
    plane = target.plane()
    try:
        found = plane.link.unary(
            CONTROL, "ListFaults", control.ListFaultsRequest(), control.ListFaultsResponse, seconds
        )
    except Refused:
        return
    finally:
        plane.close()
    assert isinstance(found, control.ListFaultsResponse)
    if found.faults:
        count = len(found.faults)
        rules = [f"{each.id} {each.WhichOneof('effect')} {each.rpc}" for each in found.faults[:MAX_SHOWN]]
        shown = ", ".join([*rules, *["..."] * (count > MAX_SHOWN)])
        raise CannotJudge(
            f"{target.name} has {count} rule{'s' * (count > 1)} for faults ({shown}): "
            "remove them by `flyteapps control faults clear`"
        )


def require_plane(target: Target, error: Refused) -> None:
    """Raise CannotJudge where that is no answer of an apps plane's own; one that lacks a method may be one."""
    if error.code in (*_SAYS, *_STRANGE) and error.code != "UNIMPLEMENTED":
        raise _no(target, error) from error


def _no(target: Target, error: Refused) -> CannotJudge:
    says = _UNTRUSTED if "certificate" in error.message.lower() else _SAYS.get(error.code, _NO_PLANE)
    return CannotJudge(f"{target.name}: {says} ({error})")


def _ask_all(request: rpc.ListRequest, plane: Plane, org: str) -> None:
    """Let List give the apps of an org; of all, where the dialect has no such List."""
    if DIALECTS[plane.capabilities.dialect].org_lists:
        request.org = org


def apps_with(plane: Plane, run: Run) -> Iterator[model.Identifier]:
    """Return the ids of apps with the run's prefix: of the org, or of the run's project where one is fixed."""
    request = rpc.ListRequest(request=list_pb2.ListRequest(limit=PAGE))
    if run.project:
        request.project.organization, request.project.name, request.project.domain = run.org, run.project, run.domain
    else:
        _ask_all(request, plane, run.org)
    while True:
        page = plane.link.unary(SERVICE, "List", request, rpc.ListResponse, CALL_SECONDS)
        assert isinstance(page, rpc.ListResponse)
        for app in page.apps:
            if app.metadata.id.name.lower().startswith(f"{run.prefix.lower()}-"):
                yield app.metadata.id
        if not page.token:
            return
        request.request.token = page.token


def require_unused(target: Target, run: Run) -> None:
    """Raise CannotJudge where apps with the run's prefix exist already."""
    plane = target.plane()
    try:
        found = next(apps_with(plane, run), None)
    except Refused as error:
        raise CannotJudge(f"{target.name}: can't tell whether the prefix {run.prefix} is free: {error}") from error
    finally:
        plane.close()
    if found is not None:
        raise CannotJudge(
            f"apps whose names begin with {run.prefix}- exist already, such as {found.name}: choose another --prefix, "
            f"or remove them by --clean {run.prefix}"
        )


def clean(target: Target, run: Run, said: Callable[[str], None]) -> list[model.Identifier]:
    """Stop and deletes every app with the run's prefix; what could not be removed. Raises CannotJudge."""
    from flyteapps_contract.session import Session, remove

    left: list[model.Identifier] = []
    with Session(target.plane(), run) as session:
        try:
            found = list(apps_with(session.plane, run))
        except Refused as error:
            raise CannotJudge(f"{target.name}: its apps can't be listed: {error}") from error
        for app_id in found:
            name = f"{app_id.project}/{app_id.domain}/{app_id.name}"
            try:
                remove(session, app_id)
            except Refused as error:
                left.append(app_id)
                said(f"left {name}: {error}")
            else:
                said(f"removed {name}")
    return left
