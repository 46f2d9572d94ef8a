"""What a server is started with, as one value that travels to the child process by environment. No behaviour."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

CHILD_VARIABLE = "FLYTEAPPS_CHILD"
DEFAULT_CONSOLE_PORT = 8080
DEFAULT_PORT = 8090


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """How to serve one plane.

    `addresses`: where it listens. `settings`: the fields of Settings. `limits`: those
    of Limits. `console_port` None: no console of its own port. `tls_cert`, `tls_key`:
    paths of PEM files, both or neither. `hosts`, `origins`: what Guard takes. For a
    child alone, `control`: the path of the socket to its parent; `console_fds`,
    `stderr_fd`: what it inherits.
    """

    addresses: tuple[str, ...] = ("127.0.0.1",)
    port: int = DEFAULT_PORT
    console_port: int | None = DEFAULT_CONSOLE_PORT
    log_format: Literal["text", "json"] = "text"
    quiet: bool = False
    control: str | None = None
    console_fds: tuple[int, ...] = ()
    stderr_fd: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: dict[str, Any] = field(default_factory=dict[str, Any])
    settings: dict[str, Any]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServeConfig:
        return cls(**json.loads(text))
