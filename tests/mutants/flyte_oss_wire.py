"""Wrong planes of the dialect `flyte-oss` whose servers read or answer bytes otherwise than the backend's."""
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import PropertyMock, patch

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.rules.wire import WireRules
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.flyte_oss import request_limits
from flyteapps_fake.flyte_oss.dialect import FlyteOss
from flyteapps_fake.flyte_oss.watch_hub import Subscription

from .planting import around, mutant, same

Planted = AbstractContextManager[Any]
STANDARD = WireRules()


def with_rules(**changes: Any) -> Planted:
    """Serve the dialect with other wire rules."""
    limits = replace(request_limits.LIMITS, wire=replace(request_limits.LIMITS.wire, **changes))
    return patch.object(FlyteOss, "request_limits", PropertyMock(return_value=limits))


@mutant("OSS-65")
def a_deadline_ends_each_watch_as_such() -> Planted:
    return patch.object(Subscription, "late", OpenStream.late)


@mutant("OSS-65")
def a_deadline_of_an_absent_app_is_not_wrapped() -> Planted:
    def late(real: Any, self: Subscription) -> RpcError | None:
        error = real(self)
        return RpcError(Code.UNAVAILABLE, error.message) if error is not None and error.code is Code.INTERNAL else error

    return around(Subscription, "late", late)


@mutant("OSS-66")
def base64_is_the_callers_mistake() -> Planted:
    return with_rules(base64=STANDARD.base64)


@mutant("OSS-66")
def broken_gzip_is_the_callers_mistake() -> Planted:
    return with_rules(gzip=STANDARD.gzip)


@mutant("OSS-66")
def broken_gzip_is_read_as_empty() -> Planted:
    return with_rules(gzip=same(None))


@mutant("OSS-67")
def frames_are_read_as_the_standard_does() -> Planted:
    return with_rules(one_message=STANDARD.one_message)


@mutant("OSS-67")
def an_empty_frame_is_no_json() -> Planted:
    return with_rules(empty_frames=False)


@mutant("OSS-68")
def content_types_have_any_parameters() -> Planted:
    return with_rules(unary_types=(), stream_types=())


@mutant("OSS-69")
def any_version_is_taken() -> Planted:
    return with_rules(versions=False)


@mutant("OSS-69")
def what_is_empty_is_malformed() -> Planted:
    return with_rules(empty_is_absent=False)


@mutant("OSS-69")
def a_negative_timeout_is_malformed() -> Planted:
    return with_rules(past_deadlines=False)


@mutant("OSS-70")
def small_answers_are_plain() -> Planted:
    return with_rules(compress_from_bytes=STANDARD.compress_from_bytes)


@mutant("OSS-71")
def options_is_no_method() -> Planted:
    return with_rules(answers_options=False)


@mutant("OSS-72")
def nothing_is_at_readyz() -> Planted:
    return with_rules(ready_page=False)
