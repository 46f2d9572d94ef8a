"""A developer: the SDK in a process of its own deploys the files of apps/, and the test sends requests to what runs."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Status
from sdk.field import RUN, User

from flyteapps import App, Client

APPS = Path(__file__).parent / "apps"
SECONDS = 60.0
"""Time for what starts or ends within a second, where the machine is busy."""


class Answer(NamedTuple):
    """A response of an app."""

    status: int
    text: str


def get(url: str, **headers: str) -> Answer:
    """Return the response to a GET."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SECONDS) as response:
            return Answer(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode())


class Developer:
    """A developer at a plane that is served."""

    def __init__(self, user: User, client: Client) -> None:
        self.user = user
        self.client = client

    def write(self, file: str, changes: Mapping[str, str] | None = None) -> None:
        """Copy a file of apps/ into the folder, with texts replaced."""
        text = (APPS / f"{file}.py").read_text()
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        (self.user.folder / f"{file}.py").write_text(text)

    def try_to_deploy(self, file: str, *environments: str) -> dict[str, dict[str, str]]:
        """Serve environments of a file that is in the folder; return what came of it by their names."""
        shutil.copy(APPS / "deploy.py", self.user.folder)
        output = self.user.run(*RUN, "deploy.py", file, *(environments or ("env",)))
        lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"name"')]
        return {each["name"]: each for each in lines}

    def deploy(self, file: str, *environments: str) -> dict[str, str]:
        """Serve environments of a file of apps/; return the endpoints by the apps' names."""
        if not (self.user.folder / f"{file}.py").exists():
            self.write(file)
        made = self.try_to_deploy(file, *environments)
        failed = [self.app(name).pb2.status.conditions[-1] for name, each in made.items() if "error" in each]
        assert not failed, f"{made}: {failed}"
        return {name: each["endpoint"] for name, each in made.items()}

    def app(self, name: str) -> App:
        """Return an app as it is now."""
        return self.client.apps.get(name)

    def reaches(self, name: str, status: str, text: str = "") -> App:
        """Wait until an app's last condition has this status, and this text; return the app."""
        app = self.app(name)
        if _is(app, status, text):
            return app
        return next(change.app for change in app.events(timeout=SECONDS) if _is(change.app, status, text))

    def show_logs(self, name: str, line: str, *replica: str) -> str:
        """Return what `App.show_logs` shows of an app, until it shows a text."""
        shutil.copy(APPS / "logs.py", self.user.folder)
        with self.user.follow(RUN[0], "-u", RUN[1], "logs.py", name, *replica) as output:
            shown = ""
            for each in output:
                shown += each
                if line in each:
                    return shown
        raise AssertionError(f"{line!r} isn't shown: {shown}")


def _is(app: App, status: str, text: str) -> bool:
    last = app.pb2.status.conditions[-1]
    return Status.DeploymentStatus.Name(last.deployment_status).endswith(f"_{status}") and text in str(last)
