"""Writes and what reads show of them in flyte-oss: row OSS-80. Those of clients at once are drawn."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.oss import changed, listed, next_of, shown, stopped
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.session import STOP, Session


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
