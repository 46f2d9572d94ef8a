"""The configuration of a server, as one value that the child process reads from its environment. No behaviour."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

CHILD_VARIABLE = "FLYTEAPPS_CHILD"
REFUSED = "flyteapps refuses the state: "
"""The beginning of the line in which the child process says why it can't take the state of its directory."""
DEFAULT_CONSOLE_PORT = 8080
DEFAULT_PORT = 8090


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """The configuration of one server.

    `addresses`: those it listens on. `settings`: the fields of Settings. `limits`: those of Limits. `console_port`
    None: no port for the console. `console`: whether browsers get the console. `control_api`: whether the control API
    is served. `call_log`: the path of the file of calls. `seed_file`: the path of the file that fills the plane.
    `interpreter`: the Python that this command runs by. `show_logs`: whether log lines of apps are shown. `tls_cert`,
    `tls_key`: paths of PEM files, both or neither. `hosts`, `origins`: the arguments of HostPolicy. For a child alone,
    `control`: the path of the socket to its parent; `console_fds`, `stderr_fd`: the files that it inherits.
    """

    addresses: tuple[str, ...] = ("127.0.0.1",)
    port: int = DEFAULT_PORT
    console_port: int | None = DEFAULT_CONSOLE_PORT
    console: bool = True
    log_format: Literal["text", "json"] = "text"
    quiet: bool = False
    control_api: bool = True
    call_log: str | None = None
    seed_file: str | None = None
    interpreter: str = ""
    show_logs: bool = False
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
        """Return the configuration as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServeConfig:
        """Return the configuration that `to_json` wrote."""
        return cls(**json.loads(text))
