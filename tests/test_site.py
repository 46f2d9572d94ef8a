"""The navigation of the docs site: every page is in it once, and every page in it is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from import_graph import ROOT

PUBLISHED = {"auth.schema.json", "scenarios.schema.json"}
"""Files that editors of users load from the site."""

MAX_IMAGE_BYTES = 100_000


class _Loader(yaml.SafeLoader):
    """YAML with the tags of mkdocs.yml, whose values don't matter here."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)  # pyright: ignore[reportUnknownLambdaType]  # types-free library


def test_every_page_is_in_the_navigation_once() -> None:
    """A page outside of the navigation could not be found, and one that is twice has two places."""
    site = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    pages = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(_leaves(site["nav"])) == sorted(pages)


def test_docs_holds_pages_alone() -> None:
    """docs/ has no programs, and of data only what the site publishes, and the images of its pages, which are small."""
    others = [path for path in (ROOT / "docs").rglob("*") if path.is_file() and path.suffix != ".md"]
    images = {path for path in others if path.parent == ROOT / "docs" / "images"}
    assert {path.name for path in others if path not in images} == PUBLISHED
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    for image in images:
        assert image.name in pages and image.stat().st_size < MAX_IMAGE_BYTES, image


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from _leaves(value)
    else:
        for each in nav:
            yield from _leaves(each)
