"""Writes and what reads show of them in flyte-oss: rows OSS-80 and OSS-81. Those of clients at once are drawn."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.oss import changed, listed, next_of, shown, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal, expect_refusal
from flyteapps_contract.session import STOP, Session

UNKNOWN = b"\xd2\xf9\x06\x05later"
"""A field that no message has, with a text."""


@check("OSS-80")
def list_and_a_new_watch_show_the_last_write(s: Session) -> None:
    """After each acknowledged write List and the snapshot of a new Watch show what it left."""
    app = s.given()
    s.create(changed(app, "img:2"))
    _expect_shown(s, app, "img:2")
    s.update(changed(app, "img:3"))
    _expect_shown(s, app, "img:3")
    stopped(s, changed(app, "img:4"))
    _expect_shown(s, app, "img:3", stops=True)
    s.delete(app.metadata.id)
    expect_equal(listed(s, app.metadata.id), None, "the app in List after Delete")


def _expect_shown(s: Session, app: model.App, image: str, *, stops: bool = False) -> None:
    """Expect List and the first event of a new Watch to show the app with that image."""
    watcher = s.watch(app_id=app.metadata.id)
    first = next_of(s, watcher, "the snapshot").app
    watcher.close()
    for where, found in (("List", shown(s, app.metadata.id)), ("the snapshot of a Watch", first)):
        expect_equal(found.spec.container.image, image, f"the image in {where}")
        expect_equal(found.spec.desired_state == STOP, stops, f"that it should stop in {where}")


@check("OSS-81")
def a_spec_is_shown_as_it_was_sent(s: Session) -> None:
    """Nothing of a spec is checked, left out or written in; of the rest only the id is stored."""
    app = s.app(labels={"a": "b"})
    app.metadata.code_bundle_uri = "somewhere"
    app.spec.links.add(path="no URI", title="x" * 100)
    app.spec.ingress.SetInParent()
    app.spec.cluster_pool = "NO pool"
    app.spec.MergeFromString(UNKNOWN)
    s.create(app)
    found = shown(s, app.metadata.id)
    expect_equal(found.spec, app.spec, "the spec in List")
    expect_equal(found.metadata, model.Meta(id=found.metadata.id), "the metadata in List, but for the id")


@check("OSS-81")
def a_write_that_can_not_be_built_changes_nothing(s: Session) -> None:
    """An Update without a payload is refused, and leaves the app as it was."""
    app = s.given()
    before = shown(s, app.metadata.id)
    other = changed(app, "img:2")
    other.spec.ClearField("container")
    with expect_refusal("INTERNAL", "an update without a payload"):
        s.update(other)
    expect_equal(shown(s, app.metadata.id).spec, before.spec, "the spec after a write that was refused")
