"""`flyteapps control scenarios`: the scenarios that apps get, further ones, and their uses."""

from __future__ import annotations

import click

from flyteapps_control.v1.control_pb2 import (
    AppScenario,
    ListScenariosRequest,
    ListScenariosResponse,
    Scenario,
    ScenarioUse,
)
from flyteapps_fake.cli.control.connection import Connection, app_options, command, option, plain
from flyteapps_fake.cli.option_groups import Group

BUILT_IN = "built-in"
NOT_STARTED = "no app that matches has started"
REASONS = {
    "label": "by its label {}",
    "variable": "by its variable {}",
    "use": "by the use {}",
    "setting": "by --scenario {}",
    "when": "by the `when` at {}",
    "then": "by the `then` of {}",
    "default": "default",
}
"""The text for each reason for a scenario, with a placeholder for its detail."""


def _add(connection: Connection, *, files: tuple[str, ...]) -> None:
    added = [each for path in files for each in connection.control.scenarios.add(path)]
    connection.show([plain(each) for each in added], "\n".join(f"added {each.name}" for each in added))


def _use(connection: Connection, *, name: str, app: str, project: str, domain: str, times: int | None) -> None:
    found = connection.control.scenarios.use(name, app=app, project=project, domain=domain, times=times or 0)
    connection.show(plain(found), _used(found))


def _list(connection: Connection) -> None:
    found = connection.api.call("ListScenarios", ListScenariosRequest(), ListScenariosResponse)
    lines = [*map(_described, found.scenarios), *(f"{_used(each)}  (applied {each.applied})" for each in found.uses)]
    connection.show(plain(found), "\n".join(lines))


def _remove(connection: Connection, *, names: tuple[str, ...], use: tuple[str, ...]) -> None:
    if not (names or use):
        raise click.UsageError("name a scenario that was added, or a use by --use ID; `scenarios clear` removes all")
    connection.control.scenarios.remove(*names, *(ScenarioUse(id=each) for each in use))
    removed = [*names, *use]
    connection.show({"removed": removed}, "\n".join(f"removed {each}" for each in removed))


def _clear(connection: Connection) -> None:
    connection.control.scenarios.clear()
    connection.show({}, "added scenarios and uses are removed")


def _of(connection: Connection, *, app: str, project: str, domain: str) -> int:
    found = connection.control.scenarios.of(app=app, project=project, domain=domain)
    connection.show([plain(each) for each in found], "\n".join(map(_given, found)) or NOT_STARTED)
    return 0 if found else 1


def _given(given: AppScenario) -> str:
    return f"{given.app}  {given.scenario}  ({REASONS[given.reason].format(given.detail)})"


def _described(scenario: Scenario) -> str:
    origin = scenario.origin if scenario.origin == BUILT_IN else f"{scenario.origin}, {scenario.place}"
    return f"{scenario.name}  ({origin})  {scenario.summary}".rstrip()


def _used(use: ScenarioUse) -> str:
    parts = [use.id, use.scenario]
    parts += [f"app.{field.name}={value}" for field, value in use.app.ListFields()]
    return " ".join([*parts, f"times={use.times}"] if use.times else parts)


scenarios = click.Group(
    "scenarios",
    help="Add scenarios of your own, and choose which apps get which.",
    epilog="\b\nExample:\n  flyteapps control scenarios use crash-loop --app 'worker-*' --times 1",
    commands=[
        command(
            "add",
            _add,
            "Add the scenarios of files of YAML or JSON.",
            "scenarios add scenarios.yaml",
            arguments=(click.Argument(["files"], nargs=-1, required=True),),
        ),
        command(
            "use",
            _use,
            "Let apps that name no scenario get the scenario NAME at their next starts.",
            "scenarios use crash-loop --app 'worker-*' --times 1",
            arguments=(click.Argument(["name"]),),
            groups=(
                Group(
                    "Which starts",
                    (
                        *app_options("Starts of apps: a glob on names"),
                        option(
                            ["--times"],
                            type=click.IntRange(1, 2**31 - 1),
                            show_default="all",
                            help="How many starts of these apps, all together, such as 1.",
                        ),
                    ),
                ),
            ),
        ),
        command(
            "of",
            _of,
            "Show which scenario apps have since their last start, and why. APP: a glob such as 'worker-*'.",
            "scenarios of worker-1",
            arguments=(click.Argument(["app"]),),
            groups=(
                Group(
                    "Which apps",
                    (
                        option(["--project"], default="", show_default=False, help="Their project, such as demo."),
                        option(["--domain"], default="", show_default=False, help="Their domain, such as development."),
                    ),
                ),
            ),
        ),
        command("list", _list, "List the scenarios, and the uses with how many starts had each.", "scenarios list"),
        command(
            "remove",
            _remove,
            "Remove scenarios that were added, by their names, with their uses.",
            "scenarios remove out-of-memory",
            arguments=(click.Argument(["names"], nargs=-1),),
            groups=(
                Group(
                    "What else",
                    (option(["--use"], multiple=True, metavar="ID", help="Use to remove, such as u1; repeatable."),),
                ),
            ),
        ),
        command("clear", _clear, "Remove all scenarios that were added, and all uses.", "scenarios clear"),
    ],
)
