"""Checks of the standard dialect."""
