"""The common parts of checks."""
