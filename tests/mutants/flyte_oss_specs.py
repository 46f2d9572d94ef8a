"""Wrong planes of the dialect `flyte-oss`, in what they make of a spec (its hash, pod, secrets), odd ids and JSON."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import PropertyMock, patch

from flyteidl2.app.app_definition_pb2 import Identifier

from flyteapps_fake.core import draws
from flyteapps_fake.flyte_oss import answers, names, payloads, request_limits, services, writes
from flyteapps_fake.flyte_oss.building import pod_spec, quantities, secrets
from flyteapps_fake.flyte_oss.dialect import FlyteOss
from flyteapps_fake.flyte_oss.go_json import decoder
from flyteapps_fake.flyte_oss.services import Service

from .flyte_oss import in_place_of_resource_name
from .planting import all_of, around, mutant, same

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


@mutant("OSS-46")
def a_pod_spec_may_hold_anything() -> Planted:
    return patch.object(payloads, "check_pod_spec", same(None))


@mutant("OSS-46")
def names_in_another_case_are_unknown() -> Planted:
    def field_of(struct: str, key: str) -> Any:
        return pod_spec._fields_of(struct)[0].get(key)

    return patch.object(pod_spec, "_field_of", field_of)


@mutant("OSS-46")
def unknown_fields_of_a_pod_are_refused() -> Planted:
    def field_of(real: Any, struct: str, key: str) -> Any:
        found = real(struct, key)
        if found is None:
            raise pod_spec.PodSpecError(f'json: unknown field "{key}"')
        return found

    return around(pod_spec, "_field_of", field_of)


@mutant("OSS-46")
def embedded_structs_are_left_out_of_paths() -> Planted:
    def field_of(real: Any, struct: str, key: str) -> Any:
        found = real(struct, key)
        return found and found._replace(path=found.path[-1:])

    return around(pod_spec, "_field_of", field_of)


@mutant("OSS-46")
def nan_is_a_number_of_a_pod() -> Planted:
    return patch.object(pod_spec, "_check_values", same(None))


@mutant("OSS-47")
def any_mount_is_taken() -> Planted:
    def error(real: Any, secrets: Any) -> str:
        found = real(secrets)
        return "" if found.startswith("invalid mount") else found

    return around(payloads, "secrets_error", error)


@mutant("OSS-47")
def a_secret_is_measured_in_characters() -> Planted:
    return patch.object(secrets, "_OTHER", re.compile(rb"(?!)"))


@mutant("OSS-48")
def a_quantity_needs_digits() -> Planted:
    def error(real: Any, text: str) -> str:
        return real(text) if re.search("[0-9]", text) and text != "e3" else quantities.FORMAT

    return all_of(around(payloads, "quantity_error", error), around(pod_spec, "quantity_error", error))


@mutant("OSS-49")
def an_id_is_shown_as_it_was_sent() -> Planted:
    return patch.object(services, "shown_id", lambda *words: words)


@mutant("OSS-49")
def answers_are_cached_by_the_parts_of_an_id() -> Planted:
    return patch.object(answers, "shown_id", lambda *words: words)


@mutant("OSS-49")
def an_id_with_slashes_is_watched_by_the_name_that_was_sent() -> Planted:
    return patch.object(Service, "shown_name", property(lambda self: self.name))


@mutant("OSS-50")
def letters_are_lowered_as_words() -> Planted:
    return patch.object(names, "lowered", str.lower)


@mutant("OSS-50")
def a_resource_name_is_cut_by_characters() -> Planted:
    def name(app_id: Identifier) -> str:
        whole = names.lowered(f"{app_id.name}-{app_id.project}-{app_id.domain}")
        plain = names.resource_name(app_id)
        if len(whole) <= names.MAX_LABEL_LENGTH:
            return whole
        return f"{whole[:54]}-{plain[-8:]}"

    return in_place_of_resource_name(name)


def _decoding(decode: Any) -> Planted:
    """Decode JSON otherwise."""
    limits = replace(request_limits.LIMITS, decode_json=decode)
    return patch.object(FlyteOss, "request_limits", PropertyMock(return_value=limits))


@mutant("OSS-51")
def json_is_decoded_as_by_python() -> Planted:
    return _decoding(None)


@mutant("OSS-51")
def a_bom_is_skipped() -> Planted:
    return _decoding(lambda text, message: decoder.decode_json(text.removeprefix("\ufeff"), message))


@mutant("OSS-51")
def an_unknown_name_of_a_state_is_refused() -> Planted:
    def enum(real: Any, token: Any, field: Any) -> Any:
        found = real(token, field)
        return found if found is not decoder._DROPPED else None

    return around(decoder, "_enum", enum)
