"""The rules of Knative's validation for the service that the backend builds from a spec."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError


def violations(app: App) -> list[FieldError]:
    """Return the errors of the service of an app, none for one that Knative takes."""
    return []
