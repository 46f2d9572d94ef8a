"""The guarantees of the dialect `flyte-oss` about the cluster behind the backend, which refuses what that takes."""

from __future__ import annotations

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, Guarantee


def _row(id_: str, text: str, *steps: str, read: str = "", seen: str = "") -> Guarantee:
    return Guarantee(id_, text, ("oss",), FLYTE_OSS, "cluster", steps, read, seen)


GUARANTEES: tuple[Guarantee, ...] = (
    _row(
        "OSS-55",
        "A cluster refuses Create of an app whose RESOURCE is no RFC 1123 subdomain, or whose name, project or domain "
        "is no label of at most 63 bytes: INTERNAL, `failed to create KService RESOURCE: Service.serving.knative.dev "
        '"RESOURCE" is invalid: ...`. Knative refuses one that is no DNS 1035 label: with a dot, or a digit first. '
        "Kubernetes in memory takes all of these.",
        seen="K and K+W refuse `_`, a blank, a non-ASCII letter, a hyphen first or last, nothing as a name, 64 bytes, "
        "an empty domain, a dot as the 54th character; K+W alone refuses a dot elsewhere, and a digit first",
        read="the words after the first; that all that the API server refuses is in one message, labels in a random "
        "order; that a cluster in memory takes the names",
    ),
    _row(
        "OSS-56",
        "With a cluster, no request can be about an id with `/`: Create and Get are INTERNAL, `failed to get KService "
        "RESOURCE: invalid resource name`, and so are Delete and an update that stops, in their words.",
        seen="K and K+W refuse Create, Get and Delete; F takes them",
        read="the words of Delete and of an update that stops; that `%` is refused, too",
    ),
    _row(
        "OSS-57",
        "A cluster's List selects by a text in which project and domain are not escaped: of a project that is no label "
        "it is INTERNAL, `failed to list KServices for PROJECT/DOMAIN: ...`. In memory it finds nothing.",
        seen="K and K+W: `-p`, `a/b`, 64 characters, and `a b`, which is a parse error",
        read="that Watch fails so, too; that `p,KEY=VALUE` selects by that label; that in memory nothing is found",
    ),
    _row(
        "OSS-58",
        "A cluster stores the spec in base64 in an annotation: where it has more than about 196,500 bytes Create and "
        "Update are INTERNAL, `metadata.annotations: Too long: may not be more than 262144 bytes`; where the whole "
        "request has more than 3 MiB, `Request entity too large: limit is 3145728`. In memory there is no limit.",
        "http / 6 MB request",
        seen="K and K+W take 196,000 bytes, refuse 200,000 and, in the other words, 2 MB",
        read="that the limit counts the keys and values of all annotations",
    ),
    _row(
        "OSS-59",
        "A write that the cluster refuses changes nothing: the app and what Get keeps of it stay, no event comes, the "
        "next write is taken.",
        read="all of it: the backend returns the error before it writes anything, and forgets no answer of Get",
    ),
    _row(
        "OSS-60",
        "Knative refuses an app without an image, with one that is no reference, with two ports, a port over 65535 "
        "or one of its own, or with a port name other than http1 and h2c: INTERNAL, `failed to create KService "
        'RESOURCE: admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: '
        "...`, a line for each error, in order of the words. Without Knative these are taken.",
        seen="K+W refuses all of these, ports 8012, 8022 and 9090 among them; F takes them",
        read="the words after `validation failed: `; that ports 8008, 8013 and 9091 are refused, too",
    ),
    _row(
        "OSS-61",
        "Knative refuses variables that it sets, such as PORT; the API server a variable that comes twice, also one of "
        "those that the backend adds: `... is invalid: spec.template.spec.containers[0].env[1]: Duplicate value: ...`.",
        seen="K+W refuses PORT, K_SERVICE and K_REVISION; K and K+W a variable that comes twice, and "
        "FLYTE_INTERNAL_EXECUTION_PROJECT",
        read="the words; that K_CONFIGURATION is refused, too",
    ),
    _row(
        "OSS-62",
        "Knative refuses a max under the min unless it is 0, a scaling target of 0, a scaledown_period under 6 s, over "
        "1 h or with parts of a second, and a request_timeout of -1 s and less or, unless a cluster says otherwise, "
        "over 600 s.",
        seen="K+W: all of these, with the words `max-scale=1 is less than min-scale=5`",
        read="the other words; that a max of 0 is no bound, so that a min alone is taken; that a timeout's parts of a "
        "second are cut off before, and that it is 3,600 s at most; "
        "that a cluster can set another greatest timeout",
    ),
    _row(
        "OSS-63",
        "Knative refuses pods with an empty list of containers, or with several and no port, and a service account "
        "that is no RFC 1123 subdomain; and pods with an affinity, hostNetwork, hostPath, initContainers, a "
        "nodeSelector, a securityContext or tolerations, features that are off unless a cluster has them on.",
        seen="K+W, whose features are as by default: all of these",
        read="the words; that fields which Knative's resource definition doesn't have are dropped without an error; "
        "that the development cluster of 2.0.43 has affinity, nodeSelector, tolerations and persistentVolumeClaim on",
    ),
    _row(
        "OSS-64",
        "An update that Knative refuses changes nothing, `failed to update KService RESOURCE: ...`; one that stops is "
        "taken whatever its spec: it is a patch of the service as it is.",
        read="all of it; that a cluster with Flyte has `allow-zero-initial-scale: true`, without which Knative refuses "
        "each stop",
    ),
)
