"""The reports of a run: for a terminal, for a CI server, for a program. Nothing here judges."""
