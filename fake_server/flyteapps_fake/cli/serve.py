"""`flyteapps serve`: the command and its run. It imports nothing heavy before all options are checked.

Each option is a variable FLYTEAPPS_... too. click rather than typer, which imports pydantic: 60 ms of every start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from flyteapps_fake.cli import serve_state, startup
from flyteapps_fake.cli.banner import Banner, auth_lines, dialect_text
from flyteapps_fake.cli.option_groups import GroupedCommand
from flyteapps_fake.cli.options import GROUPS, ServeOptions
from flyteapps_fake.cli.output import keep_standard_files, warn, write_line
from flyteapps_fake.cli.startup import InvalidFile, StartupError
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.directory.errors import StateError
from flyteapps_fake.servers.addresses import taken_port
from flyteapps_fake.servers.listener import AddressTaken, raise_file_limit
from flyteapps_fake.servers.loading import without_collection

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended before it listened."""

_HELP = """Serve a stand-in of the Flyte apps control plane.

Each option can be set by a variable, too: --log-format by FLYTEAPPS_LOG_FORMAT. The variable of --scenario is
FLYTEAPPS_APP_SCENARIO, since FLYTEAPPS_SCENARIO is a variable of apps.
"""
_EXAMPLES = """\b
Examples:
  flyteapps serve                                        the API on port 8090, the console on 8080
  flyteapps serve --port 0 --quiet                       on a free port, without access lines
  flyteapps serve --run                                  deployed apps really run, as processes of this machine
  flyteapps serve --state state                          what was deployed is there again after a restart
  flyteapps serve --scenario 'worker-*=crash-loop'       apps called worker-... crash
  flyteapps serve --scenarios scenarios.yaml             scenarios of your own
  flyteapps serve --seed-file apps.yaml                  with these apps from the start
  flyteapps serve --dialect flyte-oss --speed 100        the open-source backend, 100 times as fast
  flyteapps serve --clock manual --start-time 2026-12-24T09:00:00Z
                                                         time stands still from Christmas Eve on
  flyteapps serve --host 0.0.0.0 --tls self-signed       for other machines, with TLS
"""


def run(options: ServeOptions) -> int:
    """Serve until a signal ends the server; return the exit status. Raises StartupError."""
    server = startup.server_for(options.server)
    addresses = startup.addresses_of(options.host)
    state = serve_state.state_of(options)
    settings, limits = startup.settings_of(options, addresses, state.path), startup.limits_of(options)
    startup.check_seed_file(options, settings)
    certificate = startup.certificate_of(options)
    sockets = startup.open_sockets(options, addresses, server)
    startup.check_ingress(options, sockets.console)
    state = serve_state.begin_fresh(state)
    raise_file_limit()
    config = startup.config_of(options, settings, limits, addresses, sockets, certificate)
    banner = Banner(
        host=sockets.host,
        server=server,
        clock=options.clock,
        state=state.text,
        data_plane=settings["data_plane"],
        directory=settings["processes"]["directory"] if settings["processes"] is not None else None,
        dialect=dialect_text(Settings(**settings)),
        tls=certificate is not None,
        ca=certificate.ca if certificate else None,
        auth=auth_lines(config.settings["auth"], options.org) if config.settings["auth"] is not None else None,
    )

    def listening() -> None:
        startup.warn_if_open(options, addresses)
        write_line(banner.text(config.port, config.console_port, has_console=config.console))

    with without_collection():
        if server == "pyvoy":
            from flyteapps_fake.servers.pyvoy import run_pyvoy as run_server
        else:
            from flyteapps_fake.servers.portable import run_portable as run_server
    try:
        return asyncio.run(run_server(config, sockets.api, sockets.console, listening))
    except KeyboardInterrupt:
        return INTERRUPTED
    except AddressTaken as taken:
        raise StartupError(taken_port(taken, "--port", addresses)) from None
    except StateError as error:
        raise InvalidFile(f"--state {error}") from None
    except Exception as error:
        raise StartupError(f"the server did not start: {error}") from None


def _serve(**values: Any) -> None:
    try:
        status = run(ServeOptions(**values))
    except StartupError as error:
        warn(str(error))
        status = error.status
    raise click.exceptions.Exit(status)


serve = GroupedCommand(groups=GROUPS, name="serve", callback=_serve, help=_HELP, epilog=_EXAMPLES)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the process's own; return the exit status."""
    keep_standard_files()
    try:
        serve(args=argv, prog_name="flyteapps serve", auto_envvar_prefix="FLYTEAPPS")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
