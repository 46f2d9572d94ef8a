"""Endpoints of the server itself: health, reflection, uploads."""
