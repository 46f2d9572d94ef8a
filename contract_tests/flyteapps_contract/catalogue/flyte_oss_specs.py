"""The guarantees of the dialect `flyte-oss` about pods, secrets, quantities, odd ids and JSON; see flyte_oss.py."""

from __future__ import annotations

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, Guarantee


def _row(id_: str, area: str, text: str, *, seen: str, read: str = "") -> Guarantee:
    return Guarantee(id_, text, ("oss",), FLYTE_OSS, area, (), read, seen)


GUARANTEES: tuple[Guarantee, ...] = (
    _row(
        "OSS-45",
        "pods",
        "A pod with the stored spec may be written all the same, since maps are hashed in random order: with one "
        "UpdateEvent, and the org as sent; conditions and replicas stay. Where no map has two entries it is as OSS-8 "
        "says.",
        seen="an unchanged Create of a map of 2 entries was written 1 time of 6 on F, 3 of 6 on K; one of 8 entries, 6 "
        "of 6",
        read="that it is the maps alone; that an unchanged template is no new revision",
    ),
    _row(
        "OSS-46",
        "pods",
        "A pod_spec is decoded into Kubernetes' PodSpec: what has another type, a bad quantity, and a value without a "
        "form in JSON are INTERNAL, `failed to build KService for app RESOURCE: failed to unmarshal K8sPod spec: ...`, "
        "in the words of Go, and change nothing. Unknown fields are ignored; names match in any case.",
        seen="35 such specs on F, among them numbers as image, name, args and env value, ports as text and 80.5, "
        'hostNetwork "true", tolerations {}, bad quantities of init containers, volumes and overhead, NaN, a value '
        "without a kind",
        read="that names match in any case",
    ),
    _row(
        "OSS-47",
        "secrets",
        "A secret with an unknown mount_requirement, or one over 256 KiB as text in base32, is INTERNAL, `failed to "
        "build KService for app RESOURCE: failed to marshal secrets: ...`, and nothing is stored.",
        seen="mount_requirement 3, 7 and -1, and a secret over that size, on F",
        read="that it is the size as text in base32",
    ),
    _row(
        "OSS-48",
        "quantities",
        "Quantities are those of Kubernetes' parser, which takes a sign, a point, an exponent or a suffix without "
        "digits: `.`, `+`, `-`, `e3`, `Ki`.",
        seen="these five on F; 71 more texts were taken or refused as here",
    ),
    _row(
        "OSS-49",
        "ids",
        "Where no cluster refuses slashes, an id with some in its project or domain is shown as PROJECT/DOMAIN/NAME "
        "split at its first two: in Get, List, events and the URL; it is watched by the name that is shown. Ids of one "
        "such text share the cached answer of Get.",
        seen="on F: (a/b, c, n) is shown as (a, b, c/n), with a URL of c/n-a-b; (a/b, c) and (a, b/c) share an answer",
        read="that it is watched by the name that is shown",
    ),
    _row(
        "OSS-50",
        "ids",
        "Where no cluster refuses letters beyond ASCII, a resource name is put in lower case character by character, "
        "counted in bytes of UTF-8, and cut after 54 of them.",
        seen="on F",
    ),
    _row(
        "OSS-51",
        "wire",
        "JSON is decoded as by Go's protojson: a field, a key or a oneof twice, a BOM, UTF-16, `+5` in a string, a "
        "bool as an enum, ten digits of a second are INVALID_ARGUMENT; unknown names of an enum's values, also a "
        "number in a string, and names in brackets are dropped.",
        seen="on F, but for members of a oneof",
        read="that two members of a oneof can't come",
    ),
)
