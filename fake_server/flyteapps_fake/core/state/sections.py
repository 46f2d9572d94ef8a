"""The sections of a plane's state: each holds one kind of pieces by their keys, such as all apps, or all rules.

A piece is handed out as an image, which never changes: references to immutable parts, so that one costs little.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from google.protobuf.message import Message

from flyteapps_control.v1.state_pb2 import PlaneState


class Entry(NamedTuple):
    """The place of one piece of a plane's state."""

    section: str
    key: Hashable


class Section(ABC):
    """One kind of pieces. Entered under the plane's lock, but for `encode` and `stored_key`, which see images alone."""

    name: ClassVar[str]
    """The field of PlaneState that holds its pieces."""

    @abstractmethod
    def keys(self) -> Iterable[Hashable]:
        """Return the keys of its pieces."""

    @abstractmethod
    def image(self, key: Any) -> Any:
        """Return the image of a piece, None where there is none."""

    @abstractmethod
    def put(self, key: Any, image: Any) -> None:
        """Replace a piece by an image, None for none; nothing else follows from it."""

    def put_new(self, images: Mapping[Any, Any]) -> None:
        """Put pieces where the section has none of their keys, by images that nothing else has: they are taken over."""
        for key, image in images.items():
            self.put(key, image)

    @abstractmethod
    def encode(self, key: Any, image: Any) -> Message:
        """Return an image as a message."""

    @abstractmethod
    def decode(self, message: Any) -> tuple[Any, Any]:
        """Return the key and the image in a message. Raises ValueError for one that can't be."""

    def check(self, pieces: Mapping[Any, Any]) -> None:  # noqa: B027  # most have nothing to check
        """Check the pieces of a document, which may have been edited, by key. Raises ValueError."""

    @abstractmethod
    def stored_key(self, key: Any) -> bytes:
        """Return the key as bytes."""

    def project_of(self, key: Any) -> str | None:
        """Return the project that a piece belongs to, None for one that belongs to the plane."""
        return None

    def fresh(self, key: Any) -> Any:
        """Return the image of a piece on a plane that was reset, None for none."""
        return None

    def settle(self) -> None:  # noqa: B027  # most have nothing to do
        """Go on from the pieces that were put; called once after all of them."""

    def within(self, project: str) -> list[Any]:
        """Return the keys of the pieces of a project."""
        return [key for key in self.keys() if self.project_of(key) == project]


class Unread(Section):
    """The pieces of a section that a plane doesn't use, as its settings say: they are kept as they are.

    `key_field`: has the key of a piece, "" where there is just one.
    """

    def __init__(self, name: str, key_field: str) -> None:
        self.name = name  # type: ignore[misc]  # there is one for each such section
        self._key_field = key_field
        self._pieces: dict[str, Message] = {}

    def keys(self) -> Iterable[str]:
        return list(self._pieces)

    def image(self, key: str) -> Message | None:
        return self._pieces.get(key)

    def put(self, key: str, image: Message | None) -> None:
        self._pieces.pop(key, None)
        if image is not None:
            self._pieces[key] = image

    def fresh(self, key: str) -> Message | None:
        return self._pieces.get(key)

    def encode(self, key: str, image: Message) -> Message:
        return image

    def decode(self, message: Message) -> tuple[str, Message]:
        kept = type(message)()
        kept.CopyFrom(message)
        return getattr(message, self._key_field) if self._key_field else "", kept

    def stored_key(self, key: str) -> bytes:
        return key.encode()


class Sections:
    """All sections of a plane, by name."""

    def __init__(self) -> None:
        self._sections: dict[str, Section] = {}

    def add(self, *sections: Section) -> None:
        """Add sections."""
        for section in sections:
            self._sections[section.name] = section

    def __getitem__(self, name: str) -> Section:
        return self._sections[name]

    def __contains__(self, name: str) -> bool:
        return name in self._sections

    def __iter__(self) -> Iterator[Section]:
        return iter(self._sections.values())


def is_repeated(section: str) -> bool:
    """Return whether a section has many pieces."""
    return PlaneState.DESCRIPTOR.fields_by_name[section].is_repeated
