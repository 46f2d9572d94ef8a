"""The wordings that Knative's rules share."""

from __future__ import annotations

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError

MAX_INT32 = 2**31 - 1


def missing(*paths: str) -> FieldError:
    """Return the error of fields that have to be set."""
    return FieldError("missing field(s)", paths)


def forbidden(*paths: str) -> FieldError:
    """Return the error of fields that may not be set."""
    return FieldError("must not set the field(s)", paths)


def invalid(value: object, path: str, details: str = "") -> FieldError:
    """Return the error of a value."""
    return FieldError(f"invalid value: {value}", (path,), details)


def out_of_bounds(least: object, value: object, greatest: object, path: str) -> FieldError:
    """Return the error of a value that is too small or too great."""
    return FieldError(f"expected {least} <= {value} <= {greatest}", (path,))


def one_of(paths: tuple[str, ...], count: int) -> FieldError:
    """Return the error of alternatives of which none or several are set."""
    return FieldError(f"expected exactly one, got {'both' if count else 'neither'}", paths)
