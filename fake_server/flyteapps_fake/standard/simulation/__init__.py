"""The simulated cluster of the standard dialect."""
