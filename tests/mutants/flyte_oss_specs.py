"""Wrong planes of the dialect `flyte-oss`, in what they make of a spec: its hash, its pod, its secrets."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteapps_fake.core import draws
from flyteapps_fake.flyte_oss import writes

from .planting import mutant, same

Planted = AbstractContextManager[Any]


@mutant("OSS-45")
def an_unchanged_pod_is_never_written() -> Planted:
    return patch.object(writes, "drawn_order", same(b""))


@mutant("OSS-45")
def any_unchanged_pod_is_written() -> Planted:
    def order(spec: Any, seed: Any, resource: str, number: int) -> bytes:
        return draws.drawn(seed, resource, number)[:8] if spec.HasField("pod") else b""

    return patch.object(writes, "drawn_order", order)


@mutant("OSS-45")
def an_unchanged_pod_restarts() -> Planted:
    return patch.object(writes, "_same_template", same(False))
