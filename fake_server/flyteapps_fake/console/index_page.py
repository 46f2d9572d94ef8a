"""The first page of the console: the apps with their states, each linked to its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from flyteidl2.app.app_payload_pb2 import ListResponse

from flyteapps_fake.console.answers import HTML
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


def index_page(encoded: bytes, count: int, accept: str) -> PageAnswer:
    """Return the page for an encoded ListResponse, of a plane with `count` apps: HTML if `accept` names it, or text."""
    rows = list(_rows(ListResponse.FromString(encoded)))
    more = f"{count - len(rows)} more: flyte get app" if count > len(rows) else "" if rows else "There are no apps yet."
    headers = [(b"vary", b"accept")]
    if "text/html" not in accept.lower():
        lines = [_HEAD, *(f"{row.name} {row.state} {row.path}" for row in rows), *filter(None, [more])]
        return PageAnswer(200, TEXT, ("\n".join(lines) + "\n").encode("utf-8", "replace"), headers)
    import html  # with its table of entities 2 ms of a start

    items = "".join(f'<li><a href="{row.path}">{html.escape(row.name)}</a> {row.state}\n' for row in rows)
    body = f"<!doctype html><meta charset=utf-8><title>flyteapps</title><p>{_HEAD}\n<ul>\n{items}</ul>\n<p>{more}\n"
    return PageAnswer(200, HTML, body.encode("utf-8", "replace"), headers)


def _rows(apps: ListResponse) -> Iterator[_Row]:
    for app in apps.apps:
        key, conditions = app.metadata.id, app.status.conditions
        domain, project, name = (quote(part, safe="") for part in (key.domain, key.project, key.name))
        state = short_name(conditions[-1].deployment_status if conditions else 0)
        path = f"/v2/domain/{domain}/project/{project}/apps/{name}"
        yield _Row(f"{key.project}/{key.domain}/{key.name}", state, path)
