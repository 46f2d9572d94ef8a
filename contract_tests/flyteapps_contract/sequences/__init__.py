"""Sequences of commands: the table, the interpreter, rendering."""
