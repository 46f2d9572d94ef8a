"""Servers: pyvoy as a child process, hypercorn, embedded in a test."""
