"""Files that fill a plane: apps in YAML, and the state of another plane."""
