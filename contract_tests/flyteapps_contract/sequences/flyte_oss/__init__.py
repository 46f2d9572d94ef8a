"""Sequences of the dialect `flyte-oss`: their commands, and what runs and judges them."""
