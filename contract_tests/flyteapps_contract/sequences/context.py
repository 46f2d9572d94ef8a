"""The common state of one sequence: the session, its slots, the possible states of the plane, and the trace."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model.plane import Entry, PossibleStates
from flyteapps_contract.sequences.slots import Slot, Slots
from flyteapps_contract.session import STOP, STOPPED, Session, last_status
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.traces.trace import Trace


class Context:
    """The state of one sequence. `patience`: real seconds that a message may take to arrive on a stream."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.capabilities = session.capabilities
        self.opens_at_once = session.plane.link.opens_at_once
        self.patience = 0.0 if self.opens_at_once else PATIENCE
        self.slots = Slots(session)
        self.possible = PossibleStates()
        self.trace = Trace(session)

    def entry(self, slot: Slot) -> Entry:
        """Return what the oracle knows of the slot."""
        return self.possible.entry(slot.key)


def at_rest(app: model.App) -> bool:
    """Return whether only a client moves the app."""
    return last_status(app) == STOPPED and app.spec.desired_state == STOP and not app.status.assigned_cluster
