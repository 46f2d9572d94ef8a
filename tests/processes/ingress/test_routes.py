"""The routes of apps by their names."""

from __future__ import annotations

from flyteapps_control.selection import AppName
from flyteapps_fake.processes.routes import Route, Routes


def test_a_route_has_no_name_but_its_own() -> None:
    """Names that were changed, or that another app has taken since, lead to the former app no more."""
    routes = Routes()
    first = Route(AppName("p", "d", "first"), 0, "one", frozenset({"a.example", "b.example"}))
    second = Route(AppName("p", "d", "second"), 0, "two")
    routes.add(first)
    routes.add(second)
    assert list(routes) == [first, second]
    first.label, first.hosts = "three", frozenset({"b.example"})
    routes.add(first)
    second.label, second.hosts = "one", frozenset({"a.example"})
    routes.add(second)
    assert [routes.of_label(label) for label in ("one", "two", "three")] == [second, None, first]
    assert [routes.of_host(host) for host in ("a.example", "b.example")] == [second, first]
    assert routes.remove(first.app) is first and routes.remove(first.app) is None
    assert routes.of_label("three") is None and routes.of_host("b.example") is None
    assert list(routes) == [second] and routes.of_label("one") is second
