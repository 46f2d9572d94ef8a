"""Tools for tests of programs that call a control plane; `import flyteapps` loads none of them.

`connect_control` drives a stand-in that another process serves.
"""

from __future__ import annotations

from flyteapps_control.face import CallsDiffer, Control, ControlError
from flyteapps_control.remote import connect_control

__all__ = ["CallsDiffer", "Control", "ControlError", "connect_control"]
