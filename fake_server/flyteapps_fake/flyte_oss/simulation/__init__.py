"""The simulated cluster of that dialect."""
