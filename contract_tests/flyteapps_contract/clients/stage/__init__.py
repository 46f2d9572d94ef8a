"""A small scripted plane: one dict of apps that move when a check says so, served over Connect, wrong on cue."""
