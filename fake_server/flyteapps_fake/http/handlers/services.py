"""The parts of a front that its handlers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.request_limits import RequestLimits
from flyteapps_fake.http.builtin.uploads import Uploads
from flyteapps_fake.http.endpoints import Endpoint
from flyteapps_fake.http.large_requests import LargeRequests
from flyteapps_fake.http.options import FrontOptions
from flyteapps_fake.http.request_timeouts import RequestTimeouts
from flyteapps_fake.http.streaming.live_streams import Sweeper
from flyteapps_fake.http.streaming.unread_answers import UnreadAnswers


class Services(Protocol):
    """The parts, as a front has them."""

    @property
    def plane(self) -> Plane:
        """The plane."""
        ...

    @property
    def options(self) -> FrontOptions:
        """The options of the front."""
        ...

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The methods by path."""
        ...

    @property
    def request_limits(self) -> RequestLimits:
        """The limits of requests, and how undecodable ones are refused."""
        ...

    @property
    def timeouts(self) -> RequestTimeouts:
        """The requests whose body is arriving."""
        ...

    @property
    def large_requests(self) -> LargeRequests:
        """The turns of large requests."""
        ...

    @property
    def unread_answers(self) -> UnreadAnswers:
        """The large answers that are being sent."""
        ...

    @property
    def sweeper(self) -> Sweeper:
        """The open streams."""
        ...

    @property
    def uploads(self) -> Uploads:
        """The signed URLs for uploads."""
        ...
