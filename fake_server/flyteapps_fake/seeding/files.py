"""Files that fill a plane: the document of another plane's state in JSON, or apps in YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from google.protobuf.json_format import ParseDict, ParseError

from flyteapps_control.states import MAX_FILE_BYTES
from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.seeding.app_file import parse_apps
from flyteapps_fake.seeding.creation import create_apps
from flyteapps_fake.simulation.files.located import ScenarioError

FORMAT = "format"
"""The field of a document that YAML of apps never has."""


def fill(plane: Plane, path: Path) -> int:
    """Load the file of a path, as `load_file` does. Raises ValueError for one that can't be read, too."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)  # a device, such as /dev/zero, has no end
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{path}: can't be read: {why}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path}: has more than {MAX_FILE_BYTES:,} bytes, as much as is loaded")
    return load_file(plane, content, str(path))


def load_file(plane: Plane, content: bytes, name: str) -> int:
    """Load a file, which `name` names in messages; return how many apps it had.

    A document replaces the state of the plane; apps are created, all or none. Raises ValueError with the place of the
    first mistake.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ScenarioError(name, "is not text in UTF-8") from None
    document = _document(text, name)
    if document is None:
        apps = parse_apps(text, name)
        create_apps(plane, apps)
        return len(apps)
    try:
        plane.load_document(document, passes=plane.settings.time_between == "passes")
    except ValueError as error:
        raise ScenarioError(name, str(error)) from None
    return plane.count()


def _document(text: str, name: str) -> PlaneState | None:
    """Return the document that a text is, None for another text. Raises ScenarioError for one that is damaged."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        data: Any = json.loads(text)
    except ValueError as error:
        if f'"{FORMAT}"' in text[:1_000]:  # else it may be YAML
            raise ScenarioError(name, f"is a damaged document: {error}; export it again") from None
        return None
    if not isinstance(data, dict) or FORMAT not in data:
        return None
    try:
        return ParseDict(cast("dict[str, Any]", data), PlaneState())
    except (ParseError, RecursionError) as error:
        raise ScenarioError(name, f"is no document of this version: {quoted(str(error))}") from None
