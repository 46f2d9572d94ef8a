"""`flyteapps verify`: the contract on an endpoint. Exit status 0 holds, 1 broken, 2 could not judge."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import secrets
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from flyteapps_contract.catalogue.dialects import DIALECTS
from flyteapps_contract.catalogue.guarantee import STANDARD, Guarantee
from flyteapps_contract.checks.support.registry import Check, ability_checks
from flyteapps_contract.cli import replay
from flyteapps_contract.cli.credentials import token_for
from flyteapps_contract.cli.option_values import DialectChoice, headers_of, label_of, prefix_of
from flyteapps_contract.cli.work import Work, clean_up
from flyteapps_contract.deviations.deviations import Deviations, load, of_dialect
from flyteapps_contract.evidence import what_was_short
from flyteapps_contract.explorations.registry import OF_DIALECT
from flyteapps_contract.explorations.search import Exploration, explore
from flyteapps_contract.outcomes import CannotJudge, Outcome, Verdict
from flyteapps_contract.profiles import PROFILES, Profile
from flyteapps_contract.reports import machine, page, terminal
from flyteapps_contract.reports.findings import grouped
from flyteapps_contract.reports.summary import Summary, summarize
from flyteapps_contract.run import INTERRUPTED, Ending, Limits, Run, RunEnded
from flyteapps_contract.runner import judge, missing_capabilities
from flyteapps_contract.targets.detecting import describe_signs, find_leniency, signs
from flyteapps_contract.targets.endpoint import Access, Address, EndpointTarget
from flyteapps_contract.targets.probing import CONTROL_SECONDS, clean, probe, require_no_faults, require_unused
from flyteapps_contract.targets.target import CALL_SECONDS, Target
from flyteapps_contract.targets.wire import NAMES, Protocol
from flyteapps_contract.verification import checks_of, fresh_prefix
from flyteapps_control.arguments import DialectName

CANNOT_JUDGE = 2
SEEDS = 1_000_000
"""Seeds that are drawn are below it, so that they can be typed."""
EXAMPLES = """\b
Examples:
  flyteapps verify localhost:8090                    every guarantee, on a plane of this machine
  flyteapps verify localhost:8090 --only CR          those of Create
  flyteapps verify https://plane.example --project mine --api-key "$FLYTE_API_KEY"
  flyteapps verify localhost:8090 --profile standard --html report.html
