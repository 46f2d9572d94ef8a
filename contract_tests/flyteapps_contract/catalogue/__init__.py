"""The guarantees, one module a dialect, and those of clients."""
