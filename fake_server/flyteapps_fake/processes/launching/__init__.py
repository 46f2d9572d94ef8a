"""The launch of a replica: its command, environment, port and code bundle, from the spec of an app."""
