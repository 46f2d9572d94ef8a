"""The transports to a plane: each implements Transport, and knows nothing of flows."""

from flyteapps.transports import forks as forks  # imported with the client, so that every later fork is noticed
