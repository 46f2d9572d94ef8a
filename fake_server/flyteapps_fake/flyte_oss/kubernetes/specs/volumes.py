"""The rules of a pod's volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, below, errors_of
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import forbidden, invalid, missing, one_of

OFF = {
    "image": "Image",
    "hostPath": "HostPath",
    "csi": "CSI",
    "ephemeral": "Ephemeral",
}
"""The kinds of volumes that are off by default, with their names in errors; claims are worded otherwise."""
KINDS = (
    "secret",
    "configMap",
    "projected",
    "emptyDir",
    "persistentVolumeClaim",
    "hostPath",
    "csi",
    "ephemeral",
    "image",
)
OFFERED = ("secret", "configMap", "projected", "emptyDir")
SOURCES = ("secret", "configMap", "serviceAccountToken", "downwardAPI")
PULL_POLICIES = frozenset({"", "Always", "IfNotPresent", "Never"})

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_LABEL_BYTES = 63


class Volume(NamedTuple):
    """A volume; `mounted`: by a container. `again`: a volume before it has its name."""

    fields: Json
    mounted: bool
    again: bool

    @property
    def name(self) -> str:
        """Its name, which may be empty."""
        return self.fields.get("name", "")

    @property
    def claim(self) -> Json | None:
        """Its claim of a persistent volume, None without one."""
        return self.fields.get("persistentVolumeClaim")

    @property
    def is_named(self) -> bool:
        """Whether its name is a label."""
        return len(self.name.encode()) <= _MAX_LABEL_BYTES and bool(_LABEL.fullmatch(self.name))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of volume that it is."""
        return tuple(kind for kind in KINDS if kind in self.fields)


def _claim_name(volume: Volume) -> str:
    return (volume.claim or {}).get("claimName", "")


