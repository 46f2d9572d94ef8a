"""Apps to send."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition


def app(
    name: str = "hello", image: str = "example.org/hello:1", *, scenario: str = "", **labels: str
) -> definition.App:
    """Return an app with one container; project and domain are the client's. `scenario`: that of the stand-in."""
    message = definition.App()
    message.metadata.id.name = name
    message.metadata.labels.update(labels)
    message.spec.container.image = image
    if scenario:  # no label: not every plane keeps them
        message.spec.container.env.add(key="FLYTEAPPS_SCENARIO", value=scenario)
    return message


def spec(image: str) -> definition.Spec:
    """Return a spec with one container."""
    return definition.Spec(container={"image": image})
