"""Recordings of what a plane answered: their format, a recorder, and a replayer that compares a plane with one."""

from __future__ import annotations

from pathlib import Path

FLYTE_OSS = Path(__file__).with_name("flyte-oss-2.0.43.jsonl")
"""The recording of the open-source Flyte 2 backend, version 2.0.43."""
