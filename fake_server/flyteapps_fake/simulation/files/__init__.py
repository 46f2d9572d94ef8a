"""Files of scenarios: their format, the parser, the built-in one, and those of users that may change."""
