"""Generated checks, judged by the oracle and shrunk."""
