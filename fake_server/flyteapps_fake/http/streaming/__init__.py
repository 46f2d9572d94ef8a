"""Open streams of the front."""
