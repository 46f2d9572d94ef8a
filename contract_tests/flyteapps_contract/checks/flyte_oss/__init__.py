"""Checks of the dialect flyte-oss."""
