"""The command `flyteapps`: a dispatcher over the entry points of the group `flyteapps.commands`.

Rules of this file: the standard library only, and no command is imported before it runs, so that `flyteapps --help` is
quick and works in a bare install. A command is a callable that takes the arguments after its name and returns an exit
status (None is 0). Of the commands, this file knows where our own are, the extras that they need, and `completion`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

from flyteapps import __version__

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Command = Callable[[list[str]], int | None]

GROUP = "flyteapps.commands"

USAGE_ERROR = 2

INTERRUPTED = 130

CLOSED_PIPE = 141
"""Exit status of a command with a closed standard output, such as `flyteapps --help | true`."""

COMPLETION = "completion"

#: Our own entry points, as pyproject.toml has them: to find one in the metadata of all installed packages takes 30 ms.
OWN_COMMANDS = {
    "control": "flyteapps_fake.cli.control.main:main",
    "login": "flyteapps.auth.commands:login",
    "logout": "flyteapps.auth.commands:logout",
    "serve": "flyteapps_fake.cli.serve:main",
    "state": "flyteapps_fake.cli.state.main:main",
    "verify": "flyteapps_contract.cli.verify:command",
    "whoami": "flyteapps.auth.commands:whoami",
}

#: Extra that brings what a command needs; a command of another distribution has none here.
EXTRA_OF_COMMAND = {"control": "serve", "serve": "serve", "state": "serve", "verify": "contract"}

#: One line for `--help`, without importing the command.
SUMMARY_OF_COMMAND = {
    "control": "drive a running stand-in: faults, time, the log of calls",
    "login": "log in to a plane, and keep the tokens in the system's keyring",
    "logout": "delete the tokens of a plane from the keyring",
    "serve": "run a stand-in control plane that the Flyte SDK and CLI can deploy to",
    "state": "check, repair or export the directory of a stand-in that keeps its state",
    "verify": "check that a control plane keeps the contract",
    "whoami": "print the name that a plane knows you by",
    COMPLETION: "print a completion script for bash, zsh or fish",
}

_COMPLETION_EXAMPLES = """\
  source <(flyteapps completion bash)           complete commands and options with the Tab key (zsh: the same)
  flyteapps completion fish | source            the same in fish
"""

EXAMPLES = f"""\
Examples:
  flyteapps serve                               run a control plane at localhost:8090, with pages at localhost:8080
  flyteapps verify localhost:8090               check the control plane at that address
  flyteapps control clock show                  show the time of the control plane at localhost:8090
  flyteapps state check DIRECTORY               check the state that a control plane keeps in a directory
{_COMPLETION_EXAMPLES}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (without the program's name), and return the exit status."""
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of the output has ended, as `head` does: no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter reports it at its end
        return CLOSED_PIPE


def _run(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0 if arguments else USAGE_ERROR
    if arguments[0] in ("-V", "--version"):
        print(f"flyteapps {__version__}")
        return 0
    name, *rest = arguments
    commands = {} if name in OWN_COMMANDS else _commands()
    if name == COMPLETION and name not in commands:
        return _complete(rest, commands)
    if name not in commands and name not in OWN_COMMANDS:
        kind = "option" if name.startswith("-") else "command"
        return _refuse(f"unknown {kind} {name}. The commands are: {', '.join(sorted([*commands, COMPLETION]))}")
    try:
        command = cast("Command", commands[name].load() if name in commands else _load(OWN_COMMANDS[name]))
        return command(rest) or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0].startswith("flyteapps"):
            raise  # not a missing extra: ours is broken
        if {"-h", "--help"} & set(rest) and name in EXTRA_OF_COMMAND:
            print(_help_without_extra(name))
            return 0
        return _refuse(_missing(name, error))


def _load(entry_point: str) -> object:
    """Return the object of an entry point MODULE:NAME."""
    module, _, name = entry_point.partition(":")
    return getattr(import_module(module), name)


def _commands() -> dict[str, EntryPoint]:
    """Return the installed commands by name, sorted."""
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    return dict(sorted(found.items()))


def _help() -> str:
    commands = sorted({*_commands(), COMPLETION})
    width = max(len(name) for name in commands)
    lines = [f"  {name:<{width}}  {SUMMARY_OF_COMMAND.get(name, '')}".rstrip() for name in commands]
    return "\n".join(
        [
            "Usage: flyteapps [--help] [--version] COMMAND [ARGS]...",
            "",
            "Commands:",
            *lines,
            "",
            EXAMPLES,
            "flyteapps COMMAND --help explains the options of one.",
        ]
    )


def _complete(arguments: list[str], commands: Iterable[str]) -> int:
    from flyteapps.completion import SCRIPTS, script

    shells = " | ".join(SCRIPTS)
    if arguments and arguments[0] in ("-h", "--help"):
        print(
            f"Usage: flyteapps completion {shells}\n\nPrint a completion script.\n\nExamples:\n{_COMPLETION_EXAMPLES}"
        )
        return 0
    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        return _refuse(f"usage: flyteapps completion {shells}")
    print(script(arguments[0], sorted([*commands, COMPLETION, "--help", "--version"])), end="")
    return 0


def _help_without_extra(name: str) -> str:
    """Return the help of a command whose extra isn't installed: its options are known to its own modules alone."""
    summary = SUMMARY_OF_COMMAND[name]
    arguments = {"verify": "[OPTIONS] ENDPOINT", "control": "COMMAND [ARGS]...", "state": "COMMAND DIR"}
    return "\n".join(
        [
            f"Usage: flyteapps {name} {arguments.get(name, '[OPTIONS]')}",
            "",
            f"{summary[0].upper()}{summary[1:]}.",
            "",
            "Example:",
            *(line for line in EXAMPLES.splitlines() if line.startswith(f"  flyteapps {name}")),
            "",
            f"To run it and to see its options: pip install 'flyteapps[{EXTRA_OF_COMMAND[name]}]'",
        ]
    )


def _missing(name: str, error: ModuleNotFoundError) -> str:
    cause = f"`{name}` can't start, the module {error.name or error} is not installed"
    extra = EXTRA_OF_COMMAND.get(name)
    return f"{cause}: pip install 'flyteapps[{extra}]'" if extra else cause


def _refuse(message: str) -> int:
    print(f"flyteapps: {message}", file=sys.stderr)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
