"""An app to serve from the command line."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte.app

env = flyte.app.AppEnvironment(name="my-app", image="ghcr.io/x/y:1", args="run me", port=8080, env_vars={"A": "1"})
