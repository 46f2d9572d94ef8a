"""Which callers are answered: host policy, CORS."""
