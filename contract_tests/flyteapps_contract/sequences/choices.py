"""The values of the commands' fields, an enum a field. The first member is the plainest: shrinking leads there."""

from __future__ import annotations

from enum import Enum

from flyteidl2.app import app_definition_pb2 as model

S = model.Status


class SlotName(Enum):
    """An id of the sequence (sequences/slots.py): apps A and B, and ids that differ from theirs in one part."""

    A = "a"
    B = "b"
    A_OTHER_CASE = "a, last letter in upper case"
    A_OTHER_PROJECT = "a in another project"
    B_OTHER_DOMAIN = "b in another domain"
    A_OTHER_ORG = "a in another org"


class DesiredState(Enum):
    """The desired state that a client sends."""

    STOPPED = model.Spec.DESIRED_STATE_STOPPED
    ACTIVE = model.Spec.DESIRED_STATE_ACTIVE
    STARTED = model.Spec.DESIRED_STATE_STARTED
    UNSPECIFIED = model.Spec.DESIRED_STATE_UNSPECIFIED


class Image(Enum):
    """The image of an app's container."""

    FIRST = "img:0"
    SECOND = "img:1"
    THIRD = "img:2"


class Reason(Enum):
    """The reason of an Update."""

    NONE = ""
    FIRST = "because"
    SECOND = "another reason"


class SentRevision(Enum):
    """The revision that an Update is sent with, against the stored one."""

    STORED = "stored"
    NONE = "none"
    OLDER = "older"
    NEWER = "newer"


class Extra(Enum):
    """A text merged into a plain app, in the text format; HOST stands for the host of the sequence."""

    NONE = ""
    LABEL = 'metadata { labels { key: "team" value: "red" } }'
    TWO_LABELS = 'metadata { labels { key: "team" value: "blue" } labels { key: "tier" value: "a" } }'
    LINK = 'spec { links { path: "/x" title: "x" } }'
    PROFILE = 'spec { profile { name: "n" short_description: "s" } }'
    INPUT = 'spec { inputs { items { name: "n" string_value: "v" } } }'
    REPLICAS = "spec { autoscaling { replicas { min: 2 max: 3 } } }"
    CODE_BUNDLE = 'metadata { code_bundle_uri: "s3://bundle" }'
    SUBDOMAIN = 'spec { ingress { subdomain: "HOST" } }'
    CNAME = 'spec { ingress { cname: "HOST.example.com" } }'
    ENVIRONMENT = 'spec { container { env { key: "K" value: "v" } } }'
    INPUT_TWICE = 'spec { inputs { items { name: "n" string_value: "v" } items { name: "n" string_value: "w" } } }'
    CREATOR = 'spec { creator { user { id { subject: "somebody" } } } }'
    TIMEOUT = "spec { timeouts { request_timeout { seconds: 60 } } }"
    RUNTIME = 'spec { runtime_metadata { version: "1" flavor: "python" } }'
    ARTIFACT = 'spec { inputs { items { name: "data" artifact_id { version: "v7" } } } }'
    SHARED_MEMORY = 'spec { extended_resources { shared_memory { size_limit: "1Gi" } } }'
    STATUS = (
        'status { assigned_cluster: "mine" current_replicas: 7 '
        "conditions { deployment_status: DEPLOYMENT_STATUS_ACTIVE } }"
    )


class BrokenRule(Enum):
    """A text that breaks one rule of the messages, and the path of the field at fault."""

    LINK_PATH = ("spec { links { } }", "app.spec.links[0].path")
    CREATOR = ("spec { creator { } }", "app.spec.creator.principal")
    NAME = ('metadata { id { name: "-" } }', "app.metadata.id.name")
    METRIC = ("spec { autoscaling { scaling_metric { } } }", "app.spec.autoscaling.scaling_metric.metric")
    INPUT_VALUE = ('spec { inputs { items { name: "n" } } }', "app.spec.inputs.items[0].value")
    TIMEOUT = ("spec { timeouts { request_timeout { seconds: 3601 } } }", "app.spec.timeouts.request_timeout")
    PUBLIC_URL = ('status { ingress { public_url: "not a URI" } }', "app.status.ingress.public_url")
    ACTOR = ("status { conditions { actor { } } }", "app.status.conditions[0].actor.principal")

    @property
    def text(self) -> str:
        """The message to merge into a valid app."""
        return self.value[0]

    @property
    def path(self) -> str:
        """The path that the violation has to name."""
        return self.value[1]


class UrlForm(Enum):
    """The spelling of a public URL in a Get."""

    AS_SHOWN = "as shown"
    UPPER_CASE = "scheme and host in upper case"
    SLASH = "with a slash at the end"


class ListScope(Enum):
    """The scope of a List."""

    PROJECT = "project"
    OTHER_PROJECT = "other project"
    ORG = "org"
    CLUSTER = "cluster"


