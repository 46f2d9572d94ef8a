"""The ids that a sequence works on, on one session, and the apps that it sends for them."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import identifier_pb2
from google.protobuf import text_format

from flyteapps_contract.model.flyte_oss.names import resource
from flyteapps_contract.sequences.flyte_oss.choices import DesiredState, Extra, ListScope, Payload, SlotName
from flyteapps_contract.session import Session

LONG_NAME = 50
"""Characters of the long name: a label of DNS, whose resource name is longer than one."""
OTHER_DOMAIN = "production"


@dataclass(frozen=True, slots=True)
class Slot:
    """One id, with its resource name."""

    name: SlotName
    app_id: model.Identifier

    @property
    def resource(self) -> str:
        """The resource name of the id."""
        return resource(self.app_id)


class Slots:
    """The slots of one session. Where a project is fixed, ids that need another are further names in that one."""

    def __init__(self, session: Session) -> None:
        self._failing = session.capabilities.failing
        self._session = session
        name, projects = session.name(), session.capabilities.projects
        long_name = f"{name}-".ljust(LONG_NAME, "x")
        outer, hyphen, inner = session.project.partition("-")
        self.other_project = f"{session.project}-other"
        ids = {
            SlotName.A: session.id(name),
            SlotName.B: session.id(f"{name}-b"),
            SlotName.A_OTHER_CASE: session.id(name.upper()),
            SlotName.A_OTHER_ORG: session.id(name, org="elsewhere"),
            SlotName.LONG: session.id(long_name),
            SlotName.LONG_OTHER_CASE: session.id(long_name.upper()),
            SlotName.A_OTHER_HYPHEN: session.id(f"{name}-{outer}", project=inner),
            SlotName.A_OTHER_PROJECT: session.id(name, project=self.other_project),
            SlotName.A_OTHER_DOMAIN: session.id(name, domain=OTHER_DOMAIN),
        }
        if not projects or not hyphen:
            for number, slot in enumerate((SlotName.A_OTHER_HYPHEN, SlotName.A_OTHER_PROJECT, SlotName.A_OTHER_DOMAIN)):
                ids[slot] = session.id(f"{name}-{number}")
            self.other_project = session.project
        self._by_name = {slot: Slot(slot, ids[slot]) for slot in SlotName}
        self.scopes = list(dict.fromkeys((each.project, each.domain) for each in ids.values()))
        """The projects and domains of all ids."""

    def __getitem__(self, name: SlotName) -> Slot:
        """Return the slot of that name."""
        return self._by_name[name]

    def app(self, slot: Slot, payload: Payload, state: DesiredState, extra: Extra = Extra.NONE) -> model.App:
        """Return an app as a client sends it."""
        app = model.App(metadata=model.Meta(id=slot.app_id))
        text_format.Merge(payload.value, app)
        app.spec.desired_state = state.value
        text_format.Merge(extra.value, app)
        if extra is Extra.FAILING:
            app.metadata.labels.update(self._failing)
        return app

    def fails(self, app: model.App) -> bool:
        """Return whether the app has the labels with which apps fail."""
        return bool(self._failing) and all(app.metadata.labels.get(key) == text for key, text in self._failing.items())

    def scope(self, choice: ListScope) -> tuple[str, str]:
        """Return the project and the domain of a scope."""
        match choice:
            case ListScope.OTHER_PROJECT:
                return self.other_project, self._session.domain
            case ListScope.OTHER_DOMAIN:
                app_id = self[SlotName.A_OTHER_DOMAIN].app_id
                return app_id.project, app_id.domain
            case _:
                return self._session.project, self._session.domain

    def project(self, scope: tuple[str, str]) -> identifier_pb2.ProjectIdentifier:
        """Return the scope as List takes it."""
        return identifier_pb2.ProjectIdentifier(organization=self._session.run.org, name=scope[0], domain=scope[1])
