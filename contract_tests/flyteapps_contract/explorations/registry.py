"""The table of explorations."""

from __future__ import annotations

from flyteapps_contract.explorations.history_search import HISTORIES
from flyteapps_contract.explorations.messages import MESSAGES
from flyteapps_contract.explorations.sequences import SEQUENCES

EXPLORATIONS = {each.name: each for each in (MESSAGES, HISTORIES, SEQUENCES)}
"""In the order in which a run goes through them: what is quick comes first."""
