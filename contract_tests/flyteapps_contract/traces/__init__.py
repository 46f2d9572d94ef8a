"""The calls of one run with their responses: what verdicts refer to, and scripts are rendered from."""
