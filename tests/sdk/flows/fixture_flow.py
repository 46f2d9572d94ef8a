"""A user's test: the SDK finds the stub's apps, and its failing deploys leave no open stream."""
# The SDK's types lack the results of flyte.serve.
# pyright: basic, reportAttributeAccessIssue=false

import flyte
import flyte.app
from common import done
from flyte.remote import App
from flyteidl2.app.app_definition_pb2 import App as Message
from flyteidl2.app.app_definition_pb2 import Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_fake import FakeControlPlane


def arranged() -> CreateRequest:
    """Return the request for an app without an org."""
    identifier = Identifier(project="p", domain="d", name="arranged")
    return CreateRequest(app=Message(metadata=Meta(id=identifier), spec=Spec(container=Container(image="x"))))


for host in ("localhost", "127.0.0.1"):
    with FakeControlPlane() as plane:
        plane.stub().create(arranged())
        flyte.init(endpoint=f"dns:///{host}:{plane.serve().port}", insecure=True, project="p", domain="d")
        assert App.get("arranged").name == "arranged"
        assert [app.name for app in App.listall()] == ["arranged"]
        variables = {"FLYTEAPPS_SCENARIO": "crash-loop"}
        said = ""
        try:
            flyte.serve(flyte.app.AppEnvironment(name="broken", image="x", args="run", env_vars=variables))
        except RuntimeError as error:
            said = str(error)
        assert "failed" in said, said
        assert plane.org == "flyte"
done()
