"""The commands `flyteapps login`, `logout` and `whoami`: standard library and this client alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from flyteapps.client import Client
from flyteapps.config import Config
from flyteapps.endpoint import Endpoint
from flyteapps.errors import Error, Unauthenticated, Unimplemented
from flyteapps.flows.operations import Flow

LOGIN_SECONDS = 300.0
"""Time that a person has to log in, by default."""


def login(arguments: list[str]) -> int:
    """Log in to a plane, and store the tokens in the keyring."""
    parser = _parser(
        "login",
        "Log in to a plane with a browser, and keep the tokens in the system's keyring.",
        ("flyte.example.org", "--device flyte.example.org", "localhost:8090"),
    )
    person = parser.add_argument_group("Login")
    person.add_argument("--device", action="store_true", help="Log in with a browser on another machine.")
    person.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=LOGIN_SECONDS,
        help=f"Time to wait for the login.  [default: {LOGIN_SECONDS:g}]",
    )
    return _run(parser, arguments, _login)


def logout(arguments: list[str]) -> int:
    """Delete the tokens of a plane from the keyring."""
    parser = _parser("logout", "Delete the tokens of a plane from the system's keyring.", ("flyte.example.org",))
    return _run(parser, arguments, _logout)


def whoami(arguments: list[str]) -> int:
    """Print the name that the plane knows the caller by."""
    parser = _parser("whoami", "Print the name that the plane knows you by.", ("flyte.example.org",))
    return _run(parser, arguments, _whoami)


def _login(given: argparse.Namespace) -> int:
    from flyteapps.auth.sources.device_flow import DeviceFlow
    from flyteapps.auth.sources.pkce import Pkce

    client = _client(given, None)
    configured = client.settings.auth.auth if client.settings.auth is not None else None
    if configured is not None and not isinstance(configured, Pkce | DeviceFlow):
        print(f"{client.settings.endpoint}: the configuration logs in by {configured!r}: no login is needed")
        return 0
    kind = DeviceFlow if given.device or isinstance(configured, DeviceFlow) else Pkce
    client = _client(given, configured.with_person(kind) if configured is not None else kind(), given.timeout)
    session = client.settings.auth
    assert session is not None
    try:
        name = _name(_user_info(client))
    except Unimplemented:  # a plane that serves no identities may still have a login
        _run_flow(client, session.log_in(given.timeout))
        name = "you"
    keyring = _keyring(client)
    stored = _run_flow(client, keyring.read(given.timeout))
    if not session.has_credentials:
        print(f"{client.settings.endpoint} needs no login")
    elif stored.access_token:
        print(f"Logged in to {client.settings.endpoint} as {name}")
    else:
        return _refuse(
            f"logged in as {name}, and the tokens can't be kept; the keyring: {keyring.trouble}. Install a backend of "
            "keyring, or log in without one: by FLYTE_API_KEY, a client secret, or auth=DeviceFlow(keyring=False)"
        )
    return 0


def _logout(given: argparse.Namespace) -> int:
    client = _client(given, None)
    keyring = _keyring(client)
    deleted = _run_flow(client, keyring.delete(LOGIN_SECONDS))
    if keyring.trouble:
        return _refuse(f"the keyring: {keyring.trouble}")
    print(f"{'Logged out of' if deleted else 'There was no login to'} {client.settings.endpoint}")
    return 0


def _whoami(given: argparse.Namespace) -> int:
    from flyteapps.auth.sources.pkce import Pkce

    client = _client(given, None)
    if client.settings.auth is None:
        client = _client(given, Pkce(interactive=False))
    user = _user_info(client)
    print(_name(user))
    for what, value in (
        ("subject", user.subject),
        ("name", user.name),
        ("email", user.email),
        ("endpoint", client.settings.endpoint),
        ("credentials", repr(client.settings.auth)),
    ):
        if value:
            print(f"  {what}: {value}")
    return 0


def _keyring(client: Client) -> Any:
    from flyteapps.auth.sources.stored import Keyring

    return Keyring(client.settings.endpoint)


def _user_info(client: Client) -> Any:
    """Return the answer of IdentityService.UserInfo. Raises Error."""
    from connectrpc.method import IdempotencyLevel, MethodInfo
    from flyteidl2.auth import identity_pb2

    from flyteapps.flows.calls import call

    method: MethodInfo[Any, Any] = MethodInfo(
        name="UserInfo",
        service_name="flyteidl2.auth.IdentityService",
        input=identity_pb2.UserInfoRequest,
        output=identity_pb2.UserInfoResponse,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS,
    )
    flow: Flow[Any] = call(client.settings, method, identity_pb2.UserInfoRequest())
    return _run_flow(client, flow)


def _name(user: Any) -> str:
    return user.name or user.preferred_username or user.email or user.subject or "nobody in particular"


def _client(given: argparse.Namespace, auth: Any, timeout: float = 30.0) -> Client:
    """Return the client of the arguments: of an endpoint, or of the configuration. Raises ConfigError."""
    options: dict[str, Any] = {"timeout": timeout, "retries": 1}
    if given.ca_cert is not None:
        options["ca_cert"] = given.ca_cert
    if given.endpoint is not None:
        return Client(given.endpoint, insecure=_insecure(given), auth=auth, **options)
    client = Client.from_config(config := Config.load(given.config))
    if auth is None:
        return client
    if client.settings.endpoint.startswith("https:"):
        options["insecure_skip_verify"] = config.insecure_skip_verify
        options.setdefault("ca_cert", config.ca_cert_file_path)
    return Client(client.settings.endpoint, auth=auth, **options)


def _insecure(given: argparse.Namespace) -> bool | None:
    """Return whether the endpoint is without TLS: one of this machine is, unless it says https."""
    if given.insecure:
        return True
    if given.endpoint.lower().startswith(("http:", "https:")) or not Endpoint.parse(given.endpoint).is_loopback:
        return None
    return True


def _run_flow(client: Client, flow: Flow[Any]) -> Any:
    return client._blocking.run(flow)  # pyright: ignore[reportPrivateUsage]  # one package


class _Help(argparse.RawDescriptionHelpFormatter):
    """The help in the form of the other commands, which are click's."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=80)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Begin with `Usage:`."""
        super().add_usage(usage, actions, groups, "Usage: " if prefix is None else prefix)


