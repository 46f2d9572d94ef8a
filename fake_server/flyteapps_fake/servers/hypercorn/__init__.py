"""hypercorn's protocols on our own connections."""
