"""The document of a plane's state: all its sections in one message, for files, the control API and the directory."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from flyteapps_control.v1.state_pb2 import PlaneState, PlaneTime
from flyteapps_fake.core.state.numbers import check_counts, check_times
from flyteapps_fake.core.state.sections import Sections, is_repeated
from flyteapps_fake.core.time.clock import END

FORMAT = 1
"""The format of documents that this version writes."""
_HEAD = ("format", "dialect", "written_by", "time")


class WrongState(ValueError):  # noqa: N818  # reads as what is wrong
    """A document that a plane can't take: it says why, and what to do."""


def document_of(sections: Sections, document: PlaneState) -> PlaneState:
    """Fill the document of a plane, whose head is there, with all its pieces; return it."""
    for section in sections:
        for key in section.keys():  # noqa: SIM118  # no mapping
            image = section.image(key)
            if image is not None:
                add(document, section.name, section.encode(key, image))
    return document


def add(document: PlaneState, section: str, message: Message) -> None:
    """Add a piece to a document."""
    place = getattr(document, section)
    if is_repeated(section):
        place.append(message)
    else:
        place.CopyFrom(message)


def add_encoded(document: PlaneState, section: str, value: bytes) -> None:
    """Add an encoded piece to a document. Raises WrongState for bad bytes, or a section that isn't known."""
    field = PlaneState.DESCRIPTOR.fields_by_name.get(section)
    if field is None or section in _HEAD[:-1]:
        raise WrongState(f"there is no section {section!r} in this version of flyteapps")
    place = getattr(document, section)
    try:
        (place.add() if field.is_repeated else place).MergeFromString(value)
    except DecodeError:
        raise WrongState(f"a piece of the section {section} isn't readable") from None


def pieces(document: PlaneState, sections: Sections) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield each section of a document, with the images of its pieces by key. Raises WrongState."""
    for field, value in document.ListFields():
        if field.name in _HEAD:
            continue
        if field.name not in sections:
            raise WrongState(f"{field.name}: a plane of the dialect {document.dialect} has no such pieces")
        section = sections[field.name]
        messages: Iterable[Message] = value if field.is_repeated else [value]
        found: dict[Hashable, Any] = {}
        for message in messages:
            try:
                key, image = section.decode(message)
                if key in found:
                    raise ValueError(f"it is the second one of {section.stored_key(key).decode(errors='replace')}")
            except (ValueError, DecodeError) as error:
                where = f"{field.name}[{len(found)}]" if field.is_repeated else field.name
                raise WrongState(f"{where}: {error}") from None
            found[key] = image
        try:
            section.check(found)
        except ValueError as error:
            raise WrongState(f"{field.name}: {error}") from None
        yield field.name, found


def pieces_of(
    entries: Iterable[tuple[str, bytes, bytes]], sections: Sections
) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield each section of encoded pieces, with their images by key. Raises WrongState."""
    found: dict[str, dict[Hashable, Any]] = {}
    for name, stored, value in entries:
        if name not in sections:
            raise WrongState(f"{name}: this version of flyteapps knows no such pieces")
        section = sections[name]
        try:
            key, image = section.decode(message_type(name).FromString(value))
        except (ValueError, DecodeError) as error:
            raise WrongState(f"{name}, key {stored!r}: {error}") from None
        found.setdefault(name, {})[key] = image
    yield from found.items()


@lru_cache(maxsize=64)
def message_type(section: str) -> type[Message]:
    """Return the type of the messages of a section."""
    descriptor: Any = PlaneState.DESCRIPTOR.fields_by_name[section].message_type
    found: type[Message] = GetMessageClass(descriptor)
    return found


def check_head(document: PlaneState, dialect: str) -> None:
    """Check that a plane of a dialect can take a document. Raises WrongState."""
    if document.format > FORMAT:
        raise WrongState(
            f"the state has the format {document.format}, of flyteapps {document.written_by}: this version knows "
            f"formats up to {FORMAT}; install that one, or a newer one"
        )
    if document.format < 1:
        raise WrongState("it is no state of a plane: it has no format")
    if document.dialect != dialect:
        raise WrongState(
            f"the state is that of a plane of the dialect {document.dialect}, and this one is {dialect}: start one "
            f"with --dialect {document.dialect}"
        )
    if not document.HasField("time"):
        raise WrongState("time: it is missing")
    check_time(document.time)


def check_time(time: PlaneTime) -> None:
    """Check the time of a state. Raises WrongState."""
    if not 0 <= time.now <= END:
        raise WrongState(f"time.now: {time.now} is no time of a plane, in nanoseconds since 1970")
    try:
        check_times(wall=time.wall)
        check_counts(scheduled=time.scheduled, calls=time.calls)
    except ValueError as error:
        raise WrongState(f"time.{error}") from None
