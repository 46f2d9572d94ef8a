"""What the numbers of commands mean on one session: ids, pools, clusters, and what may be written into an app."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf import text_format

from flyteapps_contract.sequences.commands import CLUSTERS
from flyteapps_contract.session import RUN, STARTED, STOP, UNSPECIFIED, Session

S = model.Status

STATES = (STOP, RUN, STARTED, UNSPECIFIED)
REASONS = ("", "because", "another reason")
SPANS = (0.53, 7.1, 61.3, 40.2, 1_000.0, 0.001)
"""Seconds that time may be moved by; no sum of few is the length of a lease."""
REPORTS: tuple[tuple[int, int, str], ...] = (
    (S.DEPLOYMENT_STATUS_PENDING, 0, ""),
    (S.DEPLOYMENT_STATUS_ACTIVE, S.RUNNING, ""),
    (S.DEPLOYMENT_STATUS_DEPLOYING, S.PULLING_IMAGE, "pulling"),
    (S.DEPLOYMENT_STATUS_FAILED, S.CRASH_LOOP, "crashed"),
    (S.DEPLOYMENT_STATUS_STOPPED, 0, ""),
    (S.DEPLOYMENT_STATUS_ACTIVE, 0, "again"),
    (S.DEPLOYMENT_STATUS_ASSIGNED, 0, ""),
    (S.DEPLOYMENT_STATUS_UNASSIGNED, 0, ""),
    (S.DEPLOYMENT_STATUS_ACTIVE, S.PULLING_IMAGE, ""),
    (S.DEPLOYMENT_STATUS_SCALING_UP, 0, ""),
)
"""Status, substate and message of what a cluster says."""

HOST, CNAME, TWICE = 8, 9, 11
"""The extras that ask for a host, for a CNAME, and that no plane takes."""
EXTRAS: tuple[str, ...] = (
    "",
    'metadata { labels { key: "team" value: "red" } }',
    'metadata { labels { key: "team" value: "blue" } labels { key: "tier" value: "a" } }',
    'spec { links { path: "/x" title: "x" } }',
    'spec { profile { name: "n" short_description: "s" } }',
    'spec { inputs { items { name: "n" string_value: "v" } } }',
    "spec { autoscaling { replicas { min: 2 max: 3 } } }",
    'metadata { code_bundle_uri: "s3://bundle" }',
    'spec { ingress { subdomain: "HOST" } }',
    'spec { ingress { cname: "HOST.example.com" } }',
    'spec { container { env { key: "K" value: "v" } } }',
    'spec { inputs { items { name: "n" string_value: "v" } items { name: "n" string_value: "w" } } }',
    'spec { creator { user { id { subject: "somebody" } } } }',
    "spec { timeouts { request_timeout { seconds: 60 } } }",
    'spec { runtime_metadata { version: "1" flavor: "python" } }',
    'spec { inputs { items { name: "data" artifact_id { version: "v7" } } } }',
    'spec { extended_resources { shared_memory { size_limit: "1Gi" } } }',
    'status { assigned_cluster: "mine" current_replicas: 7 '
    "conditions { deployment_status: DEPLOYMENT_STATUS_ACTIVE } }",
)
"""What may be merged into a plain app, in the text format."""

FLAWS: tuple[tuple[str, str], ...] = (
    ("spec { links { } }", "app.spec.links[0].path"),
    ("spec { creator { } }", "app.spec.creator.principal"),
    ('metadata { id { name: "-" } }', "app.metadata.id.name"),
    ("spec { autoscaling { scaling_metric { } } }", "app.spec.autoscaling.scaling_metric.metric"),
    ('spec { inputs { items { name: "n" } } }', "app.spec.inputs.items[0].value"),
    ("spec { timeouts { request_timeout { seconds: 3601 } } }", "app.spec.timeouts.request_timeout"),
    ('status { ingress { public_url: "not a URI" } }', "app.status.ingress.public_url"),
    ("status { conditions { actor { } } }", "app.status.conditions[0].actor.principal"),
)
"""What breaks one rule of the messages, and the field that has to be named."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One id that commands speak of. `pool` is "" for the default one; `own`: only the scene's clusters serve it."""

    key: str
    app_id: model.Identifier
    pool: str
    own: bool
    foreign: bool = False


class Scene:
    """Ids and clusters of one session."""

    def __init__(self, session: Session) -> None:
        name = session.name
        shared = session.capabilities.shared
        self.clusters = shared[1 : 1 + CLUSTERS] or tuple(name(f"-c{n}") for n in range(CLUSTERS))
        self._shared = shared[0] if shared else ""
        self.host = name("-host")
        first, second = name("-a"), name("-b")
        other_case = first[:-1] + "A"
        elsewhere = {"project": f"{session.project}x"} if session.capabilities.projects else dict[str, str]()
        domain = {"domain": "other"} if session.capabilities.projects else dict[str, str]()
        own = session.own_pools()
        pool, other = (self._shared or self.clusters[0], self.clusters[1]) if own else ("", "")
        named: tuple[tuple[str, dict[str, str], str], ...] = (
            (first, {}, ""),
            (second, {}, pool),
            (other_case, {}, ""),
            (first if elsewhere else name("-c"), elsewhere, other),
            (second if domain else name("-d"), domain, ""),
            (first, {"org": "elsewhere"}, ""),
        )
        self.slots = tuple(
            Slot("/".join((*where.values(), each)), session.id(each, **where), pool, bool(pool), "org" in where)
            for each, where, pool in named
        )
        self.places = [session.scope()] + ([session.scope(elsewhere["project"])] if elsewhere else [])

    def serves(self, cluster: str, slot: Slot) -> bool:
        """Whether one of the scene's clusters serves the slot's pool."""
        return slot.own and (slot.pool == cluster or slot.pool == self._shared)

    def app(self, slot: Slot, state: int, image: int, extra: int) -> model.App:
        """An app as a client sends it."""
        app = model.App(metadata=model.Meta(id=slot.app_id))
        app.spec.container.image = f"img:{image}"
        app.spec.desired_state = STATES[state]  # type: ignore[assignment]  # an enum value of protobuf is a plain int
        app.spec.cluster_pool = slot.pool
        text_format.Merge(EXTRAS[extra].replace("HOST", self.host), app)
        return app

    def creation(self, slot: Slot) -> rpc.CreateRequest:
        """The Create of an app that no command speaks of; it shall run."""
        return rpc.CreateRequest(app=self.app(slot, STATES.index(RUN), 0, 0))
