"""The state of the random draws of a rule as a message, and back."""

from __future__ import annotations

import random
import struct
from typing import Any

from flyteapps_control.v1 import state_pb2 as pb

_VERSION = 3
"""The version of the state of `random.Random`, which all supported Pythons have."""
_WORDS = struct.Struct("<625I")


def draws_message(state: tuple[Any, ...]) -> pb.Draws:
    """Return the state of a generator as a message."""
    version, words, left = state
    assert version == _VERSION
    return pb.Draws(words=_WORDS.pack(*words), left=left)


def draws_of(message: pb.Draws) -> tuple[Any, ...]:
    """Return the state of a generator in a message. Raises ValueError for one that can't be."""
    if len(message.words) != _WORDS.size:
        raise ValueError(f"draws have {_WORDS.size:,} bytes, and not {len(message.words):,}")
    state = _VERSION, _WORDS.unpack(message.words), message.left if message.HasField("left") else None
    try:
        random.Random().setstate(state)
    except (ValueError, TypeError):
        raise ValueError("the state of the draws is invalid") from None
    return state
