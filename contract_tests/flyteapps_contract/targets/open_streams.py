"""The number of open streams, as a plane with the control API counts them."""

from __future__ import annotations

from flyteapps_contract.outcomes import NotOffered, Refused
from flyteapps_contract.targets.target import CALL_SECONDS, Capabilities, Link
from flyteapps_control.v1 import control_pb2 as control

CONTROL = "flyteapps.control.v1.ControlService"
STREAMS = ("Watch", "Lease", "TailLogs")


def counted(link: Link, project: str) -> int:
    """Return how many streams about a project are open, 1,000 at most. Raises NotOffered without the control API."""
    request = control.ExplainWaitsRequest(app=control.AppSelector(project=project))
    try:
        found = link.unary(CONTROL, "ExplainWaits", request, control.ExplainWaitsResponse, CALL_SECONDS)
    except Refused as error:
        raise NotOffered(f"{Capabilities.REASONS['open_streams']}: {error}") from error
    assert isinstance(found, control.ExplainWaitsResponse)
    return sum(each.rpc.rpartition("/")[2] in STREAMS for each in found.waits)
