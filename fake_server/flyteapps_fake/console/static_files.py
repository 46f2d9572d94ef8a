"""The console's files, which `make console` builds: the page of the browser, and what it loads.

The name of a file that the page loads has a hash of its content, so that a browser may keep it. The page itself has
none, and is checked each time. Neither loads anything from elsewhere: the Content-Security-Policy forbids it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from flyteapps_fake.console.answers import HTML
from flyteapps_fake.http.page import PageAnswer

PREFIX = "/_flyteapps/console/"
"""The path of the files. An app's path can't begin with it."""
FOLDER = Path(__file__).parent / "static"
PAGE = "index.html"
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
UNCHANGING = (b"cache-control", b"public, max-age=31536000, immutable")
CHECKED = (b"cache-control", b"no-cache")
TYPES: Mapping[str, bytes] = {
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}


def wants_page(accept: str) -> bool:
    """Return whether a request is a browser's, which accepts HTML."""
    return "text/html" in accept.lower()


def browser_page(status: int = 200) -> PageAnswer:
    """Return the page that runs the console in a browser."""
    return PageAnswer(status, HTML, _read(PAGE), [*HEADERS, CHECKED, (b"vary", b"accept")])


def static_file(path: str) -> PageAnswer | None:
    """Return the file of a path that begins with PREFIX, None for no file."""
    name = path.removeprefix(PREFIX)
    if name == PAGE or name not in _names():
        return None
    caching = CHECKED if name.endswith(".txt") else UNCHANGING
    return PageAnswer(200, TYPES[Path(name).suffix], _read(name), [*HEADERS, caching])


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(each.name for each in FOLDER.iterdir() if each.suffix in TYPES)


@functools.cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
