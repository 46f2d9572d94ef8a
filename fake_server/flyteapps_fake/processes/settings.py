"""The settings of the data plane that really runs apps. Values and their checks alone, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from flyteapps_control.arguments import number, text

MAX_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The way in which apps are run as processes of this machine.

    `python`: the directory of a virtual environment whose programs come first in the PATH of apps; None for the one
    that this process runs in. `directory`: where apps run, and where their logs and uploaded files are kept; None for
    a temporary directory, which is removed at the end. `secrets`: the values of secrets by their keys, or by
    GROUP/KEY. `start_seconds`: in which an app has to open its port. `stop_seconds`: between SIGTERM and SIGKILL.
    `retry_seconds`: before the first restart of a replica that ended by itself; it doubles with each, up to a minute.
    """

    python: str | None = None
    directory: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    start_seconds: float = 300.0
    stop_seconds: float = 10.0
    retry_seconds: float = 0.5

    def __post_init__(self) -> None:
        if self.python is not None and not (Path(self.python) / "bin").is_dir():
            path = Path(self.python)
            what = f"processes.python (--python): {self.python} is no virtual environment"
            if path.parent.name == "bin":
                raise ValueError(f"{what} but a file of one: give the directory, {path.parent.parent}")
            raise ValueError(f"{what}, it has no directory bin; make one with: python3 -m venv {self.python}")
        if self.directory is not None and not Path(self.directory).is_absolute():
            raise ValueError(f"processes.directory must be an absolute path, not {self.directory!r}")
        _check_secrets(self.secrets)
        for name in ("start_seconds", "stop_seconds", "retry_seconds"):
            value = getattr(self, name)
            if not 0 < number(f"processes.{name}", value) <= MAX_SECONDS:
                raise ValueError(
                    f"processes.{name} must be over 0 and at most {MAX_SECONDS:,.0f} seconds, not {value!r}"
                )

    @classmethod
    def of(cls, value: Any) -> Processes:
        """Return a Processes as it is, a mapping of its fields as one, None as the defaults."""
        if value is None or isinstance(value, cls):
            return value or cls()
        known = [each.name for each in fields(cls)]
        if not isinstance(value, Mapping):
            raise ValueError(f"processes must be a Processes or a mapping of its fields, not {value!r}")
        given = cast("Mapping[str, Any]", value)
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"processes has no field {unknown[0]!r}; there are {', '.join(known)}")
        return cls(**given)


def _check_secrets(secrets: Any) -> None:
    """Check that secrets are texts by name. Raises TypeError, which shows no value."""
    if not isinstance(secrets, Mapping):
        raise TypeError(f"processes.secrets must be a mapping of texts by name, not a {type(secrets).__name__}")
    for name, value in cast("Mapping[Any, Any]", secrets).items():
        text("a name in processes.secrets", name)
        if not isinstance(value, str):
            raise TypeError(f"processes.secrets[{name!r}] must be a text, not a {type(value).__name__}")
