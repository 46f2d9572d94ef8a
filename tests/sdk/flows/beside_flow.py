"""A file with a task beside its app, whose parameters come from artifacts and runs; then secrets, projects, tasks."""
# The SDK's types lack the results of its synchronous calls.
# pyright: basic

import flyte
from common import done, refused
from connectrpc.code import Code
from flyte.app import AppEnvironment, ArtifactValue, Parameter, RunOutput
from flyte.remote import App, Project, Secret, Task

image = flyte.Image.from_debian_base(python_version=(3, 12))
tasks = flyte.TaskEnvironment(name="beside", image=image)


@tasks.task
async def double(x: int) -> int:
    """Return the double."""
    return 2 * x


app = AppEnvironment(
    name="with-task",
    image=image,
    args=["serve"],
    depends_on=[tasks],
    secrets=[flyte.Secret(key="TOKEN", as_env_var="TOKEN")],
    parameters=[
        Parameter(name="model", value=ArtifactValue(name="bert"), mount="/models"),
        Parameter(name="data", value=RunOutput(type="directory", task_name="beside.double")),
        Parameter(name="word", value=RunOutput(type="string", run_name="words", getter=(1,))),
    ],
)


def main() -> None:
    """Deploy, and call what a user of these services calls."""
    flyte.init_from_config("config.yaml")
    for _ in range(2):  # a task that is there is skipped
        flyte.deploy(app)
    assert [task.name for task in Task.listall()] == ["beside.double"]
    latest = Task.get("beside.double", auto_version="latest").fetch()
    assert latest.pb2.spec.task_template.interface.inputs.variables[0].key == "x"

    stored = App.get("with-task")
    inputs = {item.name: item for item in stored.pb2.spec.inputs.items}
    assert inputs["model"].artifact_id.version == "v2"
    assert (inputs["data"].string_value, inputs["word"].string_value) == ("s3://out/", "second")

    Secret.create(name="TOKEN", value="hush")
    assert [secret.name for secret in Secret.listall()] == ["TOKEN"] and Secret.get("TOKEN").type == "regular"
    Secret.delete("TOKEN")
    refused(Code.NOT_FOUND, lambda: Secret.get("TOKEN"))

    Project.create(id="mine", name="Mine", description="first", labels={"a": "b"})
    Project.update(id="mine", description="second")
    assert Project.get("mine").pb2.description == "second"
    Project.update(id="mine", state="archived")
    assert [project.pb2.id for project in Project.listall(archived=True)] == ["mine"]
    assert "mine" not in [project.pb2.id for project in Project.listall()]
    done()


if __name__ == "__main__":
    main()
