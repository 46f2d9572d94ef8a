"""The version of flyteapps that writes a state."""

from __future__ import annotations


def written_by() -> str:
    """Return the version of flyteapps that is installed, for states."""
    from importlib.metadata import PackageNotFoundError, version  # not for planes without any

    try:
        return version("flyteapps")
    except PackageNotFoundError:
        return "of a source tree"
