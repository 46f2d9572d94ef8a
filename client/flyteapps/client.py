"""Client, Apps and App: a client, the apps that it reaches, and their handles.

The three refer to one another (`client.apps.get(...).client`), hence one module; what each stands on is below it:
`connection`, `handle`, the flows. Flows are imported by the methods that use them, except that of `get`, so that a
process that only reads apps doesn't load waits and logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, Self, Unpack, cast

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps.handle import Handle
from flyteapps.apps.states import DeploymentStatus
from flyteapps.connection import Connection
from flyteapps.default import default_client
from flyteapps.drivers.binding import calling, calling_by, calling_self, iterating, iterating_by, making_by
from flyteapps.endpoint import Endpoint
from flyteapps.errors import AppDeleted, AppNotFound, ConfigError, WaitError
from flyteapps.flows import reading
from flyteapps.flows.operations import Flow, ItemFlow, mapped
from flyteapps.options import PROTOCOL, TIMEOUT_SECONDS, ClientOptions, hook, name, protect, spelled_out
from flyteapps.retries import Retries, Waits
from flyteapps.settings import IN_PROCESS, Settings
from flyteapps.support import arguments
from flyteapps.support.durations import limit, patience
from flyteapps.support.secret import checked_headers, hidden_text
from flyteapps.support.tracebacks import hidden_in_tests

if TYPE_CHECKING:
    from flyteapps.apps.ephemeral import AsyncEphemeral, Ephemeral
    from flyteapps.config import Config
    from flyteapps.drivers.awaiting import AwaitingDriver
    from flyteapps.drivers.blocking import BlockingDriver
    from flyteapps.flows.changes import ChangeKind, Seen
    from flyteapps.flows.logs import LogLine
    from flyteapps.flows.verdicts import Baseline, WaitFor
    from flyteapps.flows.waiting import Waited
    from flyteapps.flows.writes import Written

__tracebackhide__ = hidden_in_tests

CREATE_REASON = "created again by flyteapps"


class Apps:
    """The apps of a client: `client.apps`. Every method raises `flyteapps.Error`; `.aio` is for asyncio."""

    def __init__(self, client: Client, kind: type[App] | None = None) -> None:
        """Bind to a client. `kind`: the class of the handles, None for App."""
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
        `labels` is None. After a conflict with another writer the app is read and written again, up to five writes
        in all: five concurrent callers all succeed. Raises AppNotFound, and Conflict if each write conflicts.
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
        warn = self._client._warn  # pyright: ignore[reportPrivateUsage]  # one package
        return mapped(list_apps(self._client.settings, query, warn), self._handle)

    def _handle(self, pb2: definition.App) -> App:
        return (self._kind or App)(pb2, self._client)

    def _written(self, written: Written) -> App:
        pb2, baseline = written
        app = self._handle(pb2)
        app._baseline = baseline  # pyright: ignore[reportPrivateUsage]  # one package
        return app


def _default() -> Client:
    return cast("Client", default_client())


def _default_apps(kind: type[App]) -> Apps:
    """Return the apps of the default client, with handles of that class."""
    client = _default()
    return client.apps if kind is App else Apps(client, kind)


class App(Handle):
    """One app, as the plane last showed it to this handle.

    `pb2` is the `flyteidl2.app.App` itself. A handle follows its own writes and waits: they renew `pb2`. `waited` is
    the outcome of the last wait, None before the first. Class methods use the default client (`flyteapps.init`), the
    others the client of the handle. Every method that calls the plane blocks; its `.aio` is for asyncio. All of them
    raise `flyteapps.Error`.

    A subclass's class methods return handles of that subclass. Its constructor takes the same two arguments.
    """

    get = making_by(Apps.get, _default_apps)
    create = making_by(Apps.create, _default_apps)
    replace = making_by(Apps.replace, _default_apps)
    update = making_by(Apps.update, _default_apps)
    delete = calling_by(Apps.delete, _default_apps)
    listall = iterating_by(Apps.listall, _default_apps)

    _client: Client | None = None

    def __init__(self, pb2: definition.App, client: Client | None = None) -> None:
        """Wrap an app. `client`: the client of this handle's calls, None for the default client."""
        self.pb2 = pb2
        self.waited: Waited | None = None
        self._client = client
        self._baseline: Baseline | None = None

    @property
    def client(self) -> Client:
        """The client of this handle's calls. Raises ConfigError if there is none."""
        if self._client is None:
            self._client = _default()
        return self._client

    @property
    def _blocking(self) -> BlockingDriver:
        return self.client._blocking  # pyright: ignore[reportPrivateUsage]  # one package

    @property
    def _awaiting(self) -> AwaitingDriver:
        return self.client._awaiting  # pyright: ignore[reportPrivateUsage]  # one package

    @property
    def url(self) -> str:
        """The page of the app in the console."""
        identifier = self.pb2.metadata.id
        return self.client.console.app_url(identifier.project, identifier.domain, identifier.name)

    @calling_self
    def watch(self, wait_for: WaitFor = "activated", timeout: float | None = None) -> Flow[App]:
        """Wait until the app is active ("activated") or stopped ("deactivated"), and return this handle, renewed.

        After a write through this handle it waits for that write: an older state never ends the wait. `timeout` in
        seconds, by default the client's. Raises DeploymentFailed, AppDeleted, WatchStalled, WaitTimeout.
        """
        from flyteapps.flows.verdicts import Baseline

        return (yield from self._wait(wait_for, self._baseline or Baseline.seen(self.pb2), timeout))

    def _wait(self, target: WaitFor, baseline: Baseline, timeout: float | None) -> Flow[App]:
        """Wait, and renew this handle by the last state seen, also if the wait fails."""
        from flyteapps.flows.waiting import Standstill, wait

        client = self.client
        standstill = Standstill(client._hint) if client._hint() else None  # pyright: ignore[reportPrivateUsage]  # one package
        try:
            self.pb2, self.waited = yield from wait(client.settings, self.pb2, target, baseline, timeout, standstill)
        except WaitError as error:
            if error.last is not None:
                self.pb2, error.last = error.last, type(self)(error.last, self.client)
            raise
        self._baseline = None  # the awaited write is complete: later observations count as they are
        return self

    @calling_self
    def activate(self, wait: bool = False, timeout: float | None = None) -> Flow[App]:
        """Start the app; `wait` until it is active. A failed one is started again, a running one left alone.

        Return this handle, renewed. `timeout` of the wait in seconds, by default the client's. Raises as `watch`, and
        AppNotFound.
        """
        return (yield from self._switch("activated", wait, timeout))

    @calling_self
    def deactivate(self, wait: bool = False, timeout: float | None = None) -> Flow[App]:
        """Stop the app; `wait` until it is stopped. Return this handle, renewed. Raises as `activate`."""
        return (yield from self._switch("deactivated", wait, timeout))

    def _switch(self, target: WaitFor, waits: bool, timeout: float | None) -> Flow[App]:
        from flyteapps.flows.switching import switch

        settings, timeout = self.client.settings, patience(timeout)  # validated before anything is written
        pending = self._baseline
        self.pb2, baseline = yield from switch(settings, self.pb2.metadata.id, target)
        self._baseline = baseline.after(pending)
        return (yield from self._wait(target, self._baseline, timeout)) if waits else self

    @iterating
    def events(self, timeout: float | None = None) -> ItemFlow[Change]:
        """Iterate over the changes of the app since the state that this handle shows.

        It ends after `timeout` seconds, None for no limit. Each state is returned once, and dropped streams are
        reopened; of the states in between, the last is returned. This handle isn't renewed. Raises WatchStalled.
        """
        from flyteapps.flows.changes import changes

        return mapped(changes(self.client.settings, self.pb2.metadata.id, self.pb2, timeout), self._change)

    def _change(self, seen: Seen) -> Change:
        kind = type(self)
        old = kind(seen.old, self._client) if seen.old is not None else None
        return Change(seen.kind, kind(seen.app, self._client), old)

    @iterating
    def logs(self, replica_name: str | None = None, follow: bool = True) -> ItemFlow[LogLine]:
        """Iterate over the log lines: the backlog, then, with `follow`, new lines until no replica is left.

        Raises AppNotFound if the app has never started, Unimplemented if the plane offers no logs.
        """
        from flyteapps.flows.logs import follow_logs

        return follow_logs(self.client.settings, self.pb2.metadata.id, replica_name, follow)

    @calling
    def show_logs(
        self,
        max_lines: int = 30,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
        replica_name: str | None = None,
    ) -> Flow[None]:
        """Print the log lines as they come, until no replica is left or Ctrl-C.

        On a terminal, and with rich installed, the last `max_lines` are shown in place, unless `raw`. `show_ts`: with
        timestamps. `filter_system`: without the platform's own lines. Characters that the console's encoding lacks are
        escaped. Raises as `logs`.
        """
        from flyteapps.flows.logs import follow_logs
        from flyteapps.flows.viewing import view_logs

        flow = follow_logs(self.client.settings, self.pb2.metadata.id, replica_name, True)
        return (yield from view_logs(flow, max_lines, show_ts, raw, filter_system))

    def ephemeral_ctx(self, timeout: float | None = None) -> AsyncEphemeral[Self]:
        """Start the app, wait until it is active, and stop it at the end: `async with app.ephemeral_ctx() as running:`.

        However the block ends, also where the start failed, the app ends stopped, and the first error is the one
        that is raised. As a decorator of a coroutine function it does so for each call. `timeout` of each wait in
        seconds.
        """
        from flyteapps.apps.ephemeral import AsyncEphemeral

        seconds = patience(timeout)
        return AsyncEphemeral(
            lambda: self.activate.aio(wait=True, timeout=seconds),
            lambda error: self._awaiting.run(self._stop_for_good(error, seconds)),
        )

    def ephemeral_ctx_sync(self, timeout: float | None = None) -> Ephemeral[Self]:
        """Return the blocking context: `with app.ephemeral_ctx_sync() as running:`, or a decorator of a function."""
        from flyteapps.apps.ephemeral import Ephemeral

        seconds = patience(timeout)
        return Ephemeral(
            lambda: self.activate(wait=True, timeout=seconds),
            lambda error: self._blocking.run(self._stop_for_good(error, seconds)),
        )

    def _stop_for_good(self, error: BaseException | None, timeout: float | None) -> Flow[None]:
        """Stop the app at the end of a context; a deleted one needs no stop.

        After an interruption the stop is requested and not waited for, so that the program ends soon.
        """
        waits = error is None or isinstance(error, Exception)
        try:
            yield from self._switch("deactivated", waits, timeout)
        except (AppNotFound, AppDeleted):
            return


