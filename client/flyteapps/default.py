"""The default client: the only state of this package that is global."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyteapps.errors import ConfigError

if TYPE_CHECKING:
    from flyteapps.client import Client, Protocol
    from flyteapps.config import Config
    from flyteapps.retries import Retries, Waits
    from flyteapps.transports.transport import Transport

_client: Client | None = None


def default_client() -> Client:
    """The client that `init` made. Raises ConfigError where none was made."""
    if _client is None:
        raise ConfigError(
            "there is no default client: call flyteapps.init(endpoint, ...) or flyteapps.init_from_config() first, or "
            "use a client of your own: flyteapps.Client(endpoint, ...).apps"
        )
    return _client


def init(
    endpoint: str | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    insecure: bool | None = None,
    insecure_skip_verify: bool = False,
    ca_cert: str | os.PathLike[str] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = 30.0,
    retries: int | Retries | None = None,
    waits: Waits | None = None,
    protocol: Protocol = "connect",
    http_version: str | None = None,
    transport: Transport | None = None,
    console_endpoint: str | None = None,
) -> Client:
    """Makes the client that `App.get` and its like use, in place of an earlier one.

    Gives it. The arguments are those of Client. Raises ConfigError.
    """
    from flyteapps.client import Client

    return use(
        Client(
            endpoint,
            org=org,
            project=project,
            domain=domain,
            insecure=insecure,
            insecure_skip_verify=insecure_skip_verify,
            ca_cert=ca_cert,
            headers=headers,
            timeout=timeout,
            retries=retries,
            waits=waits,
            protocol=protocol,
            http_version=http_version,
            transport=transport,
            console_endpoint=console_endpoint,
        )
    )


def init_from_config(
    path_or_config: str | os.PathLike[str] | Config | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> Client:
    """Makes the default client by a Flyte configuration file; arguments win over it.

    Without a path the file is looked for where the Flyte SDK does: docs/client.md lists the places and the keys. Raises
    ConfigError.
    """
    from flyteapps.client import Client
    from flyteapps.config import Config

    config = path_or_config if isinstance(path_or_config, Config) else Config.load(path_or_config)
    return use(Client.from_config(config, org=org, project=project, domain=domain))


def use(client: Client | None) -> Client:
    """Makes a client the default one; None leaves none."""
    global _client
    _client = client
    return client  # pyright: ignore[reportReturnType]
