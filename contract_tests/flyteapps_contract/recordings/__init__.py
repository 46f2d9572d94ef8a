"""Recordings of what a plane answered: their format, a recorder, and a replayer that compares a plane with one."""
