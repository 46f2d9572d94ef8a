"""A plane of another author is judged by its guarantees, one by one."""

from __future__ import annotations

import pytest
from rich.console import Console

from flyteapps_contract import streams
from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.cli import verify
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.session import Run
from flyteapps_contract.targets.endpoint import Address, EndpointTarget

from .naive_plane import NaiveServer

BROKEN = {
    "ID-1": "the org is no part of an id: another org's reads and creations succeed",
    "ID-2": "no rule is checked",
    "ID-3": "an app may have any size",
    "ID-4": "an update takes the creator away, and the app comes back without one",
    "CR-1": "the status that a client sends is stored",
    "CR-3": "no host is generated, so none shows in status.ingress",
    "CR-4": "the first condition is ACTIVE",
    "CR-6": "there are no public URLs, and a host may be had twice",
    "CR-5": "a created app is ACTIVE since the time that its request says",
    "GE-2": "Get knows ids alone",
    "GE-3": "nor does a read by URL see what was written",
    "UP-1": "the org is no part of an id, and an app of another org is updated",
    "UP-2": "ingress and creator are replaced, last_updated_at stays",
    "UP-3": "any revision is taken",
    "UP-4": "an update without a change is taken",
    "UP-5": "an update appends no condition",
    "UP-7": "so what it shows after an update is the old ACTIVE",
    "LE-6": "no app is ever assigned to a cluster",
    "DE-2": "a running app is deleted",
    "DE-3": "an app that is created again shows a status of before",
    "LI-1": "the org and the artifact of a scope are ignored",
    "LI-2": "filters are ignored",
    "LI-3": "sorts are ignored",
    "LI-4": "limits are ignored",
    "LI-5": "there is no total",
    "LI-7": "the flag is ignored",
    "WA-2": "the org of a target is ignored",
    "WA-6": "there is no old_app",
    "SP-1": "an ACTIVE app has no replicas, whatever its bounds are",
    "SP-2": "an app of any pool is ACTIVE",
    "SP-4": "two inputs of one name are taken",
    "HI-1": "of racing updates with one revision all win",
}
"""The guarantees that the naive plane breaks, found by reading it."""


@pytest.mark.matrix
def test_a_naive_plane_breaks_guarantees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names each guarantee that the naive plane breaks, some as following from another, and no other."""
    monkeypatch.setattr(streams, "PATIENCE", 0.5)
    server = NaiveServer()
    try:
        target = EndpointTarget(Address.parse(f"127.0.0.1:{server.port}"), "grpc")
        summary = verify.run_checks(target, GUARANTEES, Run(prefix="fcnaive"), Console(quiet=True))
    finally:
        server.close()
    found = {line.guarantee.id: line for line in summary.lines}
    faulty = {id_ for id_, line in found.items() if line.verdict in (Verdict.BROKEN, Verdict.FOLLOWS)}
    assert faulty == set(BROKEN), {id_: found[id_].reasons() for id_ in sorted(faulty ^ set(BROKEN))}
    assert summary.exit_code == 1
