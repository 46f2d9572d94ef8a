"""flyte.serve of a new, an unchanged and a changed app; one that fails; the variables of a serve."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte
import flyte.app
from flyte.remote import App


def env(**variables: str) -> flyte.app.AppEnvironment:
    return flyte.app.AppEnvironment(name="served", image="ghcr.io/x/y:1", args="run", port=8080, env_vars=variables)


flyte.init_from_config("config.yaml")

new = flyte.serve(env(A="1"))
assert new.is_active() and new.revision == 1, new
assert new.endpoint.startswith("http://localhost:") and "/apps/served-" in new.endpoint, new.endpoint
assert App.get("served").pb2 == new.pb2

unchanged = flyte.serve(env(A="1"))
assert unchanged.is_active() and unchanged.revision == 1, unchanged

changed = flyte.serve(env(A="2"))
assert changed.is_active() and changed.revision == 2, changed
stored = App.get("served")
assert {kv.key: kv.value for kv in stored.pb2.spec.container.env}["A"] == "2"
assert stored.endpoint == new.endpoint
# The SDK sends no code bundle on a redeploy: it's lost (pinned).
assert new.pb2.metadata.code_bundle_uri and not stored.pb2.metadata.code_bundle_uri

# Variables set by the serve never reach the plane (pinned), and appear twice in the handle.
with_variables = flyte.with_servecontext(env_vars={"B": "3"}).serve(env(A="2"))
assert "B" in {kv.key for kv in with_variables.pb2.spec.container.env}
assert [kv.key for kv in with_variables.pb2.spec.container.env].count("A") == 2
assert "B" not in {kv.key for kv in App.get("served").pb2.spec.container.env}
assert App.get("served").revision == 2

failing = flyte.app.AppEnvironment(
    name="failing", image="x", args="run", env_vars={"FLYTEAPPS_SCENARIO": "image-pull-error"}
)
said = ""
try:
    flyte.serve(failing)
except RuntimeError as error:
    said = str(error)
assert "failed" in said, said
assert not App.get("failing").is_active()
print("done")
