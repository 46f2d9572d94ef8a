"""The shape of a service in Knative's resource definition; the API server drops every other field unseen.

A shape returns the value of a field as it is stored, None where that counts as not set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

Json = dict[str, Any]
Shape = Callable[[Any], Any]


def text(value: Any) -> str | None:
    """Return a text; an empty one isn't set."""
    return value if isinstance(value, str) and value else None


def integer(value: Any) -> int | None:
    """Return a whole number; 0 isn't set."""
    number = optional_integer(value)
    return number or None


def optional_integer(value: Any) -> int | None:
    """Return a whole number, which may be 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if float(value).is_integer() else None


def flag(value: Any) -> bool | None:
    """Return a flag; one that is off isn't set."""
    return True if value is True else None


def optional(value: Any) -> Any:
    """Return anything, also what is empty."""
    return value


def collection(value: Any) -> Any:
    """Return a list or a mapping; an empty one isn't set."""
    return cast("Any", value) if isinstance(value, (dict, list)) and value else None


def fields(**shapes: Shape) -> Shape:
    """Return the shape of an object that has these fields, or not; Go finds them in any case of their letters."""
    names = {name.lower(): name for name in shapes}

    def shaped(value: Any) -> Json | None:
        if not isinstance(value, dict):
            return None
        found: Json = {}
        for key, each in cast("Json", value).items():
            name = key if key in shapes else names.get(key.lower())
            if name is not None and (kept := shapes[name](each)) is not None:
                found[name] = kept
        return found

    return shaped


def items(shape: Shape) -> Shape:
    """Return the shape of a list; an empty one isn't set, and an item of another type is an empty object."""

    def shaped(value: Any) -> list[Any] | None:
        return [shape(each) or {} for each in cast("list[Any]", value)] if isinstance(value, list) and value else None

    return shaped


def kept(shape: Shape) -> Shape:
    """Return the shape of a list that is set also where it is empty."""
    return lambda value: (shape(value) or []) if isinstance(value, list) else None


_KEYS = items(fields(key=text, path=text))
_NAME = fields(name=text)
_PROBE = fields(
    exec=optional,
    grpc=optional,
    httpGet=fields(port=optional),
    tcpSocket=fields(port=optional),
    failureThreshold=integer,
    initialDelaySeconds=integer,
    periodSeconds=integer,
    successThreshold=integer,
    timeoutSeconds=integer,
)
_CONTAINER = fields(
    name=text,
    image=text,
    env=items(
        fields(
            name=text,
            valueFrom=fields(fieldRef=optional, resourceFieldRef=optional),
        )
    ),
    envFrom=items(fields(configMapRef=optional, secretRef=optional)),
    livenessProbe=_PROBE,
    ports=items(fields(containerPort=integer, name=text, protocol=text)),
    readinessProbe=_PROBE,
    startupProbe=_PROBE,
    securityContext=fields(
        capabilities=fields(add=collection),
        privileged=optional,
        runAsGroup=optional_integer,
        runAsUser=optional_integer,
    ),
    terminationMessagePolicy=text,
    volumeMounts=items(fields(mountPath=text, mountPropagation=optional, name=text, readOnly=flag)),
)
_PROJECTED = fields(
    configMap=fields(name=text, items=_KEYS),
    downwardAPI=fields(items=items(fields(fieldRef=optional, path=text, resourceFieldRef=optional))),
    secret=fields(name=text, items=_KEYS),
    serviceAccountToken=fields(path=text),
)
_VOLUME = fields(
    name=text,
    configMap=fields(items=_KEYS),
    csi=optional,
    emptyDir=fields(medium=text),
    ephemeral=optional,
    hostPath=optional,
    image=fields(pullPolicy=text, reference=text),
    persistentVolumeClaim=fields(claimName=text, readOnly=flag),
    projected=fields(sources=items(_PROJECTED)),
    secret=fields(items=_KEYS),
)
pod_spec: Shape = fields(
    affinity=optional,
    automountServiceAccountToken=optional,
    containers=kept(items(_CONTAINER)),
    dnsConfig=optional,
    dnsPolicy=text,
    hostAliases=collection,
    hostIPC=flag,
    hostNetwork=flag,
    hostPID=flag,
    imagePullSecrets=items(_NAME),
    initContainers=items(_CONTAINER),
    nodeSelector=collection,
    priorityClassName=text,
    runtimeClassName=optional,
    schedulerName=text,
    securityContext=optional,
    serviceAccountName=text,
    shareProcessNamespace=optional,
    tolerations=collection,
    topologySpreadConstraints=collection,
    volumes=items(_VOLUME),
)
"""Return the fields of a pod that the rules are about, as far as the API server stores them."""
