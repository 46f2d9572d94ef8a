"""The launch of a replica: its command, environment and port, from the app's spec. Nothing is started here."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flyteidl2.app.app_definition_pb2 import App, Status
from flyteidl2.core.security_pb2 import Secret

from flyteapps_control.selection import AppName
from flyteapps_fake.processes.launching.containers import Container

PASSED_ON = (
    "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""The variables of the server that apps have, too, and those whose names begin with LC_."""
RAW_DATA = "{{.rawOutputDataPrefix}}"
OF_THE_ENVIRONMENT = ("fserve", "python", "python3", "pip")
"""The programs that are found in no other environment than the one that the user has chosen."""


class Refused(Exception):  # noqa: N818  # reads as what happened
    """A spec that can't be run here, with the substate of the failure and a message that says what to do."""

    def __init__(self, message: str, substate: int = Status.SUBSTATE_UNSPECIFIED) -> None:
        super().__init__(message)
        self.substate = substate


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The environment that all apps share.

    `python`: the one whose programs come first, `chosen` by the user or not. `api`: the plane's endpoint. `pattern`:
    INTERNAL_APP_ENDPOINT_PATTERN with {project} and {domain} to be replaced; "" where nobody routes.
    """

    python: str
    chosen: bool = False
    api: str = ""
    secure: bool = False
    pattern: str = ""
    org: str = ""

    @property
    def path(self) -> str:
        """The PATH of apps."""
        return os.pathsep.join(filter(None, (str(Path(self.python) / "bin"), os.environ.get("PATH", os.defpath))))


@dataclass(frozen=True, slots=True)
class Launch:
    """A command with its environment, both complete."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def own_environment() -> str:
    """Return the directory of the Python environment that this process runs in."""
    return sys.prefix


def launch_of(
    app: App,
    container: Container,
    machine: Machine,
    port: int,
    directory: Path,
    data: Path,
    secrets: Mapping[str, str],
) -> Launch:
    """Return the launch of a replica on that port, in that directory. Raises Refused."""
    name = AppName(app.metadata.id.project, app.metadata.id.domain, app.metadata.id.name)
    raw = f"{data}/"
    command = [argument.replace(RAW_DATA, raw) for argument in container.command]
    if port != container.port:
        command = [with_port(argument, container.port, port) for argument in command]
    env = {**inherited(), **_of_cluster(app, name, machine, port, raw), **secrets, **container.env}
    env["PATH"] = container.env.get("PATH") or machine.path
    return Launch((program_of(command, container, machine, env["PATH"], directory), *command[1:]), env)


def inherited() -> dict[str, str]:
    """Return the variables of this process that apps have, too: those of the user, none of the server's."""
    return {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("LC_")}


def _of_cluster(app: App, name: AppName, machine: Machine, port: int, raw: str) -> dict[str, str]:
    """Return what a cluster of Flyte gives an app, by the SDK's names; and Knative's, which it is built on."""
    env = {
        "PORT": str(port),
        "K_SERVICE": name.name,
        "K_REVISION": f"{name.name}-{app.metadata.revision:05d}",
        "FLYTE_INTERNAL_EXECUTION_PROJECT": name.project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": name.domain,
        "_U_ORG_NAME": app.metadata.id.org or machine.org,
        "_F_APPLE_SILICON_ON_HOST": "1",  # so that the SDK's get_port() reads the next one
        "_F_APPLE_SILICON_HOST_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": machine.python,
    }
    if machine.api:
        env["_U_EP_OVERRIDE"] = machine.api
        env["_U_INSECURE"] = "false" if machine.secure else "true"
        if machine.secure:
            env["_U_INSECURE_SKIP_VERIFY"] = "true"
    if machine.pattern:
        pattern = machine.pattern.replace("{project}", name.project).replace("{domain}", name.domain)
        env["INTERNAL_APP_ENDPOINT_PATTERN"] = pattern
    return env


def with_port(argument: str, port: int, other: int) -> str:
    """Return the argument with another port in the place of that one, if it is one: 8080, :8080, --port=8080."""
    text = str(port)
    if argument == text:
        return str(other)
    head = argument.removesuffix(text)
    return f"{head}{other}" if head != argument and head[-1:] in ("=", ":") else argument


def program_of(command: list[str], container: Container, machine: Machine, path: str, directory: Path) -> str:
    """Return the path of the command's program. Raises Refused where there is none that can be run."""
    if not command:
        raise Refused(
            f"images are not pulled here: {container.image or 'the app'} has no command in its spec, so nothing is "
            "known that could run in its place; give the app a command",
            Status.IMAGE_PULL_ERROR,
        )
    program = command[0]
    bin_ = Path(machine.python) / "bin"
    if program in OF_THE_ENVIRONMENT and machine.chosen:
        path = str(bin_)
    found = shutil.which(str(directory / program) if os.sep in program else program, path=path)
    if found is not None:
        return found
    if program == "fserve":
        raise Refused(
            f"fserve, the Flyte SDK's server of apps, is not in {bin_}: type {bin_ / 'python'} -m pip install flyte, "
            "or name another environment with --python"
        )
    if shutil.which(program, mode=os.F_OK, path=path) is not None:
        raise Refused(f"the program {program!r} of the command is not executable: chmod +x it")
    raise Refused(
        f"the program {program!r} of the command is not on this machine: images are not pulled, so that in the place "
        f"of {container.image or 'an image'} the command runs with what is in {bin_} and in PATH; install it there"
    )


def missing_secret(app: App, secrets: Mapping[tuple[str, str], bytes | None]) -> str:
    """Return the message for the first secret of an app that has no value, "" where all have one."""
    for secret in app.spec.security_context.secrets:
        if secrets.get((secret.group, secret.key)) is None:
            shown = f"{secret.group}/{secret.key}" if secret.group else secret.key
            return (
                f"the secret {shown} has no value here: give it one by --secret {shown}=VALUE or --env-file FILE, or "
                f"create it with: flyte create secret {secret.key}"
            )
    return ""


def with_token(token: str, directory: Path) -> dict[str, str]:
    """Write a token of the plane into the directory; return the variables by which the SDK finds it there."""
    file = directory / "secrets" / ".plane-token"
    file.parent.mkdir(exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    file.write_text(token)
    return {"FLYTE_AUTH_TYPE": "ExternalCommand", "FLYTE_AUTH_COMMAND": json.dumps(["cat", str(file)])}


def mount(wanted: Iterable[Secret], values: Mapping[tuple[str, str], bytes | None], directory: Path) -> dict[str, str]:
    """Write the secrets that are files into the directory; return the variables of the others."""
    env: dict[str, str] = {}
    for secret in wanted:
        value = values.get((secret.group, secret.key)) or b""
        if secret.mount_requirement == Secret.FILE:
            folder = directory / "secrets" / (secret.group or "default").replace("/", "_")
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = folder / secret.key.replace("/", "_")
            file.write_bytes(value)
            file.chmod(0o600)
            env["FLYTE_SECRETS_DEFAULT_DIR"] = str(directory / "secrets")
        name = secret.env_var or "_".join(filter(None, (secret.group, secret.key))).replace("-", "_").upper()
        if secret.mount_requirement != Secret.FILE or secret.env_var:
            env[name] = value.decode("utf-8", "replace")
    return env
