"""Ways to a plane: each is a Transport, and knows nothing of flows."""
