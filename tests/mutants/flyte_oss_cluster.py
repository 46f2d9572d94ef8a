"""Wrong planes of the dialect `flyte-oss`, in what the cluster behind the backend refuses."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.flyte_oss import reads, writes
from flyteapps_fake.flyte_oss.kubernetes import admission, rules, sizes
from flyteapps_fake.flyte_oss.kubernetes.admission import Admission
from flyteapps_fake.flyte_oss.writes import Writes

from .planting import around, mutant, same

Planted = AbstractContextManager[Any]


@mutant("OSS-55")
def a_name_of_a_cluster_may_have_any_character() -> Planted:
    return patch.object(admission, "OBJECTS", ())


@mutant("OSS-55")
def a_label_may_have_any_length() -> Planted:
    return patch.object(admission, "LABELS", rules.LABELS[1:])


@mutant("OSS-55")
def a_label_may_have_any_character() -> Planted:
    return patch.object(admission, "LABELS", rules.LABELS[:1])


@mutant("OSS-55")
def a_service_may_have_a_dot_in_its_name() -> Planted:
    rule = rules.WEBHOOK[0]
    bare = rule._replace(values=lambda name: rule.values(name.replace(".", "-")))
    return patch.object(admission, "WEBHOOK", (bare,))


@mutant("OSS-55")
def a_bad_name_is_the_callers_mistake() -> Planted:
    def refuse(failed: str, refusal: str | None) -> None:
        if refusal is not None:
            invalid = "is invalid" in refusal
            raise RpcError(Code.INVALID_ARGUMENT if invalid else Code.INTERNAL, f"{failed}: {refusal}")

    return patch.object(writes, "_refuse", refuse)


@mutant("OSS-56")
def a_slash_is_found_by_the_api_server() -> Planted:
    return patch.object(admission, "NAMES", ())


@mutant("OSS-56")
def a_slash_can_be_deleted() -> Planted:
    def check_name(real: Any, cluster: Any, failed: str, resource: str) -> None:
        if "delete" not in failed:
            real(cluster, failed, resource)

    real = writes.check_name
    return patch.object(writes, "check_name", lambda *arguments: check_name(real, *arguments))


@mutant("OSS-57")
def a_selector_is_escaped() -> Planted:
    return patch.object(Admission, "selector_of", same(None))


@mutant("OSS-57")
def a_bad_selector_finds_nothing() -> Planted:
    def selector(real: Any, *arguments: Any) -> Any:
        try:
            return real(*arguments)
        except RpcError:
            return None

    real = reads._selector
    return patch.object(reads, "_selector", lambda *arguments: selector(real, *arguments))


@mutant("OSS-58")
def an_annotation_may_have_any_size() -> Planted:
    return patch.object(admission, "ANNOTATIONS", ())


@mutant("OSS-58")
def an_annotation_holds_the_spec_as_it_is() -> Planted:
    return patch.object(sizes, "_base64_bytes", lambda written: len(written.spec))


@mutant("OSS-58")
def a_request_of_a_cluster_may_have_any_size() -> Planted:
    return patch.object(admission, "REQUESTS", ())


@mutant("OSS-59")
def what_is_refused_is_stored() -> Planted:
    def deploy(real: Any, self: Writes, app: Any) -> Any:
        try:
            return (yield from real(self, app))
        except RpcError:
            with patch.object(Admission, "refusal_of_object", same(None)):
                yield from real(self, app)
            raise

    return around(Writes, "_deploy", deploy)
