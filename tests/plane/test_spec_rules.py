"""The rules of the cluster for specs, row by row: what is refused, and in which words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError, joined
from flyteapps_fake.flyte_oss.kubernetes.spec_rules import schema_errors, violations
from flyteapps_fake.flyte_oss.kubernetes.specs import containers, mounts, pods, probes, scaling, volumes
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, errors_of

from .spec_building import EMPTY, POD, SCALING, Spec, app_of, container, first, mounting, pod
from .spec_rows import REFUSED, TAKEN


@pytest.mark.parametrize(("spec", "text"), REFUSED)
def test_a_spec_is_refused(spec: Spec, text: str) -> None:
    """Knative's validation has exactly that text for the spec."""
    assert joined(violations(app_of(spec))) == text


@pytest.mark.parametrize("spec", TAKEN)
def test_a_spec_is_taken(spec: Spec) -> None:
    """A spec that is valid, and what the API server drops or the backend changes before it is validated, is taken."""
    app = app_of(spec)
    assert joined(violations(app)) == ""
    assert schema_errors(app) == []


def test_every_rule_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of the tables is broken by one of the specs above."""
    asked: set[str] = set()
    shown: set[str] = set()

    def recording(rules: Iterable[Rule[Any]], subject: Any) -> Iterator[FieldError]:
        found = tuple(rules)
        asked.update(rule.what for rule in found)
        shown.update(rule.what for rule in found if rule.broken(subject))
        return errors_of(found, subject)

    for module in (containers, mounts, pods, probes, scaling, volumes):
        monkeypatch.setattr(module, "errors_of", recording)
    for spec, _ in REFUSED:
        violations(app_of(spec))
    assert len(asked) > 80
    assert sorted(asked - shown) == []


def test_the_page_quotes_the_words() -> None:
    """Each wording in the table of docs/flyte-oss.md is one of those above."""
    page = (Path(__file__).parents[2] / "docs" / "flyte-oss.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("### Specs")[2].partition("\n## ")[0].splitlines() if line.startswith("| ")]
    words = {word for row in rows[2:] for word in re.findall("`([^`]+)`", row.split(" | ")[1]) if "..." not in word}
    texts = "\n".join(text for _, text in REFUSED)
    said = {word: re.sub(r"\bPOD\b", POD, word).replace("ANNOTATIONS", SCALING) for word in words}
    assert len(said) > 15
    assert [word for word, text in said.items() if text not in texts] == []


def test_several_errors_are_one_text() -> None:
    """Errors of one wording are a line with all paths, and the lines are in order of their wordings."""
    spec = {
        **container(image="", env=[{"key": "K_SERVICE"}]),
        "timeouts": {"requestTimeout": "700s"},
        "autoscaling": {"replicas": {"min": 2, "max": 1}, "scaledownPeriod": "1s"},
    }
    lines = joined(violations(app_of(spec))).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        '"K_SERVICE" is a reserved environment variable',
        "expected 0 <= 700 <= 600",
        "expected 6s <= 1s <= 1h0m0s",
        "max-scale=1 is less than min-scale=2",
        "missing field(s)",
    ]


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (
            container(env=[{"key": "A"}, {"key": "B"}, {"key": "A"}, {"key": "A"}]),
            ['containers[0].env[2]: {"name":"A"}'],
        ),
        (
            container(env=[{"key": "FLYTE_INTERNAL_EXECUTION_PROJECT"}]),
            ['containers[0].env[2]: {"name":"FLYTE_INTERNAL_EXECUTION_PROJECT"}'],
        ),
        (
            first(env=[{"name": "INTERNAL_APP_ENDPOINT_PATTERN"}, {"name": "<"}, {"name": "<"}]),
            [
                r'containers[0].env[2]: {"name":"\u003c"}',
                'containers[0].env[3]: {"name":"INTERNAL_APP_ENDPOINT_PATTERN"}',
            ],
        ),
        (first(volumeMounts=[{"mountPath": "/a"}] * 2), ['containers[0].volumeMounts[1]: {"mountPath":"/a"}']),
        (pod(imagePullSecrets=[{"name": "s"}] * 2), ['imagePullSecrets[1]: {"name":"s"}']),
        (pod(volumes=[EMPTY, EMPTY]), ['volumes[1]: {"name":"v"}']),
    ],
)
def test_two_of_one_key_are_no_service(spec: Spec, errors: list[str]) -> None:
    """The API server refuses lists of variables, mounts, volumes and secrets in which a key comes twice."""
    expected = [f"{POD}.{error.replace(': ', ': Duplicate value: ', 1)}" for error in errors]
    assert sorted(schema_errors(app_of(spec))) == sorted(expected)


@pytest.mark.parametrize("fields", [{}, {"containers": None}])
def test_no_list_of_containers_is_no_service(fields: Spec) -> None:
    """The API server refuses a pod without containers; an empty list is refused by Knative alone."""
    app = app_of({"pod": {"podSpec": {"hostNetwork": True, **fields}}})
    where = f"{POD}.containers"
    assert schema_errors(app) == [
        f'{where}: Invalid value: "null": {where} in body must be of type array: "null"',
    ]
    assert schema_errors(app_of({"pod": {"podSpec": {"containers": []}}})) == []


def test_values_of_other_types_are_no_error() -> None:
    """Pods that the backend couldn't decode, which never come here, raise nothing all the same."""
    odd: tuple[Any, ...] = (None, 7, 0.5, "x", True, [], {}, ["x"], [[1]], [None], {"a": 1}, [{"a": None}])
    names = ("containers", "volumes", "initContainers", "securityContext", "serviceAccountName", "nodeSelector")
    inner = ("env", "ports", "image", "volumeMounts", "livenessProbe", "readinessProbe", "securityContext", "envFrom")
    specs = chain(
        ({"pod": {"podSpec": {name: value}}} for name in names for value in odd),
        (first(**{name: value}) for name in inner for value in odd),
        (mounting({"name": "v", name: value}) for name in (*volumes.KINDS, "name") for value in odd),
    )
    for spec in specs:
        app = app_of(spec)
        joined(violations(app))
        schema_errors(app)
