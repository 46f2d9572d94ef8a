"""The ids, pools and clusters that a sequence works on, on one session, and the apps that it sends for them."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf import text_format

from flyteapps_contract.sequences.choices import ClusterName, DesiredState, Extra, Image, SlotName
from flyteapps_contract.session import Session


@dataclass(frozen=True, slots=True)
class Slot:
    """One id. `pool` is "" for the default one; `own`: only clusters of the sequence serve it."""

    name: SlotName
    key: str
    app_id: model.Identifier
    pool: str
    own: bool
    foreign: bool = False

    def has_id(self, app_id: model.Identifier) -> bool:
        """Return whether this is the slot's id, whatever the org; never for a slot of another org."""
        ours = self.app_id
        return not self.foreign and (ours.project, ours.domain, ours.name) == (
            app_id.project,
            app_id.domain,
            app_id.name,
        )


class Slots:
    """The slots and clusters of one session."""

    def __init__(self, session: Session) -> None:
        name = session.name
        shared = session.capabilities.shared
        count = len(ClusterName)
        self.clusters = shared[1 : 1 + count] or tuple(name(f"-c{n}") for n in range(count))
        self._shared = shared[0] if shared else ""
        self._authenticated = session.capabilities.authenticated
        self.host = name("-host")
        first, second = name("-a"), name("-b")
        elsewhere = {"project": f"{session.project}x"} if session.capabilities.projects else dict[str, str]()
        domain = {"domain": "other"} if session.capabilities.projects else dict[str, str]()
        own = session.own_pools()
        pool, other = (self._shared or self.clusters[0], self.clusters[1]) if own else ("", "")
        named: tuple[tuple[SlotName, str, dict[str, str], str], ...] = (
            (SlotName.A, first, {}, ""),
            (SlotName.B, second, {}, pool),
            (SlotName.A_OTHER_CASE, first[:-1] + "A", {}, ""),
            (SlotName.A_OTHER_PROJECT, first if elsewhere else name("-c"), elsewhere, other),
            (SlotName.B_OTHER_DOMAIN, second if domain else name("-d"), domain, ""),
            (SlotName.A_OTHER_ORG, first, {"org": "elsewhere"}, ""),
        )
        self.all = tuple(
            Slot(
                slot,
                "/".join((*where.values(), each)),
                session.id(each, **where),
                pool,
                bool(pool),
                "org" in where,
            )
            for slot, each, where, pool in named
        )
        self._by_name = {slot.name: slot for slot in self.all}
        self.places = [session.scope()] + ([session.scope(elsewhere["project"])] if elsewhere else [])

    def __getitem__(self, name: SlotName) -> Slot:
        """Return the slot of that name."""
        return self._by_name[name]

    @property
    def own(self) -> list[Slot]:
        """The slots that only clusters of the sequence serve."""
        return [slot for slot in self.all if slot.own]

    def of(self, app_id: model.Identifier) -> Slot | None:
        """Return the slot of an id, whatever its org; None for an app of others."""
        return next((slot for slot in self.all if slot.has_id(app_id)), None)

    def cluster(self, name: ClusterName) -> str:
        """Return the name of that cluster at the plane."""
        return self.clusters[name.value]

    def serves(self, cluster: str, slot: Slot) -> bool:
        """Return whether a cluster of the sequence serves the slot's pool."""
        return slot.own and (slot.pool == cluster or slot.pool == self._shared)

    def app(
        self,
        slot: Slot,
        state: DesiredState = DesiredState.STOPPED,
        image: Image = Image.FIRST,
        extra: Extra = Extra.NONE,
    ) -> model.App:
        """Return an app as a client sends it."""
        app = model.App(metadata=model.Meta(id=slot.app_id))
        app.spec.container.image = image.value
        app.spec.desired_state = state.value
        app.spec.cluster_pool = slot.pool
        if extra is not Extra.CREATOR or not self._authenticated:  # there the caller is the creator: AU-7
            text_format.Merge(extra.value.replace("HOST", self.host), app)
        return app

    def marker_request(self, app_id: model.Identifier, cluster: str) -> rpc.CreateRequest:
        """Return the Create of a running app in a cluster's pool, for an id that no command uses."""
        marker = Slot(SlotName.A, "", app_id, cluster, own=True)
        return rpc.CreateRequest(app=self.app(marker, DesiredState.ACTIVE))
