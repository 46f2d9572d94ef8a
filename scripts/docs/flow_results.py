"""Griffe extension: the result of a client's method, as its callers see it.

The client's methods are generators under the decorators `calling` and `iterating`: what is written as `Flow[App]`
returns an App, and what is written as `ItemFlow[Change]` an iterator of them.
"""

from __future__ import annotations

from typing import Any

import griffe

RESULTS = {"Flow": "{}", "ItemFlow": "Iterator[{}]"}


class FlowResults(griffe.Extension):
    """Replacement of `Flow[...]` and `ItemFlow[...]` in return annotations."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Replace the annotation of one function."""
        kind, bracket, result = str(func.returns).partition("[")
        if bracket and kind in RESULTS:
            func.returns = RESULTS[kind].format(result.removesuffix("]"))
