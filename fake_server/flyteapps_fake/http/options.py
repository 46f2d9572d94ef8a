"""The options of a front, and the lines of its access log. Values alone, for the servers and the command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from flyteapps_fake.http.access.host_policy import HostPolicy
from flyteapps_fake.http.builtin.upload_files import UploadFiles
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.http.page import Page

Server = Literal["pyvoy", "hypercorn"]


class AccessLine(NamedTuple):
    """One answered call, for the access log; `path`: of a request to an app; `message`: the words of a refusal."""

    method: str
    app: str
    code: str
    ms: float
    request_id: str = ""
    path: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontOptions:
    """The options of a front.

    `server`: whose `receive` the streams read. `host_policy`: the hosts and origins that are answered. `control`:
    whether the control API is served. `page`: makes the pages for requests that are no RPCs, of the front.
    `console`: whether browsers get the console.
    `uploads`: the uploaded files that are kept, None to drop them.
    `on_startup`, `on_shutdown`: run on the loop, before the first and after the last request, with the front.
    """

    server: Server
    host_policy: HostPolicy = field(default_factory=lambda: HostPolicy("127.0.0.1"))
    limits: Limits = field(default_factory=Limits)
    console_port: int | None = None
    control: bool = True
    access_log: Callable[[AccessLine], None] | None = None
    page: Callable[[Any], Page] | None = None
    console: bool = True
    uploads: UploadFiles | None = None
    on_startup: Callable[[Any], Awaitable[None]] | None = None
    on_shutdown: Callable[[Any], Awaitable[None]] | None = None
