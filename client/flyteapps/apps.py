"""Apps: the methods of a client that need no handle.

Flows are imported by the methods that use them, except that of `get`: most processes use few of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.drivers.binding import calling, iterating
from flyteapps.flows import reading
from flyteapps.flows.operations import Flow, ItemFlow, mapped
from flyteapps.states import DeploymentStatus
from flyteapps.support import arguments

if TYPE_CHECKING:
    from flyteapps.app import App
    from flyteapps.client import Client
    from flyteapps.drivers.awaiting import AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver
    from flyteapps.flows.writes import Written

CREATE_REASON = "created again by flyteapps"


class Apps:
    """The apps that a client reaches: `client.apps`. Every method raises `flyteapps.Error`; `.aio` is for asyncio."""

    def __init__(self, client: Client, kind: type[App] | None = None) -> None:
        """`kind`: the class of the handles, None for App."""
        self._client = client
        self._kind = kind

    @property
    def _blocking(self) -> BlockingDriver:
        return self._client._blocking  # pyright: ignore[reportPrivateUsage]  # one package

    @property
    def _awaiting(self) -> AwaitingDriver:
        return self._client._awaiting  # pyright: ignore[reportPrivateUsage]  # one package

    @calling
    def get(self, name: str, project: str | None = None, domain: str | None = None) -> Flow[App]:
        """Return the app of that name; project and domain are the client's if left out. Raises AppNotFound."""
        settings = self._client.settings
        return self._handle((yield from reading.get(settings, settings.identifier(name, project, domain))))

    @calling
    def create(self, app: definition.App) -> Flow[App]:
        """Create the app, or replace the spec of the app of that name, as `replace` does.

        Empty org, project and domain are the client's. An app that exists unchanged is not written. Labels,
        code_bundle_uri and source_code that the message leaves out stay as they are stored. `flyteapps.new_app` makes
        such a message.
        """
        from flyteapps.flows import writes

        wanted = arguments.message(app, definition.App, "app")
        return self._written((yield from writes.create(self._client.settings, wanted, CREATE_REASON)))

    @calling
    def replace(
        self,
        name: str,
        updated_app_spec: definition.Spec,
        reason: str,
        labels: Mapping[str, str] | None = None,
        project: str | None = None,
        domain: str | None = None,
    ) -> Flow[App]:
        """Replace the spec of an existing app; an equal one is not written.

        Kept: id, creator, code_bundle_uri, source_code, an ingress that the new spec leaves out, and the labels if
        `labels` is None. After a conflict with another writer the app is read and written again, a few times. Raises
        AppNotFound, Conflict.
        """
        from flyteapps.flows import writes

        spec = arguments.message(updated_app_spec, definition.Spec, "updated_app_spec")
        wanted = None if labels is None else arguments.texts(labels, "labels")
        reason, settings = arguments.text(reason, "reason"), self._client.settings
        identifier = settings.identifier(name, project, domain)
        return self._written((yield from writes.replace(settings, identifier, spec, reason, wanted)))

    @calling
    def update(self, updated_app_proto: definition.App, reason: str) -> Flow[App]:
        """Write the app as the message is; its revision has to be the stored one, or 0 for any.

        Raises Conflict if the app is at another revision or nothing would change, AppNotFound.
        """
        from flyteapps.flows import writes

        reason, settings = arguments.text(reason, "reason"), self._client.settings
        sent = definition.App()
        sent.CopyFrom(arguments.message(updated_app_proto, definition.App, "updated_app_proto"))
        sent.metadata.id.CopyFrom(settings.completed(sent.metadata.id))
        return self._written((yield from writes.update(settings, sent, reason)))

    @calling
    def delete(self, name: str, project: str | None = None, domain: str | None = None) -> Flow[None]:
        """Delete the app; an absent one is no error. Raises FailedPrecondition if it runs: deactivate it first."""
        from flyteapps.flows import writes

        settings = self._client.settings
        yield from writes.delete(settings, settings.identifier(name, project, domain))

    @iterating
    def listall(
        self,
        created_by_subject: str | None = None,
        sort_by: tuple[str, Literal["asc", "desc"]] | None = None,
        limit: int | None = 100,
        in_status: str | DeploymentStatus | Iterable[str | DeploymentStatus] | None = None,
        project: str | None = None,
        domain: str | None = None,
        token: str = "",
    ) -> ItemFlow[App]:
        """Iterate over the apps of the project (of the org, if no project is known), fetched as they are consumed.

        `sort_by`: (key, "asc" or "desc") with created_at, updated_at, name, status_phase or revision; created_at
        ascending by default. `limit`: the maximum number of apps, None for all. `in_status`: only apps in one of these
        statuses, such as "active". `token`: continue an earlier iteration (its `token`), with the same arguments.

        If a plane doesn't filter or sort (the open-source one), the client does, and logs a warning once.
        """
        from flyteapps.flows.listing import Query, list_apps

        query = Query(
            created_by_subject=created_by_subject,
            sort_by=sort_by,
            limit=limit,
            in_status=in_status,
            project=project,
            domain=domain,
            token=token,
        )
        tell = self._client._tell  # pyright: ignore[reportPrivateUsage]  # one package
        return mapped(list_apps(self._client.settings, query, tell), self._handle)

    def _handle(self, pb2: definition.App) -> App:
        return (self._kind or _app_type())(pb2, self._client)

    def _written(self, written: Written) -> App:
        pb2, baseline = written
        app = self._handle(pb2)
        app._baseline = baseline  # pyright: ignore[reportPrivateUsage]  # one package
        return app


@functools.cache
def _app_type() -> type[App]:
    """App, whose module imports this one."""
    from flyteapps.app import App

    return App
