"""In-memory storage of a service's messages, bounded in number and in bytes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.forks import short_lock

Key = TypeVar("Key", bound=Hashable)
MAX_ENTRIES = 10_000
MAX_BYTES = 64 * 1024 * 1024


class Registry(Generic[Key]):
    """Encoded messages by key, the oldest first; thread-safe, since the servers of one plane share it.

    `noun` is their plural name in error texts. `entries` is the dict to store them in, by default a new one.
    """

    def __init__(
        self,
        noun: str,
        entries: dict[Key, bytes] | None = None,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._noun = noun
        self._entries: dict[Key, bytes] = {} if entries is None else entries
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = short_lock()

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def get(self, key: Key) -> bytes | None:
        """Return the encoded message, or None."""
        return self._entries.get(key)

    def add(self, key: Key, message: Message) -> bool:
        """Store a message under a new key; return False if the key exists. Raises RpcError if full."""
        with self._lock:
            return key not in self._entries and self._put(key, message)

    def replace(self, key: Key, message: Message) -> bool:
        """Replace the message of an existing key; return False if there is none. Raises RpcError if full."""
        with self._lock:
            return key in self._entries and self._put(key, message)

    def remove(self, key: Key) -> bool:
        """Remove a key; return False if there is none."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._bytes -= len(old or b"")
            return old is not None

    def items(self) -> list[tuple[Key, bytes]]:
        """Return all keys and messages, in the order of their addition."""
        with self._lock:
            return list(self._entries.items())

    def _put(self, key: Key, message: Message) -> bool:
        encoded, old = message.SerializeToString(), self._entries.get(key)
        size = self._bytes + len(encoded) - len(old or b"")
        if (old is None and len(self._entries) >= self._max_entries) or size > self._max_bytes:
            raise RpcError(
                Code.RESOURCE_EXHAUSTED,
                f"this stand-in stores at most {self._max_entries:,} {self._noun}, {self._max_bytes:,} bytes in all: "
                "remove some, or restart it",
            )
        self._entries[key] = encoded
        self._bytes = size
        return True
