"""The values of the commands' fields, an enum a field. The first member is the plainest: shrinking leads there."""

from __future__ import annotations

from enum import Enum

from flyteidl2.app import app_definition_pb2 as model

POD_TEXT = """spec { pod { pod_spec { fields { key: "containers" value { list_value { values { struct_value {
fields { key: "name" value { string_value: "app" } }
fields { key: "image" value { string_value: "example.org/app:%d" } } } } } } } } } }"""


class SlotName(Enum):
    """An id of the sequence (slots.py): apps A and B, and ids that differ from theirs in one part."""

    A = "a"
    B = "b, whose name begins with a's"
    A_OTHER_CASE = "a, in upper case"
    A_OTHER_HYPHEN = "a, with the hyphen between name and project elsewhere"
    A_OTHER_PROJECT = "a in another project"
    A_OTHER_DOMAIN = "a in another domain"
    A_OTHER_ORG = "a in another org"
    LONG = "a long name"
    LONG_OTHER_CASE = "the long name, in upper case"


class Payload(Enum):
    """The payload of an app, in the text format."""

    FIRST = 'spec { container { image: "example.org/app:1" } }'
    SECOND = 'spec { container { image: "example.org/app:2" } }'
    ENVIRONMENT = 'spec { container { image: "example.org/app:1" env { key: "K" value: "v" } } }'
    ARGUMENTS = 'spec { container { image: "example.org/app:1" args: "serve" } }'
    POD = POD_TEXT % 1
    OTHER_POD = POD_TEXT % 2
    NONE = ""


class Extra(Enum):
    """A text merged into the app, in the text format."""

    NONE = ""
    LABEL = 'metadata { labels { key: "team" value: "red" } }'
    FAILING = "# the labels with which apps fail here"
    SCALED = "spec { autoscaling { replicas { min: 1 max: 2 } } }"
    SUBDOMAIN = 'spec { ingress { subdomain: "mine" } }'
    CREATOR = 'spec { creator { user { id { subject: "somebody" } } } }'
    LINK = 'spec { links { path: "/x" title: "x" } }'
    REVISION = "metadata { revision: 7 }"
    STATUS = (
        'status { assigned_cluster: "mine" current_replicas: 7 '
        "conditions { deployment_status: DEPLOYMENT_STATUS_ACTIVE } }"
    )


class DesiredState(Enum):
    """The desired state that a client sends."""

    ACTIVE = model.Spec.DESIRED_STATE_ACTIVE
    STOPPED = model.Spec.DESIRED_STATE_STOPPED
    STARTED = model.Spec.DESIRED_STATE_STARTED
    UNSPECIFIED = model.Spec.DESIRED_STATE_UNSPECIFIED


class ListScope(Enum):
    """The scope of a List."""

    PROJECT = "project"
    OTHER_PROJECT = "the other project"
    OTHER_DOMAIN = "the other domain"
    ALL = "all apps"


class ListLimit(Enum):
    """The limit of a List; 0 is none."""

    NONE = 0
    ONE = 1
    TWO = 2
    THREE = 3


class StreamNumber(Enum):
    """An open stream, by its place among those that are open."""

    FIRST = 0
    SECOND = 1
    THIRD = 2


class Seconds(Enum):
    """Seconds by which time is moved: parts of a start, parts of the cache's 30 s, and more than both."""

    TENTH = 0.1
    ELEVEN = 11.0
    TWENTY = 20.5
    MINUTES = 301.0


class BadCall(Enum):
    """A call that is refused, whatever is there."""

    CREATE_WITHOUT_ID = "Create without an identifier"
    CREATE_WITHOUT_SPEC = "Create without a spec"
    CREATE_WITHOUT_PAYLOAD = "Create without a payload"
    CREATE_POD_WITHOUT_SPEC = "Create of a pod without a pod_spec"
    UPDATE_WITHOUT_ID = "Update without an identifier"
    UPDATE_WITHOUT_PAYLOAD = "Update without a payload"
    GET_WITHOUT_ID = "Get without an identifier"
    GET_BY_INGRESS = "Get by ingress"
    DELETE_WITHOUT_ID = "Delete without an identifier"
    LIST_OF_ORG = "List by org"
    LIST_OF_CLUSTER = "List by cluster"
    WATCH_OF_ORG = "Watch by org"
    WATCH_OF_PROJECT = "Watch by project"
    WATCH_OF_CLUSTER = "Watch by cluster"
    UPDATE_STATUS = "UpdateStatus"
