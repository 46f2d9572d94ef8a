"""An app with a pod template of its own."""
# pyright: basic

import flyte
import flyte.app
from kubernetes.client import V1Container, V1EnvVar, V1PodSpec

env = flyte.app.AppEnvironment(
    name="pod",
    image="none",
    requires_auth=False,
    args="python -S -E -m http.server 8080",
    pod_template=flyte.PodTemplate(
        primary_container_name="app",
        pod_spec=V1PodSpec(
            containers=[
                V1Container(name="app", image="none", env=[V1EnvVar(name="WORD", value="hello")]),
                V1Container(name="sidecar", image="none", command=["no-such-program"]),
            ]
        ),
    ),
)