"""


@click.command(epilog=EXAMPLES)
@click.argument("endpoint")
@click.option(
    "--only", multiple=True, metavar="ID", help="Check only this guarantee (CR-2) or section (CR); repeatable."
)
@click.option(
    "--protocol", type=click.Choice(list(NAMES)), default="connect", show_default=True, help="Protocol of the calls."
)
@click.option(
    "--insecure", is_flag=True, help="Use plaintext if ENDPOINT has no scheme; on loopback it is the default."
)
@click.option("--ca-cert", type=click.Path(path_type=Path), help="PEM file of the certificates to trust.")
@click.option(
    "--header",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Header of every call, such as 'authorization: Bearer ...'; repeatable.",
)
@click.option("--token", default="", help="Access token of every call, for a plane whose callers need credentials.")
@click.option("--api-key", default="", metavar="KEY", help="API key by which a token is got, as in FLYTE_API_KEY.")
@click.option(
    "--dialect",
    "named",
    type=DialectChoice(),
    default=STANDARD,
    show_default=True,
    help="Dialect whose guarantees are checked, of its newest known version; flyte-oss@2.0.43 names one.",
)
@click.option("--detect", is_flag=True, help="Only print the plane's dialect, found by a few harmless calls.")
@click.option("--org", default="", help="Org of the apps, such as acme.  [default: the plane's own]")
@click.option(
    "--project", default="", help="The only project to use, such as mine.  [default: projects of the run's own]"
)
@click.option("--domain", default="development", show_default=True, help="Domain of the apps.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="quick",
    show_default=True,
    help="Time for generated checks beside the directed ones: seconds, two minutes, an hour, none.",
)
@click.option("--seed", type=int, help="Seed of the generated checks, such as 7.  [default: random]")
@click.option(
    "--deviations",
    "deviations_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of known deviations.  [default: the dialect's own]",
)
@click.option("--failing-label", metavar="KEY=VALUE", help="Label with which an app fails to deploy on this plane.")
@click.option("--prefix", help="Prefix of the names of the run's apps.  [default: random]")
@click.option(
    "--clean", "clean_prefix", metavar="PREFIX", help="Only remove the apps that a run with that prefix has left."
)
@click.option("--dry-run", is_flag=True, help="Call nothing; list the checks that would run, and those that would not.")
@click.option("--max-apps", type=click.IntRange(0), default=0, help="Maximum of apps at once.  [default: no limit]")
@click.option(
    "--max-rate", type=click.FloatRange(0), default=0.0, help="Maximum of calls a second.  [default: no limit]"
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(0),
    default=0.0,
    help="Seconds after which the run ends.  [default: no limit]",
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a report as JUnit XML to this file."
)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a report as a web page to this file."
)
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write a report as JSON to this file."
)
@click.option("-v", "--verbose", is_flag=True, help="List each guarantee with its reasons, and each script.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Save each failing sequence in this folder.",
)
@click.option(
    "--replay",
    "replay_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Only run the sequence saved in this file again.",
)
def verify(
    endpoint: str,
    only: tuple[str, ...],
    protocol: Protocol,
    insecure: bool,
    ca_cert: Path | None,
    header: tuple[str, ...],
    token: str,
    api_key: str,
    named: DialectName,
    detect: bool,
    org: str,
    project: str,
    domain: str,
    profile: str,
    seed: int | None,
    deviations_path: Path | None,
    failing_label: str | None,
    prefix: str | None,
    clean_prefix: str | None,
    dry_run: bool,
    max_apps: int,
    max_rate: float,
    max_seconds: float,
    junit: Path | None,
    html: Path | None,
    json_path: Path | None,
    verbose: bool,
    save: Path | None,
    replay_path: Path | None,
) -> None:
    """Check that the control plane at ENDPOINT (host:port, or a URL without a path) keeps the contract.

    The plane may be in use: the run touches its own apps alone, whose names begin with its prefix, and removes them at
    the end. Exit status: 0 if all that was judged holds, 1 if something is broken, 2 if the plane can't be judged.
    """
    dialect = named.name
    begun: float = click.get_current_context().obj or time.monotonic()
    ending = Ending(begun + max_seconds) if max_seconds else Ending()
    saved = replay.load(replay_path) if replay_path is not None else None
    wanted = ((junit, machine.as_junit), (json_path, machine.as_json), (html, page.as_html))
    deviations = load(deviations_path, dialect) if deviations_path is not None else of_dialect(*named)
    guarantees = select(only, dialect, deviations)
    tried = PROFILES[profile]
    address = Address.parse(endpoint, insecure)
    headers = headers_of(header)
    if api_key and (token or "authorization" in headers):
        raise CannotJudge("--api-key, --token and the header authorization are three of one kind: give one of them")
    if api_key:
        token = token_for(api_key, EndpointTarget(address, access=Access(ca_cert=ca_cert)).wire)
    if token:
        headers["authorization"] = f"Bearer {token}"
    target = EndpointTarget(
        address,
        protocol,
        Access(headers=headers, ca_cert=ca_cert),
        org=org,
        projects=not project,
        failing=label_of(failing_label),
        dialect=dialect,
    )
    run = Run(
        prefix=prefix_of(clean_prefix or prefix or fresh_prefix()),
        org=org,
        project=project,
        domain=domain,
        limits=Limits(apps=max_apps, calls_per_second=max_rate),
    )
    if clean_prefix:
        raise click.exceptions.Exit(CANNOT_JUDGE if clean(target, run, click.echo) else 0)
    if detect:
        raise click.exceptions.Exit(_detect(target, run))
    if dry_run:
        _say_plan(target, guarantees, tried, deviations)
        return
    reports = [(path, text) for path, text in wanted if path is not None]
    for path, _ in reports:
        if not path.absolute().parent.is_dir():
            raise CannotJudge(f"the report {path} can't be written: there is no directory {path.absolute().parent}")
    try:
        probe(target, ending.at_most(CALL_SECONDS))
    except CannotJudge:  # by a fault of List?
        require_no_faults(target, ending.at_most(CONTROL_SECONDS))
        raise
    require_no_faults(target, ending.at_most(CONTROL_SECONDS))
    if prefix:
        require_unused(target, run)
    if DIALECTS[dialect].cluster_checks:
        click.echo(found := find_leniency(target, run))
        target.be_lenient(bool(found.lenient))
    console = Console()
    if saved is not None:
        raise click.exceptions.Exit(replay.run_again(target, run, saved, console))
    try:
        summary = run_checks(
            target,
            guarantees,
            run,
            console,
            until=ending.until,
            profile=tried,
            seed=secrets.randbelow(SEEDS) if seed is None else seed,
            deviations=deviations,
        )
    except KeyboardInterrupt:  # the second one
        hint = f"what it may have left is removed by: flyteapps verify ... --clean {run.prefix}"
        raise CannotJudge(f"{INTERRUPTED}; {hint}") from None
    terminal.show(console, summary, details=verbose)
    failed = False
    for path, text in reports:
        try:
            path.write_text(text(summary), encoding="utf-8", errors="replace")
        except OSError as error:
            failed = True
            click.echo(f"flyteapps verify: the report {path} can't be written: {error}", err=True)
    if save is not None:
        try:
            replay.save_all(save, summary, console)
        except OSError as error:
            failed = True
            click.echo(f"flyteapps verify: the sequences can't be saved in {save}: {error}", err=True)
    raise click.exceptions.Exit(CANNOT_JUDGE if failed and not summary.exit_code else summary.exit_code)


def run_checks(
    target: Target,
    guarantees: Sequence[Guarantee],
    run: Run,
    console: Console,
    *,
    until: float = math.inf,
    profile: Profile = PROFILES["quick"],
    seed: int = 0,
    deviations: Deviations | None = None,
) -> Summary:
    """Judge the guarantees; ends early, and says so, where the plane dies, Ctrl-C comes, or the time `until` does."""
    started = time.monotonic()
    run.ending.until = until
    known = deviations or of_dialect(target.dialect)
    outcomes: list[Outcome] = []
    checks = _checks(guarantees, known)
    if target.dialect == STANDARD:
        run.faults = {}
        first = [each for each in ability_checks() if known.asks(each)]
        checks = [*first, *(each for each in checks if each not in first)]
    explorations = _explorations(target.dialect, guarantees, profile)
    trouble, missing = "", Verdict.UNJUDGED

    def carry_out(step: Check | Exploration) -> Iterator[Outcome]:
        if isinstance(step, Check):
            yield judge(target, step, run)
            return
        budget = profile.within(step.name, min(started + profile.seconds, run.ending.until) - time.monotonic())
        broken = {id_ for each in outcomes if each.verdict is Verdict.BROKEN for id_ in each.guarantees}
        wanted = [each.id for each in guarantees]
        yield from explore(step, target, run, budget, seed, only=wanted, broken=broken | known.guarantees)

    def judged(step: Check | Exploration) -> Iterator[Outcome]:
        for outcome in carry_out(step):
            doubtful = outcome.verdict in (Verdict.BROKEN, Verdict.UNJUDGED) and not run.ending.is_over
            yield _still_there(target, outcome) if doubtful else outcome

    work: Work | None = None
    try:
        with terminal.live(console, len(checks) + len(explorations)) as bar:
            for step in (*checks, *explorations):
                if _signalled.is_set():
                    raise KeyboardInterrupt
                if run.ending.is_over:
                    raise RunEnded
                bar.begin(step.name)
                work = Work(run, functools.partial(judged, step), _signalled.is_set)
                for outcome in work.outcomes():
                    outcomes.append(outcome)
                    bar.say(outcome)
                bar.done()
    except _Gone as gone:
        outcomes.append(gone.outcome)
        trouble = gone.outcome.reason
    except RunEnded:
        trouble, missing = "the time of --max-seconds was over before all had run", Verdict.HARDLY
    except KeyboardInterrupt:
        trouble = INTERRUPTED
        run.end(INTERRUPTED)
        outcomes += work.rest() if work is not None else ()
    if run.ending.is_over:
        clean_up(target, run)
    for step in (*checks, *explorations) if trouble else ():
        judged_ids = {id_ for outcome in outcomes if outcome.check == step.name for id_ in outcome.guarantees}
        if missed := tuple(id_ for id_ in step.guarantees if id_ not in judged_ids):
            outcomes.append(Outcome(step.name, missed, missing, trouble))
    floor = profile.floor.of_dialect(target.dialect)
    trouble = trouble or what_was_short(outcomes, floor, profile, clock=target.capabilities.clock)
    if run.left:
        left = ", ".join(sorted(run.left))
        trouble = f"{trouble}\nleft behind: {left}; remove it by: flyteapps verify ... --clean {run.prefix}".lstrip()
    return Summary(
        target=target.name,
        dialect=target.dialect,
        prefix=run.prefix,
        lines=summarize(guarantees, grouped(known.applied(outcomes)), floor),
        seconds=time.monotonic() - started,
        trouble=trouble,
        profile=profile.name,
        seed=seed,
    )


def _explorations(dialect: str, guarantees: Sequence[Guarantee], profile: Profile) -> list[Exploration]:
    wanted, there = {each.id for each in guarantees}, OF_DIALECT[dialect]
    return [each for name, each in there.items() if name in profile.budgets and wanted & set(each.guarantees)]


def select(only: Sequence[str], dialect: str, deviations: Deviations) -> list[Guarantee]:
    """Return the dialect's guarantees of these ids and sections, and those that hold instead; all where none is given.

    Raises CannotJudge.
    """
    there = DIALECTS[dialect].guarantees
    wanted = [each.upper() for each in only]
    known = {each.id for each in there} | {each.id.partition("-")[0] for each in there}
    if unknown := [each for each in wanted if each not in known]:
        raise CannotJudge(f"--only {unknown[0]}: no such guarantee; there are {', '.join(each.id for each in there)}")
    ids = {each.id for each in there if not wanted or {each.id, each.id.partition("-")[0]} & set(wanted)}
    ids |= {instead for each in ids for instead in deviations.instead_of(each)}
    return [each for each in there if each.id in ids]


def _checks(guarantees: Sequence[Guarantee], known: Deviations) -> list[Check]:
    found = {check.name: check for each in guarantees for check in checks_of(each.id) if known.asks(check)}
    return list(found.values())


def _detect(target: Target, run: Run) -> int:
    """Report which dialect the plane speaks, and what shows it; the exit status."""
    found = signs(target, run)
    for sign in found:
        click.echo(f"{sign.asked}: {sign.answered} [{sign.dialect or 'of no dialect that is known'}]")
    dialect, text = describe_signs(found)
    if dialect and DIALECTS[dialect].cluster_checks:
        click.echo(find_leniency(target, run))
    click.echo(f"{target.name}: {text}")
    if run.left:
        click.echo(f"left behind: {', '.join(sorted(run.left))}; remove it by --clean {run.prefix}", err=True)
    return 0 if dialect else CANNOT_JUDGE


class _Gone(Exception):  # noqa: N818  # what became of the plane
    """A plane that answers no longer: what was judged last is no verdict."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def _still_there(target: Target, outcome: Outcome) -> Outcome:
    """Return the outcome where the plane still answers. Raises _Gone."""
    try:
        probe(target)
    except CannotJudge as gone:
        trouble = f"the plane was gone after {outcome.check}: {gone}"
        raise _Gone(Outcome(outcome.check, outcome.guarantees, Verdict.UNJUDGED, trouble, outcome.seconds)) from gone
    return outcome


