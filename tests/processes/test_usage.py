"""The use of apps that run: the replicas of its processes, and the requests at the ingress."""

from __future__ import annotations

from .running import Apps, body, until


def test_requests_and_replicas_are_counted(apps: Apps) -> None:
    """Each request to the app's URL counts once, and each number of replicas is there."""
    app = apps.started()
    for _ in range(5):
        body(app)

    def counted() -> bool:
        (found,) = apps.plane.usage(app="web")
        return sum(each.requests for each in found.requests) == 5

    until(counted)
    (found,) = apps.plane.usage(app="web")
    assert [each.replicas for each in found.replicas] == [0, 1]
