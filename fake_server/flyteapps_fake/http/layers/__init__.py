"""The layers of the front, the outermost first: telemetry, refusals, host policy, dispatch."""
