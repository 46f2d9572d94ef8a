"""Apps to send."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition


def app(name: str = "hello", image: str = "example.org/hello:1", **labels: str) -> definition.App:
    """An app with one container; project and domain are the client's."""
    message = definition.App()
    message.metadata.id.name = name
    message.metadata.labels.update(labels)
    message.spec.container.image = image
    return message


def spec(image: str) -> definition.Spec:
    """A spec with one container."""
    return definition.Spec(container={"image": image})


def scenario(name: str) -> dict[str, str]:
    """The label that has an app go through a scenario of the stand-in."""
    return {"flyteapps.dev/scenario": name}
