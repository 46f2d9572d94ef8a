"""Deploys that once hung: an unknown scenario, an unlisted cluster pool, an unlisted cluster."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte
import flyte.app
from common import done, init
from flyte.remote import App
from flyteidl2.app import app_definition_pb2 as model

init()
variables = {"FLYTEAPPS_SCENARIO": "crash-lop"}
said = ""
try:
    flyte.serve(flyte.app.AppEnvironment(name="misspelt", image="x", args="run", env_vars=variables))
except RuntimeError as error:
    said = str(error)
assert "failed" in said, said
message = App.get("misspelt").pb2.status.conditions[-1].message
assert "'crash-lop'" in message and "crash-loop" in message, message

pooled = flyte.serve(flyte.app.AppEnvironment(name="pooled", image="x", args="run", cluster_pool="gpu"))
assert pooled.is_active()

pinned = model.App(metadata=model.Meta(id=model.Identifier(project="proj", domain="dev", name="pinned")))
pinned.spec.container.image = "x"
pinned.spec.ingress.SetInParent()
pinned.spec.cluster = "east-1"
app = App.create(pinned).watch()
assert (app.is_active(), app.pb2.status.assigned_cluster) == (True, "east-1")
done()
