"""Ways to a plane: each is a Transport, and knows nothing of flows."""

from flyteapps.transports import forks as forks  # with the client, so that every fork from then on is noticed
