"""Checks of Lease and UpdateStatus."""
