"""The state of a plane of the standard dialect: returned to, it is as it was, and goes on as if it had never left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .driving import CLUSTERS, HOSTS, KINDS, NAMES, PROJECTS, SORT_KEYS, STATUSES, Step
from .twins import Tried

projects, names, clusters = map(st.sampled_from, (PROJECTS, NAMES, CLUSTERS))
kinds, hosts = st.sampled_from(KINDS), st.sampled_from(HOSTS)
snapshots = st.sampled_from(("s", "t", "u"))
_apps = (projects, names)


def _step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), *arguments)


writes = st.one_of(
    _step("create", *_apps, kinds, hosts),
    _step("create", *_apps, kinds, hosts),
    _step("update", *_apps, kinds, hosts, st.sampled_from(("x:1", "x:2"))),
    _step("switch", *_apps),
    _step("delete", *_apps),
    _step("remove", *_apps),
    _step(
        "report",
        *_apps,
        clusters,
        st.sampled_from(sorted(STATUSES)),
        st.integers(0, 3),
        st.sampled_from(("", "http://v")),
    ),
)
others = st.one_of(
    _step("lease", clusters),
    _step("leave", clusters),
    _step("ask", *_apps),
    _step("log", *_apps),
    _step("list", st.sampled_from(SORT_KEYS), st.booleans(), st.sampled_from(("org", *PROJECTS, *CLUSTERS))),
    _step("get", *_apps),
    _step("advance", st.sampled_from((0.5, 1.0, 2.5, 20.0, 90.0))),
    _step("advance", st.sampled_from((0.5, 1.0, 2.5, 20.0, 90.0))),
    _step("reset_project", projects),
)
returns = st.one_of(
    _step("snapshot", snapshots),
    _step("snapshot", snapshots),
    _step("restore", snapshots),
    _step("restore", snapshots),
    _step("forget", snapshots),
    _step("save"),
    _step("load", st.integers(0, 3), st.booleans(), st.booleans()),
    _step("reset", st.integers(1, 2)),
)
steps = st.lists(st.one_of(writes, writes, others, others, returns), max_size=40)
forms = st.sampled_from(("host", "path"))


def test_steps_of_every_kind() -> None:
    """One tour through all that a plane can do, and back."""
    tour().prove_all()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, forms)
def test_a_plane_is_what_it_was(steps: list[Step], form: str) -> None:
    """Snapshots and documents bring a plane back from any steps, and it goes on as its twin does."""
    Tried(ingress=form).take(*steps).prove_all()


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, forms)
def test_a_plane_is_what_it_was_at_length(steps: list[Step], form: str) -> None:
    """The same, for longer."""
    Tried(ingress=form).take(*steps).prove_all()


BEFORE: tuple[Step, ...] = (
    ("create", "p", "a", "looping", "one"),
    ("create", "p", "b", "first", "two"),
    ("create", "q", "a", "logging", ""),
    ("create", "q", "b", "idle", ""),
    ("lease", "east"),
    ("create", "q", "c", "east", ""),
    ("create", "p", "c", "stopped", ""),
    ("delete", "p", "c"),
    ("advance", 3.5),
    *(("list", key) for key in SORT_KEYS),
)
AFTER: tuple[Step, ...] = (
    ("lease", "west"),
    ("report", "q", "c", "east", "PENDING"),
    ("advance", 20.0),
    ("ask", "q", "b"),
    ("update", "p", "a", "choosing", "", "x:2"),
    ("update", "p", "b", "first", "one", "x:2"),
    ("create", "p", "c", "pool", "two"),
    ("advance", 90.0),
    ("remove", "q", "a"),
    ("create", "q", "a", "", ""),
    ("reset_project", "p"),
    ("create", "p", "a", "", "two"),
    ("advance", 2.5),
)


def tour() -> Tried:
    """Return a plane that has been through all, with snapshots and a document of the middle and the end."""
    tried = Tried(ingress="host").take(
        *BEFORE, ("save",), ("snapshot", "s"), *AFTER, ("snapshot", "t"), ("restore", "s")
    )
    return tried.take(("snapshot", "u"), *AFTER, ("restore", "t"), ("load", 0), ("restore", "s"))
