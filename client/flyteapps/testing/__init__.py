"""Tools for tests of programs that call a control plane; `import flyteapps` loads none of them.

`FaultyTransport` puts faults between a client and its plane, `MockTransport` answers without any plane, as
`MockServer` does over a socket, and `connect_control` drives a stand-in that another process serves.
"""

from __future__ import annotations

from flyteapps.testing import faults
from flyteapps.testing.calls import SILENCE, Call
from flyteapps.testing.faulty_transport import FaultyTransport
from flyteapps.testing.mock_server import MockServer
from flyteapps.testing.mock_transport import MockTransport
from flyteapps_control.api import ControlError
from flyteapps_control.calls import CallsDiffer
from flyteapps_control.face import Control
from flyteapps_control.remote import connect_control

__all__ = [
    "SILENCE",
    "Call",
    "CallsDiffer",
    "Control",
    "ControlError",
    "FaultyTransport",
    "MockServer",
    "MockTransport",
    "connect_control",
    "faults",
]
