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
)
