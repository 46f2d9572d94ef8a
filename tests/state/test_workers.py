"""Eight workers share a server, each with a project of its own that it resets: none notices another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

import pytest

from flyteapps import Client, Waits, new_app
from flyteapps.errors import DeploymentFailed, Unavailable
from flyteapps.testing import Control, connect_control
from flyteapps_control.faults import fail
from flyteapps_fake import FakeControlPlane

WORKERS = 8
ROUNDS = 6
WAITS = Waits(settle=0.1)
"""The second dialect's Watch is by bare name, so that another worker's Watch moves this one's app: it may be at its end
before its own Watch begins, and the client then waits until its state has settled."""


def work(url: str, number: int, together: Barrier) -> list[str]:
    """Run the tests of one worker; return the public URLs of its app, one of each round."""
    project, control = f"tests-gw{number}", connect_control(url)
    together.wait()
    with Client(url, project=project, domain="development", retries=1, waits=WAITS) as client:
        return [_round(client, control, project, count) for count in range(ROUNDS)]


def _round(client: Client, control: Control, project: str, count: int) -> str:
    removed = control.reset(project=project)
    assert removed == (3 if count else 0)
    assert list(client.apps.listall()) == []
    control.faults.add(fail("Create", code="UNAVAILABLE", project=project, nth=2))
    control.scenarios.use("crash-loop", project=project, app="broken")
    app = client.apps.create(new_app("hello", image="example.org/hello:1"))
    with pytest.raises(Unavailable):
        client.apps.create(new_app("broken", image="example.org/hello:1"))
    broken = client.apps.create(new_app("broken", image="example.org/hello:1"))
    assert app.watch(timeout=60).is_active()
    with pytest.raises(DeploymentFailed, match="exited with code 1"):
        broken.watch(timeout=60)
    client.apps.create(new_app("other", image="example.org/hello:1"))
    assert sorted(each.name for each in client.apps.listall()) == ["broken", "hello", "other"]
    assert [each.app.project for each in control.faults.list()].count(project) == 1
    control.calls.verify("Create", project=project, times=4 * (count + 1))
    return app.endpoint


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_workers_that_share_a_server_do_not_disturb_each_other(dialect: str) -> None:
    """Each finds its project empty, has its own rules and uses, and the same app at the same URL in each round."""
    with ExitStack() as stack:
        plane = stack.enter_context(FakeControlPlane(dialect=dialect, call_log=100_000))  # type: ignore[arg-type]  # one of them
        url = plane.serve().url
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        together = Barrier(WORKERS)
        urls = [each.result() for each in [pool.submit(work, url, number, together) for number in range(WORKERS)]]
        assert [len(set(each)) for each in urls] == [1] * WORKERS
        assert len({each[0] for each in urls}) == WORKERS
        assert len(plane.faults.list()) == len(plane.scenarios.uses()) == WORKERS
