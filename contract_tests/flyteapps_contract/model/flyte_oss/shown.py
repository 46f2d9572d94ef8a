"""An app as Get, List and Watch show it: the service as it was written, and a status that a cluster can report."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model.flyte_oss.names import resource
from flyteapps_contract.model.flyte_oss.services import Service
from flyteapps_contract.model.violations import Violation, field_proofs
from flyteapps_contract.wording import differing

S = model.Status
PENDING, DEPLOYING = S.DEPLOYMENT_STATUS_PENDING, S.DEPLOYMENT_STATUS_DEPLOYING
ACTIVE, FAILED, STOPPED = S.DEPLOYMENT_STATUS_ACTIVE, S.DEPLOYMENT_STATUS_FAILED, S.DEPLOYMENT_STATUS_STOPPED
SCALED_TO_ZERO = "App scaled to zero"
REASON = re.compile(r"\w+: .")
MAX_CONDITIONS = 3
STATUS_FIELDS = {"current_replicas", "ingress", "created_at", "conditions", "k8s_metadata"}
"""The fields of a status that are ever set."""


class Urls:
    """The public URLs of a plane: SCHEME://RESOURCE.REST, where scheme and rest are those of the first one seen."""

    def __init__(self) -> None:
        self._form: tuple[str, str] | None = None

    def judge(self, name: str, url: str, where: str) -> None:
        """Raise Violation where it isn't the URL of that resource."""
        if self._form is None:
            before, found, rest = url.partition(name)
            if url and not (found and before in ("http://", "https://") and rest.startswith(".")):
                text = f"public_url {url} is not http(s)://{name}.BASE_DOMAIN"
                raise Violation(("OSS-34",), text, f"'://{name}.' in {where}.status.ingress.public_url")
            self._form = (before, rest)
        before, rest = self._form
        wanted = f"{before}{name}{rest}" if before else ""
        if url != wanted:
            line = f"{where}.status.ingress.public_url == {wanted!r}"
            raise Violation(("OSS-34",), f"public_url should be {wanted!r}, but is {url!r}", line)


def is_stopped(status: model.Status) -> bool:
    """Return whether it is the status of a stopped app."""
    return [each.deployment_status for each in status.conditions] == [STOPPED]


def is_active(status: model.Status) -> bool:
    """Return whether everything is active."""
    return bool(status.conditions) and all(each.deployment_status == ACTIVE for each in status.conditions)


def has_failed(status: model.Status) -> bool:
    """Return whether some of it has failed."""
    return any(each.deployment_status == FAILED for each in status.conditions)


def is_version(app: model.App, service: Service) -> bool:
    """Return whether it is that very service: its id, its spec, and whether it is stopped."""
    shown = service.shown()
    return (app.metadata, app.spec, is_stopped(app.status)) == (shown.metadata, shown.spec, service.stopped)


def comparable(status: model.Status) -> model.Status:
    """Return the status without the time at which a stopped app was read."""
    other = model.Status()
    other.CopyFrom(status)
    if is_stopped(status):
        other.conditions[0].ClearField("last_transition_time")
    return other


def judge_app(app: model.App, service: Service, guarantees: tuple[str, ...], urls: Urls, where: str) -> None:
    """Raise Violation where an app that was read isn't that service with a status that it may have.

    `guarantees` speak of its id and spec; `where` is the script's word for the app.
    """
    shown = service.shown()
    if app.metadata != shown.metadata:
        said = guarantees if app.metadata.id == shown.metadata.id else ("OSS-4", "OSS-6", *guarantees)
        proofs = field_proofs(f"{where}.metadata", shown.metadata, app.metadata)
        raise Violation(("OSS-12", *said), _text(shown, app, "metadata"), *proofs)
    if app.spec != shown.spec:
        proofs = field_proofs(f"{where}.spec", shown.spec, app.spec)
        raise Violation(guarantees, _text(shown, app, "spec"), *proofs)
    judge_status(app.status, service, urls, where)


def judge_status(status: model.Status, service: Service, urls: Urls, where: str) -> None:
    """Raise Violation where a service can't have that status."""
    number = [each.deployment_status for each in status.conditions]
    line = f"[each.deployment_status for each in {where}.status.conditions] == "
    if service.stopped != is_stopped(status):
        text = f"{service.name} is {'stopped' if service.stopped else 'not stopped'}, but shows {_names(status)}"
        proof = line + f"[{STOPPED}]" if service.stopped else line.replace("==", "!=") + f"[{STOPPED}]"
        raise Violation(("OSS-33", "OSS-9", "OSS-17") if not service.stopped else ("OSS-33",), text, proof)
    if strange := [field.name for field, _ in status.ListFields() if field.name not in STATUS_FIELDS]:
        text = f"{service.name}: the status should not have {strange[0]}"
        raise Violation(("OSS-30",), text, lacks(f"{where}.status", strange[0]))
    if service.stopped:
        _judge_stopped(status, service, where)
        return
    for said in _wrong_conditions(status):
        proof = line.replace("==", "!=") + str(number)
        raise Violation(("OSS-30", "OSS-32"), f"{service.name}: {said}, in {_names(status)}", proof)
    if status.k8s_metadata.namespace == "":
        text = f"{service.name}: the status should have k8s_metadata with a namespace"
        raise Violation(("OSS-33", "OSS-30"), text, f"{where}.status.k8s_metadata.namespace != ''")
    urls.judge(resource(service.app_id), status.ingress.public_url, where)


def lacks(where: str, name: str) -> str:
    """Return the script's line that a message lacks a field."""
    return f"{name!r} not in [field.name for field, _ in {where}.ListFields()]"


def _judge_stopped(status: model.Status, service: Service, where: str) -> None:
    wanted = model.Status(conditions=[model.Condition(deployment_status=STOPPED, message=SCALED_TO_ZERO)])
    if comparable(status) != wanted:
        text = f"{service.name} is stopped, and its status should show that alone\n"
        text += differing(wanted, comparable(status))
        proofs = (
            f"len({where}.status.ListFields()) == 1",
            f"{where}.status.conditions[0].message == {SCALED_TO_ZERO!r}",
        )
        raise Violation(("OSS-33",), text, *proofs)


def _wrong_conditions(status: model.Status) -> Iterator[str]:
    """Yield what no cluster reports."""
    kinds = {each.deployment_status for each in status.conditions}
    if len(status.conditions) > MAX_CONDITIONS:
        yield f"there should be at most {MAX_CONDITIONS} conditions"
    if strange := kinds - {PENDING, DEPLOYING, ACTIVE, FAILED}:
        yield f"a condition has status {min(strange)}"
    if {ACTIVE, FAILED} <= kinds or {ACTIVE, DEPLOYING} <= kinds:
        yield "what is active is so as a whole"
    if FAILED in kinds and not any(
        REASON.match(each.message) for each in status.conditions if each.deployment_status == FAILED
    ):
        yield "a failure should have a reason"


def _names(status: model.Status) -> str:
    names = [S.DeploymentStatus.Name(each.deployment_status) for each in status.conditions]
    return "[" + ", ".join(name.removeprefix("DEPLOYMENT_STATUS_") for name in names) + "]"


def _text(expected: model.App, actual: model.App, part: str) -> str:
    lines = differing(getattr(expected, part), getattr(actual, part)).replace("  ", f"  {part}.", 1)
    return f"{expected.metadata.id.name} is shown otherwise than it was written last\n{lines}"
