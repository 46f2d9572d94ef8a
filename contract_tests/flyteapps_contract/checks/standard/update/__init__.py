"""Checks of Update."""
