"""The client's view of one app: its message, its states, its conditions, its handle."""
