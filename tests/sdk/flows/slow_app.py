"""An app that takes minutes to start, to be changed from the command line while it does."""
# The SDK's types don't say what flyte.serve returns.
# pyright: basic, reportAttributeAccessIssue=false

import flyte.app

env = flyte.app.AppEnvironment(
    name="my-app", image="ghcr.io/x/y:1", args="run me", port=8080, env_vars={"FLYTEAPPS_SCENARIO": "slow-image"}
)
