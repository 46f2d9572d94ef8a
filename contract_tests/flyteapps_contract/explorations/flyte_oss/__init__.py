"""Histories and messages that are drawn of the dialect flyte-oss."""