def _parser(name: str, description: str, examples: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of a command. `examples`: its arguments in each."""
    lines = [f"  flyteapps {name} {each}" for each in examples]
    parser = argparse.ArgumentParser(
        prog=f"flyteapps {name}",
        usage="%(prog)s [OPTIONS] [ENDPOINT]",
        description=f"  {description}",
        epilog="\n".join([f"Example{'s' if len(lines) > 1 else ''}:", *lines]),
        formatter_class=_Help,
        add_help=False,
    )
    plane = parser.add_argument_group("Plane")
    plane.add_argument(
        "endpoint",
        nargs="?",
        metavar="ENDPOINT",
        help="Address such as flyte.example.org; without http:// it is https, and http on this machine.  "
        "[default: that of the configuration file]",
    )
    plane.add_argument("--config", metavar="FILE", help="Configuration file.  [default: as the Flyte SDK finds it]")
    plane.add_argument("--insecure", action="store_true", help="Use an ENDPOINT on another machine without TLS.")
    plane.add_argument("--ca-cert", metavar="FILE", help="PEM file of the certificates to trust.")
    return parser


def _run(parser: argparse.ArgumentParser, arguments: list[str], command: Callable[[argparse.Namespace], int]) -> int:
    parser.add_argument_group("Other").add_argument("-h", "--help", action="help", help="Show this message and exit.")
    try:
        given = parser.parse_args(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 2
    try:
        return command(given)
    except Unauthenticated as error:
        return _refuse(error.message)
    except Error as error:
        return _refuse(str(error).replace("pass insecure=True", "pass --insecure"))


def _refuse(message: str) -> int:
    print(f"flyteapps: {message}", file=sys.stderr)
    return 1
