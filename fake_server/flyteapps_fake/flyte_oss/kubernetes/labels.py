"""The labels by which the backend selects: those of the service of an app, and that of a service's pods."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Identifier

MANAGED, DOMAIN, PROJECT, NAME = (f"flyte.org/{name}" for name in ("app-managed", "domain", "project", "app-name"))
STOPPED = {"flyte.org/app-stopped": "true", "networking.knative.dev/visibility": "cluster-local"}
"""The further labels of the service of a stopped app."""
SERVICE = "serving.knative.dev/service"
"""The label of a pod with the name of its service."""


def labels_of(app_id: Identifier) -> dict[str, str]:
    """Return the labels of the service of an app, in the order in which they are sent."""
    return {MANAGED: "true", NAME: app_id.name, DOMAIN: app_id.domain, PROJECT: app_id.project}
