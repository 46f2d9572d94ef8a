"""PlaneTraits: the differences between planes that flows have to know.

A plane is recognized by each app that it returns: one that counts revisions never returns revision 0, one without them
(the open-source one) always does. Rules of this file: flows ask for the trait that they depend on, never for the kind
of plane.
"""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app import app_definition_pb2 as definition


class PlaneTraits(NamedTuple):
    """The knowledge of one kind of plane.

    `counts_revisions`: each write increments the revision, and each condition has a counter, so observations can be
    ordered. `keeps_history`: conditions are a history, the last one counts; otherwise there is one for each part of an
    app, in any order. `reads_current`: Get and the answers to writes show the app as it is now; otherwise they may be
    half a minute old. `loses_events`: a Watch stream can drop events, and shows other apps of the same name.
    `stores_stopped`: an app created with the desired state STOPPED is stopped; otherwise it starts nevertheless.
    `stores_metadata`: labels and the origin of the code are stored, not only the spec. `filters_lists`: List applies
    filters and the sort order; otherwise it ignores them.
    """

    counts_revisions: bool
    keeps_history: bool
    reads_current: bool
    loses_events: bool
    stores_stopped: bool
    stores_metadata: bool
    filters_lists: bool


REVISIONED = PlaneTraits(
    counts_revisions=True,
    keeps_history=True,
    reads_current=True,
    loses_events=False,
    stores_stopped=True,
    stores_metadata=True,
    filters_lists=True,
)
"""A plane that counts revisions."""

UNREVISIONED = PlaneTraits(
    counts_revisions=False,
    keeps_history=False,
    reads_current=False,
    loses_events=True,
    stores_stopped=False,
    stores_metadata=False,
    filters_lists=False,
)
"""A plane that doesn't: the open-source one, which keeps apps as Kubernetes resources."""


def traits_of(app: definition.App) -> PlaneTraits:
    """Return the traits of the plane that returned the app."""
    return REVISIONED if app.metadata.revision else UNREVISIONED
