"""The settings of authentication from a YAML or JSON file; a mistake is an error with its line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flyteapps_fake.auth.settings import Auth, AuthError
from flyteapps_fake.simulation.files.located import ScenarioError, Value, from_text


def read_auth(path: Path) -> Auth:
    """Return the settings in a file. Raises ValueError with the place of a mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text in UTF-8") from None
    return parse_auth(text, str(path))


def parse_auth(text: str, name: str) -> Auth:
    """Return the settings in a text, which `name` names in messages. Raises ValueError."""
    if not text.strip():
        raise ValueError(f"{name}: is empty: it needs `users` or `clients`")
    try:
        value = from_text(text, name)
    except ScenarioError as error:
        raise ValueError(str(error)) from None
    if value.fields is None:
        raise ValueError(f"{value.place}: must be a mapping with `users` and `clients`")
    try:
        return Auth.of(_plain(value))
    except AuthError as error:
        raise ValueError(f"{_place_of(value, error.path)}: {error}") from None


def _plain(value: Value) -> Any:
    if value.fields is not None:
        return {key: _plain(each) for key, each in value.fields.items()}
    if value.items is not None:
        return [_plain(each) for each in value.items]
    return value.scalar


def _place_of(value: Value, path: tuple[str | int, ...]) -> str:
    """Return the place of the value at a path, or of the last one on it that is there."""
    for part in path:
        if isinstance(part, int):
            found = value.items[part] if value.items is not None and part < len(value.items) else None
        else:
            found = (value.fields or {}).get(part)
        if found is None:
            break
        value = found
    return value.place
