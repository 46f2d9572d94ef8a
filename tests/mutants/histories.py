"""Wrong planes: histories, concurrent and repeated."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_fake.standard import writes
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.commits import State

from .planting import around, mutant


@mutant("HI-1")
def an_acknowledged_update_is_lost() -> AbstractContextManager[Any]:
    counted = [0]

    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        counted[0] += 1
        return real(state, request) if counted[0] % 5 else AppKey.of(request.app.metadata.id)

    return around(writes, "update", update)


@mutant("HI-2")
def the_subdomain_is_random() -> AbstractContextManager[Any]:
    import secrets

    return patch.object(
        writes, "generated_subdomain", lambda seed, key, incarnation: f"{key.name.lower()}-{secrets.token_hex(4)}"
    )
