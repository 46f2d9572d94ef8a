"""A scripted plane: what a client under test calls."""
