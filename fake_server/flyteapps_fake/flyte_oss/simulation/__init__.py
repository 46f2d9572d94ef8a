"""The simulated cluster of the dialect `flyte-oss`."""
