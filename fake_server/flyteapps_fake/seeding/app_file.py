"""The format of apps in YAML, as a table, and its parser: values with their places become App messages.

It checks what only a file can have wrong. The plane checks the apps when they are created.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_control.scenarios import MAX_BYTES
from flyteapps_control.selection import AppName
from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING, STOPPED, short_name
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.files.field_values import fields_of, one_of, text_of, whole_of
from flyteapps_fake.simulation.files.format import Field
from flyteapps_fake.simulation.files.located import ScenarioError, Value, from_text
from flyteapps_fake.simulation.scenarios import LABEL

PROJECT, DOMAIN = "demo", "development"
"""Where an app is that names no project and no domain: those of the configuration that a server prints."""
MAX_APPS = 10_000
"""Apps of one file."""
MAX_REPLICAS = 1_000
MAX_PORT = 65_535
STARTED = {"started": Spec.DESIRED_STATE_STARTED, "active": Spec.DESIRED_STATE_ACTIVE}
DESIRED_STATES: Mapping[str, Spec.DesiredState] = {**STARTED, "stopped": Spec.DESIRED_STATE_STOPPED}
STATUSES: Mapping[str, int] = {short_name(each): each for each in (PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED)}

HINT = "put the apps below `apps`, as a list"
FILE: Mapping[str, Field] = {"apps": Field("The apps.", {"type": "array"}, required=True)}
APP: Mapping[str, Field] = {
    "name": Field("Its name.", {"type": "string"}, required=True),
    "project": Field(f"Its project; `{PROJECT}` without it.", {"type": "string"}),
    "domain": Field(f"Its domain; `{DOMAIN}` without it.", {"type": "string"}),
    "image": Field("The image of its container.", {"type": "string"}, required=True),
    "command": Field("The container's command, a list of texts.", {"type": "array"}),
    "args": Field("The arguments of the command, a list of texts.", {"type": "array"}),
    "env": Field("The container's variables, texts by name.", {"type": "object"}),
    "port": Field("The port that the container listens on.", {"type": "integer"}),
    "replicas": Field("The number of its replicas, or the bounds `{min: 1, max: 4}`.", {}),
    "labels": Field("Its labels, texts by key.", {"type": "object"}),
    "description": Field("A short description of it.", {"type": "string"}),
    "desired_state": Field("`started`, without it, or `stopped`.", {"enum": [*DESIRED_STATES]}),
    "scenario": Field("The [scenario](scenarios.md) of its starts.", {"type": "string"}),
    "status": Field(
        f"The status that it has reached: {', '.join(STATUSES)}. Without it its start is over.", {"enum": [*STATUSES]}
    ),
}
REPLICAS: Mapping[str, Field] = {"min": Field("The least.", {}), "max": Field("The most.", {})}


class SeedApp(NamedTuple):
    """An app of a file. `status`: the one that it is to have, None once its start is over. `places`: of its fields."""

    place: str
    name: AppName
    app: App
    status: int | None
    places: Mapping[str, str]


def parse_apps(text: str, name: str) -> list[SeedApp]:
    """Return the apps of a text of YAML, which `name` names in messages. Raises ScenarioError for the first mistake."""
    if not text.strip():
        raise ScenarioError(name, f"is empty: {HINT}")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ScenarioError(name, f"more than {MAX_BYTES:,} bytes of apps: split them into several files")
    apps = fields_of(from_text(text, name), FILE, "a file of apps", hint=HINT)["apps"]
    if not apps.items:
        raise apps.fail("apps must be a list of apps, with one at least")
    if len(apps.items) > MAX_APPS:
        raise apps.items[MAX_APPS].fail(f"one file has at most {MAX_APPS:,} apps")
    found: dict[AppName, SeedApp] = {}
    for each in apps.items:
        app = _app(each)
        if app.name in found:
            raise ScenarioError(app.place, f"the app {app.name} is given twice, before at {found[app.name].place}")
        found[app.name] = app
    return [*found.values()]


def _app(value: Value) -> SeedApp:
    found = fields_of(value, APP, "an app")
    name = AppName(
        text_of(found.get("project"), "project") or PROJECT,
        text_of(found.get("domain"), "domain") or DOMAIN,
        text_of(found["name"], "name"),
    )
    app = App()
    app.metadata.id.project, app.metadata.id.domain, app.metadata.id.name = name
    app.metadata.labels.update(_texts(found.get("labels"), "labels"))
    if (scenario := found.get("scenario")) is not None:
        app.metadata.labels[LABEL] = text_of(scenario, "scenario")
    app.spec.container.CopyFrom(_container(found))
    app.spec.profile.short_description = text_of(found.get("description"), "description")
    wanted = found.get("desired_state")
    app.spec.desired_state = DESIRED_STATES[
        one_of(wanted, "desired_state", DESIRED_STATES) if wanted is not None else "active"
    ]
    if (replicas := found.get("replicas")) is not None:
        app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = _bounds(replicas)
    status = found.get("status")
    return SeedApp(
        value.place,
        name,
        app,
        STATUSES[one_of(status, "status", STATUSES)] if status is not None else None,
        {key: each.place for key, each in found.items()},
    )


def _container(found: Mapping[str, Value]) -> Container:
    container = Container(image=text_of(found["image"], "image"))
    container.command.extend(_list(found.get("command"), "command"))
    container.args.extend(_list(found.get("args"), "args"))
    for key, each in _texts(found.get("env"), "env").items():
        container.env.add(key=key, value=each)
    if (port := found.get("port")) is not None:
        container.ports.add(container_port=whole_of(port, "port", 1, MAX_PORT))
    return container


def _bounds(value: Value) -> tuple[int, int]:
    if value.fields is None:
        number = whole_of(value, "replicas", 0, MAX_REPLICAS)
        return number, number
    found = fields_of(value, REPLICAS, "replicas")
    least = whole_of(found["min"], "min", 0, MAX_REPLICAS) if "min" in found else 0
    most = whole_of(found["max"], "max", 0, MAX_REPLICAS) if "max" in found else max(1, least)
    if most < least:
        raise value.fail(f"replicas: max is {most}, less than min, which is {least}")
    return least, most


def _list(value: Value | None, what: str) -> list[str]:
    if value is None:
        return []
    if value.items is None:
        raise value.fail(f'{what} must be a list of texts, such as ["python", "app.py"]')
    return [text_of(each, f"{what}[{index}]") for index, each in enumerate(value.items)]


def _texts(value: Value | None, what: str) -> dict[str, str]:
    if value is None:
        return {}
    if value.fields is None:
        raise value.fail(f"{what} must be texts by name, such as {{team: search}}")
    for key, each in value.fields.items():
        if not each.is_scalar:
            raise each.fail(f"{what}: the value of {quoted(key)} must be a text")
    return {key: text_of(each, f"{what}.{key}") for key, each in value.fields.items()}
