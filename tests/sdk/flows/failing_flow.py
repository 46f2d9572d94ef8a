"""flyte.serve of failing apps: a RuntimeError at once."""

import flyte
import flyte.app

flyte.init_from_config("config.yaml")
for scenario in ("image-pull-error", "secret-mount-error", "crash-loop", "oom-killed", "webhook-error"):
    variables = {"FLYTEAPPS_SCENARIO": scenario}
    said = ""
    try:
        flyte.serve(flyte.app.AppEnvironment(name=scenario, image="x", args="run", env_vars=variables))
    except RuntimeError as error:
        said = str(error)
    assert "failed" in said, (scenario, said)
print("done")
