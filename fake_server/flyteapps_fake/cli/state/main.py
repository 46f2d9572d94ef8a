"""`flyteapps state`: the command, and its errors in one line each.

Exit statuses: 0; 1 where something is damaged, or lost; 2 for what is no state directory, for one that is in use, and
for other invalid input.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from flyteapps_fake.cli.option_groups import Group, GroupedCommand
from flyteapps_fake.cli.state.export import export
from flyteapps_fake.core.validation import printable
from flyteapps_fake.directory.checking import MAX_NAMED, Report, check
from flyteapps_fake.directory.errors import Corrupt, StateError
from flyteapps_fake.directory.repairing import repair
from flyteapps_fake.directory.salvage import key_name

NAME = "flyteapps state"
DAMAGED = 1
INVALID = 2
INTERRUPTED = 130
STANDARD_OUTPUT = Path("-")


def _check(directory: Path, as_json: bool) -> int:
    report = check(directory)
    _show(_plain(report) if as_json else "\n".join(_lines(directory, report)))
    return DAMAGED if report.problems else 0


def _plain(report: Report) -> dict[str, Any]:
    """Return a report as JSON."""
    about = report.about
    return {
        "format": about and about.format,
        "dialect": about and about.dialect,
        "version": about and about.version,
        "id": about and about.id,
        "transaction": about and about.position,
        "entries": report.sections,
        "bytes": report.bytes,
        "in_use_by": report.user or None,
        "problems": report.problems,
    }


def _lines(directory: Path, report: Report) -> list[str]:
    """Return a report as text."""
    entries = ", ".join(f"{count} {section}" for section, count in report.sections.items()) or "none"
    size = f"{report.bytes / 1e6:,.1f} MB" if report.bytes >= 1e6 else f"{report.bytes / 1e3:.0f} kB"
    lines = [f"{directory}: {size}" + (f", in use by {report.user}" if report.user else "")]
    if (about := report.about) is not None:
        written = f"written by flyteapps {about.version}, {about.position} transactions"
        lines.append(f"  format {about.format}, dialect {about.dialect}, {written}")
    lines.append(f"  entries: {entries}")
    if not report.problems:
        return [*lines, "  no problem found"]
    advice = f"flyteapps state repair {directory}  keeps a copy of it, and saves what is whole"
    return [*lines, f"  {len(report.problems)} problem(s):", *(f"  - {each}" for each in report.problems), advice]


def _repair(directory: Path, dialect: str | None, as_json: bool) -> int:
    done = repair(directory, dialect)
    lost = [{"section": section, "key": key_name(key)} for section, key in done.lost]
    if as_json:
        backup = str(done.backup) if done.backup else None
        _show({"problems": done.problems, "backup": backup, "saved": done.saved, "lost": lost, "unnamed": done.unnamed})
    elif done.backup is None:
        _show(f"{directory}: no problem found, nothing was changed")
    else:
        count = len(lost) + done.unnamed
        lines = [f"{directory}: repaired, {done.saved} entries are saved, {count} lost", "  it had:"]
        lines += [f"  - {each}" for each in done.problems]
        lines += ["  lost:"] if count else []
        lines += [f"  - {each['section']} {each['key']}" for each in lost]
        lines += [f"  - {done.unnamed} whose names can't be read"] if done.unnamed else []
        _show("\n".join([*lines, f"  as it was: {done.backup}"]))
    return DAMAGED if lost or done.unnamed else 0


def _export(directory: Path, output: Path | None) -> int:
    problems = export(directory, None if output == STANDARD_OUTPUT else output)
    for each in problems[:MAX_NAMED]:
        click.echo(f"{NAME}: {directory}: not all is exported: {printable(each)}", err=True)
    return DAMAGED if problems else 0


def _show(what: dict[str, Any] | str) -> None:
    text = what if isinstance(what, str) else json.dumps(what, indent=2)
    click.echo("\n".join(map(printable, text.split("\n"))))


def _command(name: str, run: Callable[..., int], text: str, example: str, *options: click.Option) -> click.Command:
    directory = click.Argument(["directory"], type=click.Path(path_type=Path), metavar="DIR")
    return GroupedCommand(
        name=name,
        callback=run,
        help=text,
        epilog=f"\b\nExample:\n  flyteapps state {example}",
        arguments=(directory,),
        groups=[Group("Output", options)],
    )


def _as_json() -> click.Option:
    return click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, for programs.")


state = click.Group(
    "state",
    help="Check, repair or export the directory of `flyteapps serve --state DIR`.",
    epilog="\b\nExamples:\n"
    "  flyteapps state check ~/planes/demo\n"
    "  flyteapps state repair ~/planes/demo\n"
    "  flyteapps state export ~/planes/demo -o demo.json",
    commands=[
        _command(
            "check",
            _check,
            "Read all of a directory, and report what is there and what is wrong: exit status 1 for a damaged one. A "
            "server may be using it.",
            "check ~/planes/demo",
            _as_json(),
        ),
        _command(
            "repair",
            _repair,
            "Save all entries that are whole into a new database, and name those that are lost: exit status 1, if some "
            "are. The old one is kept beside the directory, as DIR.before-repair-TIME. No server may be using it.",
            "repair ~/planes/demo",
            click.Option(
                ["--dialect"],
                type=click.Choice(["standard", "flyte-oss"]),
                help="Dialect of a directory that doesn't say it any more.",
            ),
            _as_json(),
        ),
        _command(
            "export",
            _export,
            "Write the state as JSON, which `flyteapps serve --seed-file` starts from; of a damaged directory what is "
            "whole, with exit status 1. A server may be using it.",
            "export ~/planes/demo -o demo.json",
            click.Option(
                ["-o", "--output"],
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                help="File to write, for its owner alone; standard output without it, or with -.",
            ),
        ),
    ],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the process's own; return the exit status."""
    try:
        status = state.main(args=argv, prog_name=NAME, standalone_mode=False)
    except click.UsageError as error:
        return _refuse(error)
    except click.ClickException as error:
        return _fail(error.format_message(), INVALID)
    except click.Abort:
        return INTERRUPTED
    except Corrupt as error:
        return _fail(f"{error.path}: {error.problem}", DAMAGED)
    except StateError as error:
        return _fail(str(error), INVALID)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), INVALID)
    return status if isinstance(status, int) else 0


def _refuse(error: click.UsageError) -> int:
    """Report invalid input; show the help of a group without a command."""
    if type(error).__name__ == "NoArgsIsHelpError":
        click.echo(error.format_message(), err=True)
        return INVALID
    path = error.ctx.command_path if error.ctx is not None else NAME
    return _fail(f"{error.format_message().rstrip('.')} (see {path} --help)", INVALID)


def _fail(message: str, status: int) -> int:
    click.echo(f"{NAME}: {printable(' '.join(message.split()))}", err=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