def _say_plan(target: Target, guarantees: Sequence[Guarantee], profile: Profile, known: Deviations) -> None:
    checks = _checks(guarantees, known)
    for check in checks:
        missing = missing_capabilities(target.capabilities, check)
        click.echo(
            f"{'not run' if missing else 'run':8} {','.join(check.guarantees):12} {check.sentence}"
            f"{missing and f' [{missing}]'}"
        )
    for exploration in _explorations(target.dialect, guarantees, profile):
        budget = profile.budgets[exploration.name]
        said = f"up to {budget.count}, or {budget.seconds:g} s, by profile {profile.name}"
        click.echo(f"{'run':8} {exploration.name}: {said}")
    runnable = sum(not missing_capabilities(target.capabilities, each) for each in checks)
    click.echo(f"nothing was called; {runnable} checks would run")


def main(argv: Sequence[str] | None = None, *, begun: float | None = None) -> int:
    """Run the command with `argv` (by default the process's own); the exit status.

    `begun`: the monotonic time from which --max-seconds counts, now by default.
    """
    _signalled.clear()
    # a CI server ends a job by SIGTERM, and starts it with SIGINT ignored: both clean up what the run made
    for number in (signal.SIGINT, signal.SIGTERM):
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, _on_signal)
    try:
        status: object = verify.main(args=argv, prog_name="flyteapps verify", standalone_mode=False, obj=begun)
    except CannotJudge as error:
        print(f"flyteapps verify: {error}", file=sys.stderr)
        return CANNOT_JUDGE
    except click.ClickException as error:
        error.show()
        return CANNOT_JUDGE
    except (click.Abort, KeyboardInterrupt):
        print("flyteapps verify: interrupted", file=sys.stderr)
        return CANNOT_JUDGE
    except Exception:  # 1 would say that the plane is broken
        traceback.print_exc()
        return CANNOT_JUDGE
    return status if isinstance(status, int) else 0


_signalled = threading.Event()


def _on_signal(_number: int, _frame: object) -> NoReturn:
    """Interrupt; and is remembered, since what is raised within a callback of the interpreter's own is lost."""
    _signalled.set()
    raise KeyboardInterrupt


def command(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `main` as a process of its own, and end it.

    pyqwest's threads may still hold Python objects when the interpreter is taken down, and then abort the process: one
    run in fifteen that was refused a connection ended with status 134. Nothing is left to do here but to write.
    """
    status = main(argv, begun=time.monotonic() - time.process_time())  # loading all this counts, too
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    command()
