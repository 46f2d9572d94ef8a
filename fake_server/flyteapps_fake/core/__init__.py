"""Modules that every dialect shares: no event loop, no sockets, no wall clock."""
