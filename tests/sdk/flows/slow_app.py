"""An app that takes minutes to start, for changes from the command line meanwhile."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte.app

env = flyte.app.AppEnvironment(
    name="my-app", image="ghcr.io/x/y:1", args="run me", port=8080, env_vars={"FLYTEAPPS_SCENARIO": "slow-image"}
)
