"""Refusals of the cluster behind the open-source plane, which have the code INTERNAL: a table of the plane's words.

Why a table: that plane passes on what Kubernetes, Knative and its own code say, and only the words tell a request that
is refused for what it holds from one that met another write, and both from a failure after which a write may have been
made. How to read it: a message is `DOING RESOURCE: WHY`; the first row with such a beginning and such a reason explains
it, and a message without a row is a failure of the plane. A refused request was not carried out; where its row has a
class of the caller's errors it isn't tried again. Each row holds a whole message (tests/client/test_trouble.py).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from flyteapps.errors import AppNotFound, Error, InvalidArgument
from flyteapps.flows.methods import WRITES
from flyteapps.transports.explanations.trouble import Explanation


class Refusal(NamedTuple):
    """One kind of refusal.

    `sample`: a whole message. `doing`: the beginnings of a message. `why`: a pattern for the beginning of its reason.
    `note`: what happened, and what to do. `kind`: the error's class, None for a request that met another write, which
    has its code's own. `rpcs`: the row is for these alone, if there are any.
    """

    sample: str
    doing: tuple[str, ...]
    why: str
    note: str
    kind: type[Error] | None = None
    rpcs: tuple[str, ...] = ()

    def matches(self, message: str, rpc: str) -> bool:
        """Return whether the row explains that message of an RPC."""
        doing, _, why = message.removeprefix(_WRAPPED).partition(": ")
        if self.rpcs and rpc not in self.rpcs:
            return False
        return doing.startswith(self.doing) and re.match(self.why, why, re.DOTALL) is not None


_WRAPPED = "internal: "
"""The opening of an error of the plane's inner service that its outer one passes on as a text."""
_CREATE, _UPDATE = "failed to create KService ", "failed to update KService "
_PATCH, _DELETE = "failed to patch KService ", "failed to delete KService "
_GET, _LIST = "failed to get KService ", "failed to list KServices "
_SERVICE = r'services\.serving\.knative\.dev ".*"'
_REFUSED = "the cluster refused the app"

TABLE = (
    Refusal(
        'failed to create KService a_b-demo-dev: Service.serving.knative.dev "a_b-demo-dev" is invalid: metadata.name: '
        'Invalid value: "a_b-demo-dev": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric ...',
        (_CREATE, _UPDATE),
        r'Service\.serving\.knative\.dev ".*" is invalid: ',  # metadata.annotations: Too long is one, too
        f"{_REFUSED}: correct it",
        InvalidArgument,
    ),
    Refusal(
        'failed to create KService a-demo-dev: admission webhook "validation.webhook.serving.knative.dev" denied the '
        "request: validation failed: expected 0 <= 700 <= 600: spec.template.spec.timeoutSeconds",
        (_CREATE, _UPDATE, _PATCH, _DELETE),
        r'admission webhook ".*?" denied the request',
        f"{_REFUSED}: correct it",
        InvalidArgument,
    ),
    Refusal(
        "failed to create KService hello-demo-dev: Request entity too large: limit is 3145728",
        (_CREATE, _UPDATE),
        "Request entity too large",
        f"{_REFUSED}: make its spec smaller",
        InvalidArgument,
    ),
    Refusal(
        "failed to build KService for app hello-demo-dev: failed to marshal secrets: invalid mount requirement [3]",
        ("failed to build KService for app ",),
        "",
        "the plane can't make anything for the cluster of this spec: correct it",
        InvalidArgument,
    ),
    Refusal(
        "failed to get KService a/b-demo-dev: invalid resource name \"a/b-demo-dev\": [may not contain '/']",
        (_GET, _PATCH, _DELETE),
        "invalid resource name ",
        "the cluster refused the name of the app, its project and domain included: choose another",
        InvalidArgument,
    ),
    Refusal(
        "failed to list KServices for -p/dev: unable to parse requirement: values[0][flyte.org/project]: Invalid "
        'value: "-p": a valid label must be an empty string or consist of alphanumeric characters, ...',
        (_LIST, "failed to list pods "),
        r"unable to parse requirement: |found '.*',? expected: ",
        "the cluster refused what selects the apps, the project and the domain: choose others",
        InvalidArgument,
    ),
    Refusal(
        "failed to list KServices for demo/dev: invalid continue token: continue key is not valid: illegal base64 data "
        "at input byte 0",
        (_LIST,),
        "invalid continue token: |continue key is not valid: |The provided continue parameter is too old",
        "the cluster refused the token of the page: list anew, without a token",
        InvalidArgument,
    ),
    Refusal(
        "failed to update KService hello-demo-dev: Operation cannot be fulfilled on services.serving.knative.dev "
        '"hello-demo-dev": the object has been modified; please apply your changes to the latest version and try again',
        (_UPDATE, _PATCH, _DELETE),
        "Operation cannot be fulfilled on ",
        "another write came between",
    ),
    Refusal(
        'failed to create KService hello-demo-dev: services.serving.knative.dev "hello-demo-dev" already exists',
        (_CREATE,),
        f"{_SERVICE} already exists$",
        "another client created it meanwhile",
    ),
    Refusal(
        'failed to update KService hello-demo-dev: services.serving.knative.dev "hello-demo-dev" not found',
        (_UPDATE,),
        f"{_SERVICE} not found$",
        "it was deleted meanwhile",
        AppNotFound,  # another attempt would create it anew
        rpcs=("Update",),
    ),
    Refusal(
        'failed to update KService hello-demo-dev: services.serving.knative.dev "hello-demo-dev" not found',
        (_UPDATE,),
        f"{_SERVICE} not found$",
        "it was deleted meanwhile",
    ),
)


def refused(message: str, rpc: str) -> Explanation | None:
    """Return the explanation of an INTERNAL of an RPC, None for one that is no refusal of a cluster."""
    for row in TABLE:
        if row.matches(message, rpc):
            writes = rpc in WRITES
            note = f"{row.note}; nothing was written" if writes else row.note
            collided = writes and row.kind is None
            return Explanation(f"{message} ({note})", row.kind, reached=False, collided=collided)
    return None
