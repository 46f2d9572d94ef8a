"""The order in which the backend writes the maps of a spec, which decides whether it finds the spec unchanged.

The backend compares a hash of the encoded spec with the stored one. Go's protobuf encodes a map in the order in which
Go iterates it, and that order is random: equal specs have equal hashes only if all their maps are drawn in equal order.

Go begins at a random one of 8 slots. A map of n <= 8 entries fills the first n of them, so that its own order is drawn
with a chance of (9 - n) / 8 and each of its n - 1 other rotations with 1 / 8. Two draws are equal with a chance of
((9 - n)^2 + n - 1) / 64. Larger maps are split up, and seeded anew each time: here no two draws of one are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from flyteapps_fake.core import draws

SLOTS = 8
"""Slots of a small map in Go; more entries than that make it a large one."""
ORDER_BYTES = 8
"""Bytes of an order."""


def drawn_order(spec: Message, seed: int | draws.Seed, resource: str, number: int) -> bytes:
    """Return the order of the spec's maps in the `number`-th encoding for a resource, as a digest.

    It is b"" for a spec that always has the same order: one in which no map has two entries or more.
    """
    sizes = [size for size in map_sizes(spec) if size > 1]
    if not sizes:
        return b""
    words = (seed, "map order", resource, number)
    if max(sizes) > SLOTS:
        return draws.drawn(*words)[:ORDER_BYTES]
    starts = bytearray()
    block = b""
    for index, size in enumerate(sizes):
        if index % 32 == 0:  # bytes of one draw
            block = draws.drawn(*words, index)
        start = block[index % 32] % SLOTS
        starts.append(start if start < size else 0)
    return hashlib.sha256(starts).digest()[:ORDER_BYTES]


def map_sizes(message: Message) -> Iterator[int]:
    """Yield the number of entries of each map in a message, in an order that depends on its content alone."""
    waiting: list[Message] = [message]
    while waiting:
        each = waiting.pop()
        held = _fields_with_maps(each.DESCRIPTOR)
        if not held:
            continue
        for field, value in each.ListFields():
            if field.number not in held:
                continue
            entries: Any = value
            entry = field.message_type
            if entry is None or not entry.GetOptions().map_entry:
                waiting.extend(entries if field.is_repeated else (entries,))
                continue
            yield len(entries)
            if entry.fields_by_name["value"].message_type is not None:
                waiting.extend(entries[key] for key in sorted(entries))


@cache
def _fields_with_maps(shape: Descriptor) -> frozenset[int]:
    """Return the numbers of the fields that are maps, or messages that may hold one."""
    return frozenset(
        field.number for field in shape.fields if field.message_type is not None and _reaches_map(field.message_type)
    )


@cache
def _reaches_map(shape: Descriptor) -> bool:
    """Return whether that type is the entry of a map, or holds one that is."""
    seen, waiting = {shape.full_name}, [shape]
    while waiting:
        each = waiting.pop()
        if each.GetOptions().map_entry:
            return True
        for inner in (field.message_type for field in each.fields):
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                waiting.append(inner)
    return False
