"""The sections of what services beside AppService store: secrets, tasks, projects."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, NamedTuple

from google.protobuf.message import Message

from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_fake.core.secrets import SecretKey, Secrets
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.state.registry import Kept, Registry
from flyteapps_fake.core.state.sections import Section

TaskKey = tuple[str, str, str, str]
"""Project, domain, name, version."""
SECRETS, TASKS, PROJECTS = "secrets", "tasks", "projects"


class Stored:
    """The tasks and projects that clients have written."""

    def __init__(self) -> None:
        self.tasks: Registry[TaskKey] = Registry("tasks")
        self.projects: Registry[str] = Registry("projects")


def add_stored(changes: Changes, stored: Stored, secrets: Secrets) -> None:
    """Add these sections to those of a plane, and record what is about to change in them."""
    changes.sections.add(StoredSecrets(secrets), StoredTasks(stored.tasks), StoredProjects(stored.projects))

    def touch(section: str, key: Any) -> None:
        if changes.on:
            changes.touch(section, key)

    secrets.created.on_touch = partial(touch, SECRETS)
    stored.tasks.on_touch = partial(touch, TASKS)
    stored.projects.on_touch = partial(touch, PROJECTS)


class SecretImage(NamedTuple):
    """A created secret. `value`: None where none is kept."""

    kept: Kept
    value: bytes | None


class StoredSecrets(Section):
    """The created secrets."""

    name: ClassVar[str] = SECRETS

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def keys(self) -> Iterable[SecretKey]:
        return self._secrets.created.keys()

    def image(self, key: SecretKey) -> SecretImage | None:
        kept = self._secrets.created.kept(key)
        return SecretImage(kept, self._secrets.kept_value(key)) if kept is not None else None

    def put(self, key: SecretKey, image: SecretImage | None) -> None:
        self._secrets.created.put(key, image.kept if image is not None else None)
        self._secrets.forget(key)
        if image is not None and image.value is not None:
            self._secrets.keep(key, image.value)

    def settle(self) -> None:
        self._secrets.created.settle()

    def encode(self, key: SecretKey, image: SecretImage) -> pb.StoredMessage:
        return _message(key, image.kept, image.value)

    def decode(self, message: pb.StoredMessage) -> tuple[SecretKey, SecretImage]:
        from flyteidl2.secret.definition_pb2 import Secret  # as services are imported by servers alone

        project, domain, name = _parts(message, 3)
        value = message.value if message.HasField("value") else None
        return SecretKey(project, domain, name), SecretImage(_kept(message, Secret), value)

    def stored_key(self, key: SecretKey) -> bytes:
        return _stored(key)

    def project_of(self, key: SecretKey) -> str:
        return key.project


class StoredTasks(Section):
    """The deployed tasks."""

    name: ClassVar[str] = TASKS

    def __init__(self, tasks: Registry[TaskKey]) -> None:
        self._tasks = tasks

    def keys(self) -> Iterable[TaskKey]:
        return self._tasks.keys()

    def image(self, key: TaskKey) -> Kept | None:
        return self._tasks.kept(key)

    def put(self, key: TaskKey, image: Kept | None) -> None:
        self._tasks.put(key, image)

    def settle(self) -> None:
        self._tasks.settle()

    def encode(self, key: TaskKey, image: Kept) -> pb.StoredMessage:
        return _message(key, image)

    def decode(self, message: pb.StoredMessage) -> tuple[TaskKey, Kept]:
        from flyteidl2.task.task_definition_pb2 import TaskDetails  # as services are imported by servers alone

        project, domain, name, version = _parts(message, 4)
        return (project, domain, name, version), _kept(message, TaskDetails)

    def stored_key(self, key: TaskKey) -> bytes:
        return _stored(key)

    def project_of(self, key: TaskKey) -> str:
        return key[0]


class StoredProjects(Section):
    """The projects that were created or updated."""

    name: ClassVar[str] = PROJECTS

    def __init__(self, projects: Registry[str]) -> None:
        self._projects = projects

    def keys(self) -> Iterable[str]:
        return self._projects.keys()

    def image(self, key: str) -> Kept | None:
        return self._projects.kept(key)

    def put(self, key: str, image: Kept | None) -> None:
        self._projects.put(key, image)

    def settle(self) -> None:
        self._projects.settle()

    def encode(self, key: str, image: Kept) -> pb.StoredMessage:
        return _message((key,), image)

    def decode(self, message: pb.StoredMessage) -> tuple[str, Kept]:
        from flyteidl2.project.project_service_pb2 import Project  # as services are imported by servers alone

        [project] = _parts(message, 1)
        return project, _kept(message, Project)

    def stored_key(self, key: str) -> bytes:
        return key.encode()

    def project_of(self, key: str) -> str:
        return key


def _message(key: Iterable[str], kept: Kept, value: bytes | None = None) -> pb.StoredMessage:
    return pb.StoredMessage(key=key, message=kept.message, number=kept.number, value=value)


def _parts(message: pb.StoredMessage, count: int) -> list[str]:
    if len(message.key) != count:
        raise ValueError(f"the key has {len(message.key)} parts, and not {count}")
    return list(message.key)


def _kept(message: pb.StoredMessage, kind: type[Message]) -> Kept:
    kind.FromString(message.message)
    return Kept(message.message, message.number)


def _stored(key: tuple[str, ...]) -> bytes:
    return json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()
