"""The rules of a container's mounts of volumes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, below, errors_of
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import forbidden, invalid, missing

RESERVED_PATHS = frozenset({"/", "/dev", "/dev/log"})


class Mount(NamedTuple):
    """A mount of `volume`, None where there is no such volume; `used`: the paths of the mounts before it."""

    fields: Json
    volume: Json | None
    used: Set[str]

    @property
    def name(self) -> str:
        """The name of the volume."""
        return self.fields.get("name", "")

    @property
    def path(self) -> str:
        """The path as it was written, "" without one."""
        return self.fields.get("mountPath", "")

    @property
    def clean(self) -> str:
        """The path without what doesn't count."""
        return _clean(self.path)


PATHS: tuple[Rule[Mount], ...] = (
    Rule("a mount without mountPath", lambda mount: not mount.path, lambda _: missing("mountPath")),
    Rule(
        "a mount at /, /dev or /dev/log",
        lambda mount: bool(mount.path) and mount.clean in RESERVED_PATHS,
        lambda mount: FieldError(f"mountPath {quoted(mount.clean)} is a reserved path", ("mountPath",)),
    ),
    Rule(
        "a mount at a relative path",
        lambda mount: bool(mount.path) and not mount.path.startswith("/"),
        lambda mount: invalid(mount.path, "mountPath"),
    ),
    Rule(
        "two mounts at one path",
        lambda mount: mount.path.startswith("/") and mount.clean in mount.used and mount.clean not in RESERVED_PATHS,
        lambda mount: invalid(f"{quoted(mount.path)} must be unique", "mountPath"),
    ),
)
MOUNTS: tuple[Rule[Mount], ...] = (
    Rule(
        "a mount of a volume that isn't there",
        lambda mount: mount.volume is None,
        lambda _: FieldError("volumeMount has no matching volume", ("name",)),
    ),
    *PATHS,
    Rule(
        "mountPropagation: the field",
        lambda mount: "mountPropagation" in mount.fields,
        lambda _: forbidden("mountPropagation"),
    ),
    Rule(
        "mountPropagation: the feature",
        lambda mount: "mountPropagation" in mount.fields,
        lambda mount: FieldError(
            f"Volume Mount Propagation support is disabled, but found volume mount {mount.name} with mount propagation",
            (),
        ),
    ),
    Rule(
        "mountPropagation other than None and HostToContainer",
        lambda mount: mount.fields.get("mountPropagation", "None") not in ("None", "HostToContainer"),
        lambda _: FieldError("mount propagation should be set to None or HostToContainer", ("mountPropagation",)),
    ),
    Rule(
        "a mount for writing of a claim that is only read",
        lambda mount: (
            bool(mount.volume)
            and mount.volume.get("persistentVolumeClaim", {}).get("readOnly", False)
            and "readOnly" not in mount.fields
        ),
        lambda _: FieldError("volume is readOnly but volume mount is not", ("readOnly",)),
    ),
)


def errors_of_mounts(mounts: Iterable[Json], volumes: dict[str, Json]) -> Iterator[FieldError]:
    """Yield the errors of a container's mounts, with paths from the container."""
    used: set[str] = set()
    for index, fields in enumerate(mounts):
        mount = Mount(fields, volumes.get(fields.get("name", "")), used)
        yield from below(f"volumeMounts[{index}]", errors_of(MOUNTS, mount))
        used.add(mount.clean)


def _clean(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}" if path.startswith("/") else path)