FEATURES: tuple[Rule[Volume], ...] = (
    Rule(
        "a volume that is a persistentVolumeClaim",
        lambda volume: volume.claim is not None,
        lambda volume: FieldError(
            f"Persistent volume claim support is disabled, but found persistent volume claim {_claim_name(volume)}", ()
        ),
    ),
    Rule(
        "a volume that is a persistentVolumeClaim for writing",
        lambda volume: volume.claim is not None and "readOnly" not in volume.claim,
        lambda volume: FieldError(
            "Persistent volume write support is disabled, but found persistent volume claim "
            f"{_claim_name(volume)} that is not read-only",
            (),
        ),
    ),
    *(
        Rule[Volume](
            f"a volume that is {kind}",
            lambda volume, kind=kind: kind in volume.fields,
            lambda volume, word=word: FieldError(
                f"{word} volume support is disabled, but found {word} volume {volume.name}", ()
            ),
            seen=kind == "hostPath",
        )
        for kind, word in OFF.items()
    ),
)
"""Of a volume whose name is a label: where it is none, Knative forgets these errors."""
VOLUMES: tuple[Rule[Volume], ...] = (
    Rule(
        "two volumes of one name",
        lambda volume: volume.again,
        lambda volume: FieldError(f"duplicate volume name {quoted(volume.name)}", ("name",)),
    ),
    Rule(
        "a volume that no container mounts",
        lambda volume: not volume.mounted,
        lambda volume: FieldError(f"volume with name {quoted(volume.name)} not mounted", ("name",)),
    ),
    Rule("a volume without a name", lambda volume: not volume.name, lambda _: missing("name")),
    Rule(
        "a volume whose name is no label",
        lambda volume: bool(volume.name) and not volume.is_named,
        lambda volume: invalid(volume.name, "name"),
    ),
    *(
        Rule[Volume](
            f"a volume that is {kind}: the field",
            lambda volume, kind=kind: kind in volume.fields,
            lambda _, kind=kind: forbidden(kind),
            seen=kind == "hostPath",
        )
        for kind in (*OFF, "persistentVolumeClaim")
    ),
    Rule(
        "a volume of no kind that Knative knows, or of several",
        lambda volume: len(volume.kinds) != 1,
        lambda volume: one_of(volume.kinds or OFFERED, len(volume.kinds)),
    ),
    Rule(
        "an emptyDir whose medium is not Memory",
        lambda volume: volume.fields.get("emptyDir", {}).get("medium", "Memory") != "Memory",
        lambda volume: invalid(volume.fields["emptyDir"]["medium"], "emptyDir.medium"),
    ),
    Rule(
        "an image volume without a reference",
        lambda volume: "image" in volume.fields and "reference" not in volume.fields["image"],
        lambda _: missing("image.reference"),
    ),
    Rule(
        "an image volume with a pullPolicy that is none",
        lambda volume: volume.fields.get("image", {}).get("pullPolicy", "") not in PULL_POLICIES,
        lambda volume: invalid(volume.fields["image"]["pullPolicy"], "image.pullPolicy"),
    ),
)
ITEMS: tuple[Rule[Json], ...] = (
    Rule("an item of a volume without a key", lambda item: "key" not in item, lambda _: missing("key")),
    Rule("an item of a volume without a path", lambda item: "path" not in item, lambda _: missing("path")),
)
FILES: tuple[Rule[Json], ...] = (
    Rule(
        "an item of a downwardAPI with neither fieldRef nor resourceFieldRef",
        lambda item: "fieldRef" not in item and "resourceFieldRef" not in item,
        lambda _: one_of(("fieldRef", "resourceFieldRef"), 0),
    ),
    Rule(
        "an item of a downwardAPI with both of them",
        lambda item: "fieldRef" in item and "resourceFieldRef" in item,
        lambda _: FieldError("Within a single item, cannot set both", ("resourceFieldRef", "fieldRef")),
    ),
    *ITEMS[1:],
)
PROJECTIONS: tuple[Rule[Json], ...] = (
    Rule(
        "a projected source of no kind, or of several",
        lambda source: len(source) != 1,
        lambda source: one_of(tuple(each for each in SOURCES if each in source) or SOURCES, len(source)),
    ),
    *(
        Rule[Json](
            f"a projected {kind} without its {field}",
            lambda source, kind=kind, field=field: kind in source and field not in source[kind],
            lambda _, kind=kind, field=field: missing(f"{kind}.{field}"),
        )
        for kind, field in (("secret", "name"), ("configMap", "name"), ("serviceAccountToken", "path"))
    ),
)


def errors_of_volumes(volumes: list[Json], mounted: frozenset[str]) -> Iterator[FieldError]:
    """Yield the errors of a pod's volumes, with paths from the pod. `mounted`: the names that containers mount."""
    names: set[str] = set()
    for index, fields in enumerate(volumes):
        name = fields.get("name", "")
        volume = Volume(fields, name in mounted, name in names)
        names.add(name)
        yield from below(f"volumes[{index}]", _errors(volume))


def _errors(volume: Volume) -> Iterator[FieldError]:
    if volume.is_named:
        yield from errors_of(FEATURES, volume)
    yield from errors_of(VOLUMES, volume)
    for kind in ("secret", "configMap"):
        yield from _errors_of_items(volume.fields.get(kind, {}), ITEMS)
    for index, source in enumerate(volume.fields.get("projected", {}).get("sources", ())):
        yield from below(f"projected[{index}]", _errors_of_source(source))


def _errors_of_source(source: Json) -> Iterator[FieldError]:
    yield from errors_of(PROJECTIONS, source)
    for kind, rules in (("secret", ITEMS), ("configMap", ITEMS), ("downwardAPI", FILES)):
        yield from below(kind, _errors_of_items(source.get(kind, {}), rules))


def _errors_of_items(source: Json, rules: tuple[Rule[Json], ...]) -> Iterator[FieldError]:
    for index, item in enumerate(source.get("items", ())):
        yield from below(f"items[{index}]", errors_of(rules, item))
