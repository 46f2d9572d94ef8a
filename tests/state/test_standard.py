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
    _step("update", *_apps, kinds, hosts, st.sampled_from(("img:1", "img:2"))),
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
    _step("declare", names, st.sampled_from(("0", "2concurrent", "25rps"))),
    _step("use", names, st.sampled_from(("first", "choosing", "logging")), st.integers(0, 2)),
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
    tried = Tried(ingress="host").take(
        *BEFORE, ("save",), ("snapshot", "s"), *AFTER, ("snapshot", "t"), ("restore", "s")
    )
    tried.take(("snapshot", "u"), *AFTER, ("restore", "t"), ("load", 0), ("restore", "u"), *AFTER[:13])
    tried.take(("restore", "s"), *AFTER).prove_all()
    tried.take(("load", 0, True, True)).prove_all()


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
    ("declare", "b", "2concurrent"),
    ("use", "a", "logging", 3),
    ("create", "p", "c", "stopped", ""),
    ("delete", "p", "c"),
    ("create", "p", "c", "east", ""),  # which the own cluster has, as no other one has come
    ("create", "p", "a", "looping", "one"),
    ("create", "p", "b", "first", "two"),
    ("create", "q", "a", "logging", ""),
    ("create", "q", "b", "idle", ""),
    ("create", "q", "d", "choosing", ""),
    ("lease", "west"),
    ("leave", "west"),
    ("create", "p", "d", "pool", ""),  # which waits for a cluster
    ("lease", "east"),
    ("create", "q", "c", "east", ""),
    ("advance", 3.5),
    *(("list", key) for key in SORT_KEYS),
)
AFTER: tuple[Step, ...] = (
    ("ask", "q", "b"),
    ("declare", "b", "25rps"),
    ("declare", "c", "0"),
    ("use", "*", "second", 2),
    ("lease", "west"),
    ("report", "q", "c", "east", "PENDING"),
    ("advance", 20.0),
    ("remove", "p", "b"),
    ("update", "p", "a", "choosing", "two", "img:2"),
    ("create", "p", "b", "first", "one"),
    ("remove", "p", "c"),
    ("create", "p", "c", "pool", ""),
    ("create", "q", "new", "", "three"),
    ("advance", 90.0),
    ("remove", "q", "a"),
    ("create", "q", "a", "", ""),
    ("reset_project", "p"),
    ("create", "p", "a", "", "two"),
    ("advance", 2.5),
)


def test_snapshots_outlive_a_load_and_a_reset() -> None:
    """A plane that has taken another state, or was reset, still returns to a snapshot of before."""
    tried = Tried(ingress="host").take(*BEFORE, ("save",), ("snapshot", "s"), *AFTER)
    tried.take(("snapshot", "t"), ("load", 0), ("reset", 1), *BEFORE[:8], ("restore", "s"))
    tried.prove_all()


def test_snapshots_that_differ_in_nothing_stay_apart() -> None:
    """Two that share images, as the one between them was dropped: what goes on from one doesn't change the other."""
    tried = Tried(ingress="host").take(
        *BEFORE, ("snapshot", "s"), ("snapshot", "t"), ("snapshot", "u"), ("restore", "t")
    )
    tried.take(("advance", 5.0), ("forget", "t"), ("restore", "s"), ("advance", 5.0), ("restore", "u")).prove_all()
