"""The rules of a pod: what it may set, and how many containers and ports it has."""

from __future__ import annotations

import re
from typing import cast

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.specs.containers import errors_of_container
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, below, errors_of
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json
from flyteapps_fake.flyte_oss.kubernetes.specs.volumes import errors_of_volumes
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import MAX_INT32, forbidden, invalid, missing, out_of_bounds

FORBIDDEN = {
    "affinity": True,
    "dnsConfig": False,
    "dnsPolicy": False,
    "hostAliases": False,
    "hostIPC": False,
    "hostNetwork": True,
    "hostPID": False,
    "initContainers": True,
    "nodeSelector": True,
    "priorityClassName": False,
    "runtimeClassName": False,
    "schedulerName": False,
    "securityContext": True,
    "shareProcessNamespace": False,
    "tolerations": True,
    "topologySpreadConstraints": False,
}
"""The fields of a pod whose features are off by default; whether their refusal was seen."""
SECURITY_FIELDS = (
    "appArmorProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxChangePolicy",
    "seLinuxOptions",
    "seccompProfile",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "sysctls",
    "windowsOptions",
)
"""The fields of a pod's securityContext, none of which may be set either."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_SUBDOMAIN_BYTES = 253
_NO_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN.pattern}')"
)


def _ports(pod: Json) -> int:
    return sum(len(each.get("ports", ())) for each in pod.get("containers", ()))


def _account(pod: Json) -> str:
    return pod.get("serviceAccountName", "")


PODS: tuple[Rule[Json], ...] = (
    *(
        Rule[Json](
            f"a pod's {field}", lambda pod, field=field: field in pod, lambda _, field=field: forbidden(field), seen
        )
        for field, seen in FORBIDDEN.items()
    ),
    Rule(
        "automountServiceAccountToken that is true",
        lambda pod: pod.get("automountServiceAccountToken") is True,
        lambda _: forbidden("automountServiceAccountToken"),
    ),
    Rule(
        "a pod's initContainers: the feature",
        lambda pod: "initContainers" in pod,
        lambda pod: FieldError(
            f"pod spec support for init-containers is off, but found {len(pod['initContainers'])} init containers", ()
        ),
        seen=True,
    ),
    Rule(
        "a pod with an empty list of containers",
        lambda pod: not pod.get("containers"),
        lambda _: missing("containers"),
        seen=True,
    ),
    Rule(
        "several containers without a port",
        lambda pod: len(pod.get("containers", ())) > 1 and not _ports(pod),
        lambda _: missing("containers[*].ports"),
        seen=True,
    ),
    Rule(
        "two ports, of one container or of several",
        lambda pod: _ports(pod) > 1,
        lambda _: FieldError(
            "more than one container port is set",
            ("containers[*].ports",),
            "Only a single port is allowed across all containers",
        ),
        seen=True,
    ),
    Rule(
        "a service account of over 253 bytes",
        lambda pod: len(_account(pod).encode()) > _MAX_SUBDOMAIN_BYTES,
        lambda pod: invalid(_account(pod), "serviceAccountName", f"must be no more than {_MAX_SUBDOMAIN_BYTES} bytes"),
        seen=True,
    ),
    Rule(
        "a service account that is no lower-case subdomain",
        lambda pod: bool(_account(pod)) and not _SUBDOMAIN.fullmatch(_account(pod)),
        lambda pod: invalid(_account(pod), "serviceAccountName", _NO_SUBDOMAIN),
        seen=True,
    ),
)
SECURITY: tuple[Rule[Json], ...] = (
    *(
        Rule[Json](
            f"a pod's securityContext.{field}",
            lambda context, field=field: context.get(field) not in (None, "", [], {}),
            lambda _, field=field: forbidden(field),
        )
        for field in SECURITY_FIELDS
    ),
    *(
        Rule[Json](
            f"a pod's securityContext.{field} that is negative or over 2147483647",
            lambda context, field=field: not 0 <= _whole(context, field) <= MAX_INT32,
            lambda context, field=field: out_of_bounds(0, _whole(context, field), MAX_INT32, field),
        )
        for field in ("runAsUser", "runAsGroup", "fsGroup")
    ),
)


def errors_of_pod(pod: Json) -> list[FieldError]:
    """Return the errors of a pod, with paths from it."""
    containers: list[Json] = pod.get("containers", [])
    every = [*pod.get("initContainers", ()), *containers]
    mounted = frozenset(mount.get("name", "") for each in every for mount in each.get("volumeMounts", ()))
    volumes: list[Json] = pod.get("volumes", [])
    context = pod.get("securityContext")
    security: Json = cast("Json", context) if isinstance(context, dict) else {}
    return [
        *errors_of(PODS, pod),
        *below("securityContext", errors_of(SECURITY, security)),
        *errors_of_volumes(volumes, mounted),
        *_errors_of_containers(containers, {each.get("name", ""): each for each in volumes}),
    ]


def _errors_of_containers(containers: list[Json], volumes: dict[str, Json]) -> list[FieldError]:
    serving = [each["ports"][0] for each in containers if "ports" in each]
    port_name = serving[-1].get("name", "http") if serving else "http"
    if len(containers) == 1:
        return below("containers[0]", errors_of_container(containers[0], volumes, port_name, sidecar=False))
    return _errors_of_several(containers, volumes, port_name)


def _errors_of_several(containers: list[Json], volumes: dict[str, Json], port_name: str) -> list[FieldError]:
    names: set[str] = set()
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        found = errors_of_container(container, volumes, port_name, sidecar="ports" not in container)
        name = container.get("name")
        if name in names:  # Knative also puts what is wrong with the containers before at the path of this one
            found.append(FieldError(f"duplicate container name {quoted(name)}", ("name",)))
        elif name:
            names.add(name)
        errors += below(f"containers[{index}]", found)
    return errors


def _whole(context: Json, field: str) -> int:
    number = context.get(field, 0)
    return int(number) if isinstance(number, (int, float)) else 0
