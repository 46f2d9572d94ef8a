"""Checks that nobody wrote down call by call: generated, judged by the oracle, and shrunk."""
