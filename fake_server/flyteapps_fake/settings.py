"""What a stand-in is configured with, the same in process and behind `flyteapps serve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flyteapps_fake.plane.hostname import is_hostname

ClockMode = Literal["realtime", "auto", "manual"]

CLOCK_MODES: tuple[ClockMode, ...] = ("realtime", "auto", "manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one stand-in control plane.

    `org`: the plane's own org, None to take it from the first request.
    `seed`: of every random draw. `speed`: virtual seconds a real second, in
    `realtime`. `base_domain`, `ingress_scheme`, `ingress_port`: how the public
    URLs of apps are built (no port: the scheme's own). `subject`: the user that
    unauthenticated callers are. `watch_buffer`: events that a slow watcher may
    fall behind before its stream ends.
    """

    org: str | None = None
    seed: int = 0
    clock: ClockMode = "auto"
    speed: float = 1.0
    base_domain: str = "apps.localhost"
    ingress_scheme: str = "http"
    ingress_port: int | None = None
    subject: str = "anonymous"
    watch_buffer: int = 1_000

    def __post_init__(self) -> None:
        if self.clock not in CLOCK_MODES:
            raise ValueError(f"clock must be one of {', '.join(CLOCK_MODES)}, not {self.clock!r}")
        if not 0 < self.speed <= 1e6:
            raise ValueError(f"speed must be over 0 and at most 1,000,000 virtual seconds a second, not {self.speed!r}")
        if self.org is not None and not self.org:
            raise ValueError("org must not be empty; leave it out to take it from the first request")
        if not self.subject:
            raise ValueError("subject must not be empty")
        if self.ingress_scheme not in ("http", "https"):
            raise ValueError(f"ingress_scheme must be http or https, not {self.ingress_scheme!r}")
        if not is_hostname(self.base_domain):
            raise ValueError(f"base_domain must be a DNS name such as apps.localhost, not {self.base_domain!r}")
        if self.ingress_port is not None and not 0 < self.ingress_port < 65_536:
            raise ValueError(f"ingress_port must be from 1 to 65535, not {self.ingress_port}")
        if self.watch_buffer < 1:
            raise ValueError(f"watch_buffer must be at least 1 event, not {self.watch_buffer}")
