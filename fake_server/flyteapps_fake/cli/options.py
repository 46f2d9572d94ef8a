"""The options of `flyteapps serve` as data, in the groups that --help shows, and their values as one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from flyteapps_fake.cli.dialect_choice import DialectChoice
from flyteapps_fake.cli.option_groups import Group
from flyteapps_fake.cli.option_types import PATH, Pair, Pool, option, port
from flyteapps_fake.core.settings import (
    CALLS,
    DATA_PLANES,
    INGRESS_FORMS,
    KUBERNETES,
    STATE_SYNCS,
    TIMES_BETWEEN,
    DataPlane,
    IngressForm,
    Kubernetes,
    StateSync,
    TimeBetween,
)
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.servers.addresses import LOCALHOST
from flyteapps_fake.servers.config import DEFAULT_CONSOLE_PORT, DEFAULT_PORT

Server = Literal["auto", "pyvoy", "portable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """The values of all options, by the names of their parameters."""

    host: str
    port: int
    console_port: int | None
    no_console: bool
    dialect: str
    org: str | None
    ingress: IngressForm | None
    ingress_host: str | None
    base_domain: str
    ingress_scheme: str | None
    ingress_port: int | None
    data_plane: DataPlane | None
    pool: Sequence[tuple[str, tuple[str, ...]]]
    run: bool
    python: Path | None
    secret: Sequence[tuple[str, str]]
    env_file: Sequence[Path]
    app_directory: Path | None
    show_logs: bool
    lease_seconds: float
    report_seconds: float | None
    kubernetes: Kubernetes | None
    write_seconds: float | None
    missing_secret: Sequence[str]
    artifact: Sequence[tuple[str, str]]
    run_output: Sequence[tuple[str, str]]
    app_scenario: Sequence[tuple[str, str]]
    scenarios: Sequence[Path]
    seed: int
    seed_file: Path | None
    state: str | None
    state_sync: StateSync
    time_between: TimeBetween
    fresh: bool
    clock: Literal["realtime", "auto", "manual"]
    speed: float
    start_time: str | None
    server: Server
    tls: str | None
    tls_cert: Path | None
    tls_key: Path | None
    allow_host: Sequence[str]
    cors_origin: Sequence[str]
    max_streams: int
    max_streams_per_connection: int
    request_timeout: float
    control: bool | None
    call_log: Path | None
    call_log_size: int | None
    auth: str | None
    auth_approve: str | None
    auth_issuer: str | None
    auth_audience: str | None
    log_format: Literal["text", "json"]
    quiet: bool


GROUPS: tuple[Group, ...] = (
    Group(
        "Addresses and server",
        (
            option(
                ["--host"],
                default=LOCALHOST,
                help="Address or name to listen on, such as 0.0.0.0; localhost is 127.0.0.1 and ::1.",
            ),
            port(["--port"], default=DEFAULT_PORT, help="Port of the API, such as 9000; 0 picks a free one."),
            port(
                ["--console-port"],
                show_default=f"{DEFAULT_CONSOLE_PORT} if it is free",
                help="Port of the console, such as 9001.",
            ),
            option(["--no-console"], is_flag=True, help="Offer no console: no port for it, and no pages for browsers."),
            option(
                ["--server"],
                type=click.Choice(["auto", "pyvoy", "portable"]),
                default="auto",
                help="HTTP server to use; auto uses pyvoy where it is installed.",
            ),
            option(
                ["--log-format"],
                type=click.Choice(["text", "json"]),
                default="text",
                help="Form of the log.",
            ),
            option(["--quiet", "-q"], is_flag=True, help="Write no log: no lines about calls and apps."),
        ),
    ),
    Group(
        "Behaviour of the plane",
        (
            option(
                ["--dialect"],
                type=DialectChoice(),
                default="standard",
                help="Behaviour to show: that of the documented API (standard), or of the open-source Flyte 2 backend; "
                "flyte-oss is the newest known version, and flyte-oss@2.0.43 names one.",
            ),
            option(
                ["--org"],
                show_default="the first one that a request names",
                help="The only org of the plane, such as acme.",
            ),
            option(
                ["--clock"],
                type=click.Choice(["realtime", "auto", "manual"]),
                default="realtime",
                help="realtime: time passes as usual. auto: time jumps forward while a client waits for an app. "
                "manual: time passes by `flyteapps control clock` alone.",
            ),
            option(
                ["--speed"],
                type=float,
                default=1.0,
                help="Seconds of the plane's time per real second, such as 100; for the clock realtime alone.",
            ),
            option(
                ["--start-time"],
                metavar="TIME",
                show_default="now with the clock realtime, else 2026-01-01T00:00:00Z",
                help="Time at which the plane's clock begins, such as 2026-12-24T09:00:00Z.",
            ),
            option(["--seed"], type=int, default=0, help="Seed of all random draws, such as 7."),
            option(
                ["--seed-file"],
                type=PATH,
                metavar="FILE",
                help="File with apps in YAML that are there from the start, such as apps.yaml, or an exported state.",
            ),
        ),
    ),
    Group(
        "State",
        (
            option(
                ["--state"],
                metavar="DIR|user|none",
                show_default="none",
                help="Directory that keeps the state of the plane, such as state. user: one in the user's state "
                "directory, flyteapps/serve-PORT, or serve-PORT-flyte-oss for that dialect. none: memory alone.",
            ),
            option(
                ["--fresh"],
                is_flag=True,
                help="Start without what is in the directory: it is moved aside, to DIR.before-fresh-TIME; three of "
                "these are kept.",
            ),
            option(
                ["--state-sync"],
                type=click.Choice(STATE_SYNCS),
                default="group",
                help="What a power loss may take: nothing that was answered, each change written by itself (always) or "
                "those that come together at once (group); or the last seconds (never).",
            ),
            option(
                ["--time-between"],
                type=click.Choice(TIMES_BETWEEN),
                default="passes",
                help="Whether the time between two runs counts for apps, with the clock realtime: it passes or stands.",
            ),
        ),
    ),
    Group(
        "Simulated cluster and operators",
        (
            option(
                ["--scenario", "app_scenario"],
                multiple=True,
                metavar="GLOB=NAME",
                type=Pair("a pattern of apps and a scenario", "'worker-*=crash-loop'"),
                help="Scenario of apps with matching names, such as 'worker-*=crash-loop', unless an app names one; "
                "repeatable, the first match counts.",
            ),
            option(
                ["--scenarios"],
                multiple=True,
                type=PATH,
                metavar="FILE",
                help="File of YAML or JSON with further scenarios, such as scenarios.yaml, which is read again when it "
                "changes; repeatable.",
            ),
            option(
                ["--report-seconds"],
                type=float,
                show_default="as the app's scenario says",
                help="Seconds of the plane's time between a change of an app and the first report of it, such as 5.",
            ),
            option(
                ["--kubernetes"],
                type=click.Choice(KUBERNETES),
                show_default="knative, with the dialect flyte-oss",
                help="What checks names, sizes and specs, as the cluster behind the dialect flyte-oss does: nothing "
                "(none), the API server of Kubernetes (api), or Knative, too.",
            ),
            option(
                ["--write-seconds"],
                type=click.FloatRange(0, 60),
                show_default="0.005 times --speed on the clock realtime, else 0, with the dialect flyte-oss",
                help="Seconds of the plane's time that a write takes with the dialect flyte-oss; of two that meet, one "
                "is refused, as on a cluster.",
            ),
            option(
                ["--missing-secret"],
                multiple=True,
                metavar="NAME",
                help="Secret that is missing until it is created, such as TOKEN: apps that mount it fail; repeatable. "
                "All other secrets exist.",
            ),
            option(
                ["--artifact"],
                multiple=True,
                metavar="NAME[@VERSION]=URI",
                type=Pair("an artifact with its URI", "model=s3://bucket/model/"),
                help="Artifact for parameters of apps, such as model@v2=s3://bucket/model/; a URI with a slash at its "
                "end is a directory, any other a file; repeatable.",
            ),
            option(
                ["--run-output"],
                multiple=True,
                metavar="NAME=VALUE",
                type=Pair("a run or task with its output", "train.fit=s3://bucket/model/"),
                help="Output of the run or task NAME for parameters of apps, such as train.fit=s3://bucket/model/: "
                "a URI or a text; repeat it for further outputs.",
            ),
            option(
                ["--data-plane"],
                type=click.Choice(DATA_PLANES),
                show_default="simulated, or processes with --run",
                help="What runs apps: a simulated cluster, processes of this machine, or only clusters that call the "
                "Lease RPC (none).",
            ),
            option(
                ["--pool"],
                multiple=True,
                metavar="NAME=C1,C2",
                type=Pool(),
                help="Clusters that serve a cluster pool, such as default=east,west; repeatable. A cluster also serves "
                "the pool of its own name.",
            ),
            option(
                ["--lease-seconds"],
                type=float,
                default=60.0,
                help="Seconds of the plane's time within which a cluster must acknowledge a lease, such as 30.",
            ),
        ),
    ),
    Group(
        "Apps that really run",
        (
            option(
                ["--run"],
                is_flag=True,
                help="Run each app as processes of this machine, as this user: the same as --data-plane processes.",
            ),
            option(
                ["--python"],
                type=PATH,
                metavar="DIR",
                show_default="the environment of this command",
                help="Virtual environment whose programs apps find first, such as .venv.",
            ),
            option(
                ["--secret"],
                multiple=True,
                metavar="KEY=VALUE",
                type=Pair("a secret with its value", "TOKEN=abc"),
                help="Value of a secret for apps that mount it, such as TOKEN=abc or GROUP/TOKEN=abc; repeatable. "
                "Other users of this machine may see it: --env-file hides it.",
            ),
            option(
                ["--env-file"],
                multiple=True,
                type=PATH,
                metavar="FILE",
                help="File with secrets, a line KEY=VALUE each, such as .env; repeatable.",
            ),
            option(
                ["--app-directory"],
                type=PATH,
                metavar="DIR",
                show_default="DIR/apps with --state DIR; else flyteapps/run-PORT in the user's state directory, with "
                "--port 0 a temporary one",
                help="Directory in which apps run, and where their logs and, without --state, uploaded files are kept, "
                "such as run.",
            ),
            option(["--show-logs"], is_flag=True, help="Show the log lines of apps in this terminal."),
        ),
    ),
    Group(
        "Control and recorded calls",
        (
            option(
                ["--control/--no-control"],
                default=None,
                show_default="served unless other machines reach the server",
                help="Whether the control API is served, by which `flyteapps control` drives the plane.",
            ),
            option(
                ["--call-log-size"],
                type=click.IntRange(0, 1_000_000),
                help=f"Recorded calls to keep, such as 10000; without it none, or {CALLS:,} with --call-log.",
            ),
            option(
                ["--call-log"],
                type=PATH,
                metavar="FILE",
                help="File to append each finished call to as a line of JSON, such as calls.jsonl.",
            ),
        ),
    ),
    Group(
        "Authentication",
        (
            option(
                ["--auth"],
                metavar="demo|FILE",
                help="Callers need credentials: of three users and a client with a new secret (demo), or as a YAML "
                "file says, such as auth.yaml.",
            ),
            option(
                ["--auth-approve"],
                metavar="[USER]",
                is_flag=False,
                flag_value="",
                help="User that is logged in at once, without the page; without a name the first one.",
            ),
            option(
                ["--auth-issuer"],
                metavar="URL",
                help="Issuer of an existing OpenID provider, whose tokens are checked; none are issued here. Needs "
                "--auth-audience.",
            ),
            option(["--auth-audience"], metavar="NAME", help="Audience that the provider's tokens have."),
        ),
    ),
    Group(
        "Public URLs of apps",
        (
            option(
                ["--ingress"],
                type=click.Choice(INGRESS_FORMS),
                show_default="path, or port with --run",
                help="Form of public URLs: a path, which every client resolves, a host name, or with --run a port for "
                "each app. The first two always answer.",
            ),
            option(
                ["--ingress-host"],
                show_default="localhost, or --host",
                help="Host of public URLs of the form path, such as flyte.example.com.",
            ),
            option(
                ["--base-domain"],
                default="apps.localhost",
                help="Domain of public URLs of the form host, such as apps.example.com; with --dialect flyte-oss '' "
                "means no URLs.",
            ),
            option(
                ["--ingress-scheme"],
                type=click.Choice(["http", "https"]),
                show_default="https with TLS, else http",
                help="Scheme of public URLs.",
            ),
            port(["--ingress-port"], show_default="the console's", help="Port of public URLs, such as 443."),
        ),
    ),
    Group(
        "TLS and access",
        (
            option(
                ["--tls"],
                type=click.Choice(["self-signed"]),
                help="Serve TLS with a certificate made for this machine.",
            ),
            option(["--tls-cert"], type=PATH, metavar="PEM", help="Serve TLS with this chain, such as cert.pem."),
            option(
                ["--tls-key"],
                type=PATH,
                metavar="PEM",
                help="Key of the certificate, without a passphrase, such as key.pem.",
            ),
            option(
                ["--allow-host"],
                multiple=True,
                metavar="NAME",
                help="Host name to answer for, with all names below it, while the server listens on this machine only, "
                "such as flyte.test; repeatable.",
            ),
            option(
                ["--cors-origin"],
                multiple=True,
                metavar="ORIGIN",
                help="Origin whose pages may send requests, besides this machine's, such as "
                "https://console.example.com; repeatable.",
            ),
        ),
    ),
    Group(
        "Limits",
        (
            option(
                ["--max-streams"],
                type=click.IntRange(1),
                default=Limits().streams,
                help="Open streams of all clients together, such as 100.",
            ),
            option(
                ["--max-streams-per-connection"],
                type=click.IntRange(1),
                default=Limits().streams_per_connection,
                help="Open streams of one connection, such as 10.",
            ),
            option(
                ["--request-timeout"],
                type=float,
                default=Limits().request_seconds,
                help="Seconds for a request to arrive, uploads included, such as 10.",
            ),
        ),
    ),
)
