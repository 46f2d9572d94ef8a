"""Declared values in place of tasks' results: artifacts and outputs of runs, by name.

A text with "://" is the URI of a file, or of a directory if it ends in a slash; any other text is a string.
"""

from __future__ import annotations

from flyteidl2.core.literals_pb2 import Literal
from flyteidl2.core.types_pb2 import STRING, BlobType, LiteralType


def is_uri(value: str) -> bool:
    """Return whether a declared value is a URI."""
    return "://" in value


def literal_of(value: str) -> Literal:
    """Return a declared value as a literal."""
    literal = Literal()
    if is_uri(value):
        literal.scalar.blob.uri = value
        literal.scalar.blob.metadata.type.CopyFrom(_blob_type(value))
    else:
        literal.scalar.primitive.string_value = value
    return literal


def type_of(value: str) -> LiteralType:
    """Return the type of a declared value."""
    return LiteralType(blob=_blob_type(value)) if is_uri(value) else LiteralType(simple=STRING)


def _blob_type(uri: str) -> BlobType:
    return BlobType(dimensionality=BlobType.MULTIPART if uri.endswith("/") else BlobType.SINGLE)
