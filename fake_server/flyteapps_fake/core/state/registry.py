"""The messages that a service beside AppService stores, bounded in number and in bytes; each is a piece of state."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.forks import short_lock

Key = TypeVar("Key", bound=Hashable)
MAX_ENTRIES = 10_000
MAX_BYTES = 64 * 1024 * 1024


class Kept(NamedTuple):
    """A stored message. `number`: of those that are there, the one with the lowest is the oldest."""

    message: bytes
    number: int


class Registry(Generic[Key]):
    """Encoded messages by key, the oldest first; thread-safe, since the servers of one plane share it.

    `noun` is their plural name in error texts.
    """

    def __init__(self, noun: str, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._noun = noun
        self._entries: dict[Key, Kept] = {}
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = short_lock()
        self.on_touch: Callable[[Key], None] | None = None
        """The function that is called, under the plane's lock, with each key whose message is about to change."""

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def get(self, key: Key) -> bytes | None:
        """Return the encoded message, or None."""
        kept = self._entries.get(key)
        return kept.message if kept is not None else None

    def add(self, key: Key, message: Message) -> bool:
        """Store a message under a new key; return False if the key exists. Raises RpcError if full."""
        with self._lock:
            return key not in self._entries and self._store(key, message)

    def replace(self, key: Key, message: Message) -> bool:
        """Replace the message of an existing key; return False if there is none. Raises RpcError if full."""
        with self._lock:
            return key in self._entries and self._store(key, message)

    def remove(self, key: Key) -> bool:
        """Remove a key; return False if there is none."""
        with self._lock:
            if key not in self._entries:
                return False
            self._touch(key)
            self._put(key, None)
            return True

    def items(self) -> list[tuple[Key, bytes]]:
        """Return all keys and messages, in the order of their addition."""
        with self._lock:
            return [(key, kept.message) for key, kept in self._entries.items()]

    # ---- the pieces of the state

    def keys(self) -> list[Key]:
        """Return all keys."""
        return list(self._entries)

    def kept(self, key: Key) -> Kept | None:
        """Return what is stored under a key, None for nothing."""
        return self._entries.get(key)

    def put(self, key: Key, kept: Kept | None) -> None:
        """Replace what is stored under a key; `settle` has to follow."""
        with self._lock:
            self._put(key, kept)

    def settle(self) -> None:
        """Go on from what was put."""
        with self._lock:
            self._entries = dict(sorted(self._entries.items(), key=lambda each: each[1].number))

    def _store(self, key: Key, message: Message) -> bool:
        encoded, old = message.SerializeToString(), self._entries.get(key)
        size = self._bytes + len(encoded) - (len(old.message) if old is not None else 0)
        if (old is None and len(self._entries) >= self._max_entries) or size > self._max_bytes:
            raise RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"this stand-in stores at most {self._max_entries:,} {self._noun}, {self._max_bytes:,} bytes in all: "
                "remove some, or restart it",
            )
        self._touch(key)
        last = next(reversed(self._entries.values()), None)
        number = old.number if old is not None else last.number + 1 if last is not None else 1
        self._bytes = size
        self._entries[key] = Kept(encoded, number)
        return True

    def _put(self, key: Key, kept: Kept | None) -> None:
        old = self._entries.pop(key, None)
        self._bytes += (len(kept.message) if kept is not None else 0) - (len(old.message) if old is not None else 0)
        if kept is not None:
            self._entries[key] = kept

    def _touch(self, key: Key) -> None:
        if self.on_touch is not None:
            self.on_touch(key)
