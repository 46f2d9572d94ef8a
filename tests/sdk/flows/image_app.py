"""An app with an image to build, as in the SDK's first example."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte
import flyte.app

image = (
    flyte.Image.from_debian_base(python_version=(3, 12))
    .with_pip_packages("streamlit==1.41.1")
    .with_pip_packages("flyte", pre=True, extra_args="--prerelease=allow")
)

app = flyte.app.AppEnvironment(
    name="streamlit-hello",
    image=image,
    args="streamlit hello --server.port 8080",
    port=8080,
    resources=flyte.Resources(cpu="1", memory="1Gi"),
)
