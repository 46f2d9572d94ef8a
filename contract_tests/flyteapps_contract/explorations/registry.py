"""The table of explorations: what is drawn of each dialect, in the order in which a run goes through them."""

from __future__ import annotations

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS, STANDARD
from flyteapps_contract.explorations.flyte_oss.messages import MESSAGES as OSS_MESSAGES
from flyteapps_contract.explorations.history_search import HISTORIES
from flyteapps_contract.explorations.messages import MESSAGES
from flyteapps_contract.explorations.search import Exploration
from flyteapps_contract.explorations.sequences import SEQUENCES

OF_DIALECT: dict[str, dict[str, Exploration]] = {
    dialect: {each.name: each for each in explorations}
    for dialect, explorations in {
        STANDARD: (MESSAGES, HISTORIES[STANDARD], SEQUENCES[STANDARD]),
        FLYTE_OSS: (OSS_MESSAGES, HISTORIES[FLYTE_OSS], SEQUENCES[FLYTE_OSS]),
    }.items()
}
"""By dialect and name; what is quick comes first."""
EXPLORATIONS = OF_DIALECT[STANDARD]
"""The explorations of the standard dialect."""
