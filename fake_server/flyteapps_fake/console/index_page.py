"""The list of apps in text, for clients that are no browsers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from flyteidl2.app.app_payload_pb2 import ListResponse

from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.http.page import PageAnswer

TEXT = b"text/plain; charset=utf-8"
MAX_APPS = 200
"""Apps that the page lists, at most."""

_HEAD = "flyteapps: a stand-in of the Flyte apps control plane is running here."


class _Row(NamedTuple):
    name: str
    state: str
    path: str


def index_page(encoded: bytes, count: int) -> PageAnswer:
    """Return the page for an encoded ListResponse, of a plane with `count` apps."""
    rows = list(_rows(ListResponse.FromString(encoded)))
    more = f"{count - len(rows)} more: flyte get app" if count > len(rows) else "" if rows else "There are no apps yet."
    lines = [_HEAD, *(f"{row.name} {row.state} {row.path}" for row in rows), *filter(None, [more])]
    body = ("\n".join(lines) + "\n").encode("utf-8", "replace")
    return PageAnswer(200, TEXT, body, [(b"vary", b"accept")])


def _rows(apps: ListResponse) -> Iterator[_Row]:
    for app in apps.apps:
        key, conditions = app.metadata.id, app.status.conditions
        domain, project, name = (quote(part, safe="") for part in (key.domain, key.project, key.name))
        state = short_name(conditions[-1].deployment_status if conditions else 0)
        path = f"/v2/domain/{domain}/project/{project}/apps/{name}"
        yield _Row(f"{key.project}/{key.domain}/{key.name}", state, path)
