"""The ASGI front."""