class ListFilter(Enum):
    """A filter: function, field, values; {name}, {tail}, {created} and {updated} are taken from an existing app."""

    NONE = ()
    NAME = ("EQUAL", "name", "{name}")
    NOT_NAME = ("NOT_EQUAL", "name", "{name}")
    NAME_CONTAINS = ("CONTAINS", "name", "{tail}")
    NAME_CONTAINS_ANY_CASE = ("CONTAINS_CASE_INSENSITIVE", "name", "{upper_tail}")
    NAME_ENDS_WITH = ("ENDS_WITH", "name", "{last_letter}")
    NAME_IN = ("VALUE_IN", "name", "{name}", "other")
    NAME_NOT_IN = ("VALUE_NOT_IN", "name", "{name}", "other")
    NAME_LIKE = ("CONTAINS", "name", "_{last_letter}")
    TEAM_ANY_CASE = ("CONTAINS_CASE_INSENSITIVE", "labels.team", "RED")
    TEAM_EXISTS = ("EXISTS", "labels.team")
    TEAM_NOT_EXISTS = ("NOT_EXISTS", "labels.team")
    TEAM = ("EQUAL", "labels.team", "red")
    NOT_TEAM = ("NOT_EQUAL", "labels.team", "red")
    TEAM_IN = ("VALUE_IN", "labels.team", "red", "blue")
    PHASE = ("EQUAL", "status_phase", "DEPLOYMENT_STATUS_STOPPED")
    ASSIGNED = ("EQUAL", "status_phase", "DEPLOYMENT_STATUS_ASSIGNED")
    PHASE_NOT_IN = ("VALUE_NOT_IN", "status_phase", "DEPLOYMENT_STATUS_STOPPED", "DEPLOYMENT_STATUS_ACTIVE")
    DESIRED_STATE = ("EQUAL", "desired_state", "DESIRED_STATE_STOPPED")
    CREATED_AFTER = ("GREATER_THAN", "created_at", "{created}")
    CREATED_UNTIL = ("LESS_THAN_OR_EQUAL", "created_at", "{created}")
    UPDATED_FROM = ("GREATER_THAN_OR_EQUAL", "updated_at", "{updated}")
    UPDATED_BEFORE = ("LESS_THAN", "updated_at", "{updated}")


class ListSort(Enum):
    """The sort keys of a List, each followed by its direction."""

    NONE = ()
    NAME = ("name", "ASCENDING")
    NAME_DESCENDING = ("name", "DESCENDING")
    CREATED_DESCENDING = ("created_at", "DESCENDING")
    REVISION = ("revision", "ASCENDING")
    PHASE = ("status_phase", "ASCENDING")
    PHASE_DESCENDING = ("status_phase", "DESCENDING")
    PHASE_THEN_NAME = ("status_phase", "DESCENDING", "name", "ASCENDING")
    UPDATED = ("updated_at", "ASCENDING")
    UPDATED_DESCENDING = ("updated_at", "DESCENDING")


class ListLimit(Enum):
    """The limit of a List; 0 is the plane's own."""

    NONE = 0
    ONE = 1
    TWO = 2
    THOUSAND = 1_000


class WatchTarget(Enum):
    """The target of a stream. The other project is listed twice, so that it is drawn twice as often."""

    APP_B = "app b"
    APP_A = "app a"
    APP_OF_OTHER_ORG = "app a of another org"
    OTHER_PROJECT = "other project"
    PROJECT = "project"
    OTHER_PROJECT_AGAIN = "other project again"
    ORG = "org"
    CLUSTER = "cluster"


class StreamNumber(Enum):
    """An open stream, by its place among those that are open."""

    FIRST = 0
    SECOND = 1
    THIRD = 2


class ClusterName(Enum):
    """A cluster of the sequence."""

    FIRST = 0
    SECOND = 1


class Reporter(Enum):
    """The cluster that reports: the one that holds the app, or one by its name."""

    HOLDER = "holder"
    FIRST = ClusterName.FIRST
    SECOND = ClusterName.SECOND


class ReportedRevision(Enum):
    """A number that a report carries, against the stored one."""

    NONE = "none"
    STORED = "stored"
    NEWER = "newer"


class Report(Enum):
    """Status, substate and message of a report."""

    PENDING = (S.DEPLOYMENT_STATUS_PENDING, 0, "")
    RUNNING = (S.DEPLOYMENT_STATUS_ACTIVE, S.RUNNING, "")
    PULLING = (S.DEPLOYMENT_STATUS_DEPLOYING, S.PULLING_IMAGE, "pulling")
    CRASHED = (S.DEPLOYMENT_STATUS_FAILED, S.CRASH_LOOP, "crashed")
    STOPPED = (S.DEPLOYMENT_STATUS_STOPPED, 0, "")
    ACTIVE_AGAIN = (S.DEPLOYMENT_STATUS_ACTIVE, 0, "again")
    ASSIGNED = (S.DEPLOYMENT_STATUS_ASSIGNED, 0, "")
    UNASSIGNED = (S.DEPLOYMENT_STATUS_UNASSIGNED, 0, "")
    ACTIVE_PULLING = (S.DEPLOYMENT_STATUS_ACTIVE, S.PULLING_IMAGE, "")
    SCALING_UP = (S.DEPLOYMENT_STATUS_SCALING_UP, 0, "")


class Replicas(Enum):
    """The number of replicas in a report."""

    NONE = 0
    ONE = 1
    TWO = 2


class Seconds(Enum):
    """Seconds by which time is moved; no sum of few is the length of a lease."""

    HALF = 0.53
    SEVEN = 7.1
    LEASE_AND_MORE = 61.3
    FORTY = 40.2
    THOUSAND = 1_000.0
    MILLISECOND = 0.001
