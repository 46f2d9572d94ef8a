"""An app to serve from the command line."""

import flyte.app

env = flyte.app.AppEnvironment(name="my-app", image="ghcr.io/x/y:1", args="run me", port=8080, env_vars={"A": "1"})