class Change(NamedTuple):
    """One change: `app` as it is now (of a deleted app: as it was last), `old` as it was before, None where unknown."""

    kind: ChangeKind
    app: App
    old: App | None


class Client(Connection):
    """A client of one control plane, for threads and event loops alike.

    `endpoint`: `host:port`, `dns:///host:port`, `http(s)://host:port`. Without a scheme the connection is by TLS
    unless `insecure`. `org`, `project`, `domain`: defaults of all calls. `ca_cert`: a PEM file, or its bytes, to
    trust instead of the system's. `client_cert`: the certificate that the client presents, a PEM file with its key,
    or a pair of files. `insecure_skip_verify`: trust the certificate that the plane presents first. `headers`: sent
    with every call. `auth`: a token, a function that returns one, or one of `flyteapps.auth`; `proxy_auth`: the
    same for a proxy in front of the plane. `timeout`: seconds for a whole call with its retries, None for no limit.
    `retries`: a Retries, or how many attempts at most. `waits`: how waits behave. `protocol`: "connect" or "grpc",
    both by connectrpc, or "grpcio", by grpcio (extra grpc). `http_version`: "1.1" or "2"; gRPC needs 2.
    `transport`: a transport to use instead of an endpoint, such as `plane.transport()`. `console_endpoint`: where
    the console is, if not where the endpoint says. `on_request`, `on_response`: functions that are called with the
    Attempt of each call.

    Raises ConfigError for invalid options. Nothing is connected before the first call; connections are closed by
    `close` or `aclose`, or by the `with` of either kind.
    """

    @spelled_out
    def __init__(self, endpoint: str | None = None, **options: Unpack[ClientOptions]) -> None:
        """Validate the options; the docstring of the class describes them."""
        protect(options, "Client")
        transport, waits = options.get("transport"), options.get("waits")
        if (endpoint is None) == (transport is None):
            raise ConfigError('give either an endpoint, such as "localhost:8090", or a transport')
        if waits is not None and not isinstance(waits, Waits):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"waits={waits!r} should be a flyteapps.Waits, such as Waits(timeout=60)")
        where = Endpoint.parse(endpoint, options.get("insecure")) if endpoint is not None else None
        headers, client_cert, session = checked_headers(options.get("headers")), None, None
        if options.get("client_cert") is not None:
            from flyteapps.transports.certificates import ClientCertificate

            client_cert = ClientCertificate(options.get("client_cert"))
        if options.get("auth") is not None or options.get("proxy_auth") is not None:
            from flyteapps.auth.choosing import session_of

            session = session_of(where, headers, client_cert, options)
        settings = Settings(
            endpoint=where.url if where else IN_PROCESS,
            org=name(options, "org"),
            project=name(options, "project"),
            domain=name(options, "domain"),
            timeout=limit(options.get("timeout", TIMEOUT_SECONDS), "timeout"),
            headers=headers,
            retries=Retries.of(options.get("retries")),
            waits=waits or Waits(),
            auth=session,
        )
        if transport is None:
            assert where is not None
            from flyteapps.transports.opening import open_transport

            transport = open_transport(
                where,
                options.get("protocol", PROTOCOL),
                options.get("http_version"),
                options.get("ca_cert"),
                options.get("insecure_skip_verify", False),
                client_cert,
            )
        links = endpoint or "localhost:8090", where is None or not where.secure, options.get("console_endpoint")
        super().__init__(settings, transport, links)
        self._hooks = hook(options, "on_request"), hook(options, "on_response")
        self.apps = Apps(self)

    @classmethod
    def from_config(
        cls, config: Config, *, org: str | None = None, project: str | None = None, domain: str | None = None
    ) -> Self:
        """Return a client with the settings of a configuration; arguments override them.

        Raises ConfigError if the configuration has no endpoint.
        """
        if not config.endpoint:
            where = f"{config.source} has no" if config.source else "no configuration file was found, so there is no"
            raise ConfigError(f"{where} admin.endpoint; set it there, or by the variable FLYTE_ADMIN_ENDPOINT")
        from flyteapps.auth.configuration import AuthConfig

        tls = Endpoint.parse(config.endpoint, config.insecure).secure  # without, the SDK ignores certificates, too
        return cls(
            config.endpoint,
            org=org or config.org,
            project=project or config.project,
            domain=domain or config.domain,
            insecure=config.insecure,
            insecure_skip_verify=config.insecure_skip_verify and tls,
            ca_cert=config.ca_cert_file_path if tls else None,
            console_endpoint=config.console_endpoint,
            **(config.auth or AuthConfig()).options(stored=tls),
        )

    @classmethod
    def from_api_key(
        cls, key: str | None = None, endpoint: str | None = None, **options: Unpack[ClientOptions]
    ) -> Self:
        """Return a client of the plane that an API key names; without one, by FLYTE_API_KEY or UNION_API_KEY.

        `endpoint` and the options are those of Client, instead of what the key says. Raises ConfigError.
        """
        key = hidden_text(key)
        protect(options, "from_api_key")
        from flyteapps.auth.sources.client_secret import ApiKey

        auth = ApiKey(key)
        if options.get("org") is None:
            options["org"] = auth.org or None
        return cls(endpoint or auth.endpoint, **{**options, "auth": auth})

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client can be neither pickled nor copied, as it holds the connections of its process: make one in each "
            "process, and pass names, messages, or App handles, which use the default client of the process they get to"
        )

    def __repr__(self) -> str:
        settings: Settings | None = getattr(self, "settings", None)
        if settings is None:
            return "Client(...)"  # in a traceback of its own constructor
        scope = "".join(
            f", {name}={value!r}"
            for name, value in (("org", settings.org), ("project", settings.project), ("domain", settings.domain))
            if value
        )
        return f"Client({settings.endpoint!r}{scope})"
