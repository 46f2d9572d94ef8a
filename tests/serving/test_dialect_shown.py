"""The dialect of a server in its banner, and in /healthz."""

from __future__ import annotations

from typing import Any

import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.banner import dialect_text
from flyteapps_fake.core.settings import Settings

from .server_process import HTTP


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, ""),
        ({"dialect": "flyte-oss"}, "flyte-oss@2.0.43, kubernetes knative"),
        ({"dialect": "flyte-oss@2.0.43", "kubernetes": "none"}, "flyte-oss@2.0.43, kubernetes none"),
        (
            {"dialect": "flyte-oss", "clock": "realtime", "write_seconds": 0.5},
            "flyte-oss@2.0.43, kubernetes knative, a write takes 0.5 s",
        ),
    ],
)
def test_the_banner_names_version_and_cluster(options: dict[str, Any], text: str) -> None:
    """It has the version of the dialect and the level of its cluster, and the time of a write that was given."""
    assert dialect_text(Settings(**options)) == text


def test_healthz_has_version_cluster_and_the_time_of_a_write() -> None:
    """The standard dialect has none of these."""
    names = ("dialect", "dialect_version", "kubernetes", "write_seconds")
    with FakeControlPlane(dialect="flyte-oss", kubernetes="api", write_seconds=0.5) as plane:
        health = HTTP.get(f"{plane.serve().url}/healthz").json()
        assert [health[name] for name in names] == ["flyte-oss", "2.0.43", "api", 0.5]
    with FakeControlPlane() as plane:
        assert set(names) & HTTP.get(f"{plane.serve().url}/healthz").json().keys() == {"dialect"}
