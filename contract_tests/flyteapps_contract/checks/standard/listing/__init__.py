"""Checks of List."""
