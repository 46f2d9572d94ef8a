"""An app's life by the methods of App: watch, deactivate, activate, both ephemeral contexts, replace, delete."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import asyncio

from common import done, init, make, refused, until
from connectrpc.code import Code
from flyte.remote import App
from flyteidl2.app import app_definition_pb2 as model

init()
assert refused(Code.NOT_FOUND, lambda: App.get("life"))

app = make("life").watch(wait_for="activated")
assert app.is_active() and app.revision == 1, app
assert app.watch() is app
assert app.activate() is app, "an active app is left alone"

answer = app.deactivate()
assert not answer.is_deactivated() and answer.revision == 2, answer
stopped = until("life", App.is_deactivated)
assert stopped.deactivate() is stopped

answer = stopped.activate()
assert not answer.is_active() and answer.revision == 3, answer
assert answer.desired_state == model.Spec.DESIRED_STATE_STARTED
app = until("life", App.is_active)

app.deactivate(wait=True)
stopped = App.get("life")
assert stopped.is_deactivated() and stopped.pb2.status.current_replicas == 0
stopped.activate(wait=True)
app = App.get("life")
assert app.is_active() and app.revision == 5, app

with app.ephemeral_ctx_sync():
    assert App.get("life").is_active()
assert App.get("life").is_deactivated()


async def contexts(app: App) -> None:
    async with app.ephemeral_ctx():
        assert (await App.get.aio("life")).is_active()


stopped = App.get("life")
asyncio.run(contexts(stopped))
left = App.get("life")
# A handle of a stopped app never sees that it was started: its context leaves the app running (pinned).
assert left.is_active() and stopped.is_deactivated(), left
asyncio.run(contexts(left))
assert App.get("life").is_deactivated()

revision = App.get("life").revision
spec = model.Spec()
spec.CopyFrom(App.get("life").pb2.spec)
assert App.replace("life", spec, "nothing new").revision == revision, "no change, no update"
spec.container.image = "img:2"
spec.desired_state = model.Spec.DESIRED_STATE_ACTIVE
replaced = App.replace("life", spec, "a new image", labels={"team": "red"})
assert replaced.revision == revision + 1 and dict(replaced.pb2.metadata.labels) == {"team": "red"}
assert "a new image" in replaced.pb2.status.conditions[-1].message
assert replaced.watch().is_active()

# A handle of before the write: the plane refuses, as the SDK relies on.
message = refused(Code.ABORTED, lambda: stopped.activate())
assert message.startswith("Either the change has already been applied, or"), message

assert "stop" in refused(Code.FAILED_PRECONDITION, lambda: App.delete("life")).lower()
App.get("life").deactivate()
App.delete("life")
assert refused(Code.NOT_FOUND, lambda: App.get("life"))
App.delete("life")
done()
