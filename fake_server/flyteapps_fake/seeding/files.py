"""Files that fill a plane: apps in YAML."""

from __future__ import annotations

from pathlib import Path

from flyteapps_control.scenarios import MAX_BYTES
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.seeding.app_file import parse_apps
from flyteapps_fake.seeding.creation import create_apps
from flyteapps_fake.simulation.files.located import ScenarioError


def fill(plane: Plane, path: Path) -> int:
    """Load the file of a path, as `load_file` does. Raises ValueError for one that can't be read, too."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # which parse_apps refuses; a device has no end
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{path}: can't be read: {why}") from None
    return load_file(plane, content, str(path))


def load_file(plane: Plane, content: bytes, name: str) -> int:
    """Load a file, which `name` names in messages; return how many apps it had.

    Apps are created, all or none. Raises ValueError with the place of the first mistake.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ScenarioError(name, "is not text in UTF-8") from None
    apps = parse_apps(text, name)
    create_apps(plane, apps)
    return len(apps)
