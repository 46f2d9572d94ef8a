"""The effects of writes on a service: pure functions of the service before and the app that was sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model.flyte_oss.names import resource

DEFAULT_ORG = "flyte"
"""The org of an app that was written without one."""
STOP = model.Spec.DESIRED_STATE_STOPPED
CREATED, UPDATED, DELETED, NOTHING = "create", "update", "delete", ""
"""The kinds of effects; the first three are kinds of events, too."""
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it was written last: the id and the spec of the app, and whether it is stopped.

    `fails`: whether the write had a label with which the cluster fails to start it.
    """

    app_id: model.Identifier
    spec: model.Spec
    stopped: bool = False
    fails: bool = False

    @property
    def name(self) -> str:
        """The bare name, by which it is watched."""
        return self.app_id.name

    @property
    def place(self) -> tuple[str, str]:
        """The project and the domain, by which it is listed."""
        return self.app_id.project, self.app_id.domain

    def shown(self) -> model.App:
        """Return the app as it is shown, without its status."""
        app = model.App(metadata=model.Meta(id=self.app_id), spec=self.spec)
        app.metadata.id.org = app.metadata.id.org or DEFAULT_ORG
        if self.stopped:
            app.spec.desired_state = STOP
        return app


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a write: its kind, and the service that it left; `code` and `opening`: the answer of a refused one.

    `guarantees` speak of it. `maybe`: it may have written nothing, since the backend can't tell that nothing changed.
    """

    kind: str
    service: Service | None
    guarantees: tuple[str, ...]
    code: str = "OK"
    opening: str = ""
    maybe: bool = False


def created(before: Service | None, sent: model.App, *, fails: bool) -> Effect:
    """Return the effect of a Create."""
    name = resource(sent.metadata.id)
    if not sent.metadata.HasField("id"):
        return _refused(before, "INVALID_ARGUMENT", "app identifier is required", "OSS-1")
    if not sent.HasField("spec"):
        return _refused(before, "INVALID_ARGUMENT", "app spec is required", "OSS-1")
    if sent.spec.WhichOneof("app_payload") is None:
        return _refused(before, "INVALID_ARGUMENT", "app spec must include a container or pod payload", "OSS-1")
    return _deployed(before, sent, name, fails=fails, is_create=True)


def updated(before: Service | None, sent: model.App, *, fails: bool) -> Effect:
    """Return the effect of an Update."""
    name = resource(sent.metadata.id)
    if not sent.metadata.HasField("id"):
        return _refused(before, "INVALID_ARGUMENT", "app identifier is required", "OSS-1")
    if sent.spec.desired_state != STOP:
        return _deployed(before, sent, name, fails=fails, is_create=False)
    if before is None:
        return _refused(before, "NOT_FOUND", f"KService {name} not found", "OSS-16")
    if before.stopped:
        return Effect(NOTHING, before, ("OSS-17",))
    return Effect(UPDATED, replace(before, stopped=True), ("OSS-17", "OSS-33"))


def deleted(before: Service | None) -> Effect:
    """Return the effect of a Delete."""
    return Effect(DELETED if before is not None else NOTHING, None, ("OSS-20",))


def _deployed(before: Service | None, sent: model.App, name: str, *, fails: bool, is_create: bool) -> Effect:
    payload = sent.spec.WhichOneof("app_payload")
    if payload is None or (payload == "pod" and not sent.spec.pod.HasField("pod_spec")):
        return _refused(before, "INTERNAL", f"failed to build KService for app {name}: ", "OSS-2")
    after = Service(sent.metadata.id, sent.spec, fails=fails)
    if before is None:
        return Effect(CREATED, after, ("OSS-20",) if is_create else ("OSS-16",))
    if before.stopped:
        return Effect(UPDATED, after, ("OSS-9", "OSS-7") if is_create else ("OSS-17",))
    if before.spec != sent.spec:
        return Effect(UPDATED, after, ("OSS-7", "OSS-4") if is_create else ("OSS-17", "OSS-4"))
    if payload == "pod":  # its maps are encoded in any order, so that the backend may take it for another one
        return Effect(UPDATED, after, ("OSS-8",), maybe=True)
    return Effect(NOTHING, before, ("OSS-8",))


def _refused(before: Service | None, code: str, opening: str, guarantee: str) -> Effect:
    return Effect(REFUSED, before, (guarantee,), code, opening)
