"""An app's life by the SDK on the open-source backend: serve, get, list, replace, deactivate, activate, delete."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import time

import flyte
import flyte.app
from common import done, init, refused
from connectrpc.code import Code
from flyte.remote import App
from flyteidl2.app import app_definition_pb2 as model


def env(name: str = "served", **variables: str) -> flyte.app.AppEnvironment:
    return flyte.app.AppEnvironment(name=name, image="ghcr.io/x/y:1", args="run", port=8080, env_vars=variables)


def listed(name: str) -> App:
    """Return the app by List: Get may be half a minute old there."""
    return next(app for app in App.listall() if app.name == name)


def until_active(name: str) -> None:
    deadline = time.monotonic() + 20
    while not listed(name).is_active():
        assert time.monotonic() < deadline, listed(name)
        time.sleep(0.02)


init()
new = flyte.serve(env(A="1"))
assert new.is_active() and new.revision == 0, new
assert new.endpoint.startswith("http://served-proj-dev."), new.endpoint

changed = flyte.serve(env(A="2"))  # Create replaces it: there is no Get and no Update
assert changed.is_active() and changed.revision == 0, changed
assert {kv.key: kv.value for kv in listed("served").pb2.spec.container.env}["A"] == "2"
until_active("served")

said = ""
try:
    flyte.serve(env("failing", FLYTEAPPS_SCENARIO="image-pull-error"))
except RuntimeError as error:
    said = str(error)
assert "failed" in said, said

# Filters and sort are ignored without an error from the SDK (pinned).
assert [app.name for app in App.listall(in_status="active", sort_by=("name", "desc"))] == ["failing", "served"]

spec = model.Spec()
spec.CopyFrom(App.get("served").pb2.spec)
assert App.replace("served", spec, "nothing new").revision == 0
spec.container.image = "ghcr.io/x/y:2"
replaced = App.replace("served", spec, "a new image", labels={"team": "red"})
assert dict(replaced.pb2.metadata.labels) == {"team": "red"}, "as they were sent"
assert not listed("served").pb2.metadata.labels, "and kept nowhere"
assert listed("served").pb2.spec.container.image == "ghcr.io/x/y:2"
until_active("served")

assert App.get("served").deactivate(wait=True).is_deactivated()
stopped = App.get("served")
assert stopped.is_deactivated()
started = stopped.activate(wait=True)
assert started.desired_state == model.Spec.DESIRED_STATE_STARTED
stopped.activate()  # no revision is checked
until_active("served")

App.delete("served")  # though it runs
assert refused(Code.NOT_FOUND, lambda: App.get("served"))
App.delete("served")
done()
