"""Known deviations: what deviates as declared fails nothing, what does no longer fails; and what a file may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.checks.support.registry import Check
from flyteapps_contract.deviations.deviations import Deviation, Deviations, load, of_dialect, shipped
from flyteapps_contract.outcomes import CannotJudge, Outcome, Verdict
from flyteapps_contract.reports.summary import Summary, summarize

BROKEN = Outcome("a_check", ("CR-2", "UP-1"), Verdict.BROKEN, "it upserts")
HELD = Outcome("another", ("CR-2",), Verdict.HOLDS)
UPSERTS = Deviation("upserts", "CR-2", (), "issue 12")


def summary(outcomes: list[Outcome], *known: Deviation) -> Summary:
    """Return a run that came to these outcomes."""
    lines = summarize([BY_ID["CR-2"], BY_ID["UP-1"]], Deviations("mine.toml", "standard", "1", known).applied(outcomes))
    return Summary(target="x", dialect="standard", prefix="p", lines=lines, seconds=0.0)


def verdicts(run: Summary) -> dict[str, Verdict]:
    """Return the verdicts by guarantee."""
    return {line.guarantee.id: line.verdict for line in run.lines}


def test_what_deviates_as_declared_fails_nothing_but_that() -> None:
    """The declared guarantee is a known deviation, with its evidence; another that the same check broke is broken."""
    run = summary([BROKEN, HELD], UPSERTS)
    assert verdicts(run) == {"CR-2": Verdict.DEVIATES, "UP-1": Verdict.BROKEN}
    assert "issue 12" in run.lines[0].reasons()[0]
    assert run.exit_code == 1
    both = summary([BROKEN, HELD], UPSERTS, Deviation("more", "UP-1", ("a_check",), "issue 13"))
    assert both.exit_code == 0


def test_what_no_longer_deviates_fails() -> None:
    """A declared deviation of which the checks hold has to go from its file."""
    run = summary([HELD], UPSERTS)
    assert verdicts(run)["CR-2"] is Verdict.BROKEN
    assert run.lines[0].reasons() == ["known deviation upserts no longer deviates: remove it from mine.toml"]


def test_a_deviation_of_one_check_covers_no_other() -> None:
    """A finding of another check is broken; a declared check that did not run says nothing."""
    one = Deviation("upserts", "CR-2", ("another",), "issue 12")
    assert verdicts(summary([BROKEN], one))["CR-2"] is Verdict.BROKEN
    unjudged = Outcome("another", ("CR-2",), Verdict.UNJUDGED, "the time was over")
    assert verdicts(summary([unjudged], one))["CR-2"] is Verdict.UNJUDGED


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("dialect = ", "can't be read"),
        ("colour = 1", "unknown key colour"),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"', "has no evidence"),
        ('[[deviation]]\nid = "a"\nguarantee = "XX-9"\nevidence = "e"', "no guarantee is called XX-9"),
        (
            '[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\nchecks = ["nobody"]',
            "no check is called nobody",
        ),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\nchecks = "nobody"', "has to be a list"),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\n' * 2, "two deviations are called a"),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\ninstead = ["XX-9"]', "guarantee is called XX-9"),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\nasked = ["nobody"]', "check is called nobody"),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\ninstead = "OSS-7"', "instead has to be a list"),
        ('[[deviation]]\nid = "a"\nwho = "me"', "unknown key who"),
        ("deviation = 5", "list of tables"),
        ('deviation = ["x"]', "list of tables"),
        ('[deviation]\nid = "a"', "list of tables"),
        ('[[deviation]]\nid = "a"\nguarantee = "CR-2"\nevidence = "e"\nchecks = [["a"]]', "has to be a list"),
    ],
)
def test_a_file_that_makes_no_sense(text: str, word: str, tmp_path: Path) -> None:
    """The error names the mistake and the file."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(CannotJudge, match=word) as raised:
        load(path)
    assert str(path) in str(raised.value)


def test_what_holds_instead_is_asked_instead() -> None:
    """A row with another guarantee has its own one's checks left out, save some, and told as a known deviation."""
    row = Deviation("upserts", "CR-2", (), "seen", instead=("OSS-7",), asked=("another",))
    known = Deviations("mine.toml", "flyte-oss", "1", (row,))
    checks = {name: Check(name, ("CR-2",), (), "It holds.", lambda s: None) for name in ("a_check", "another")}
    assert [name for name, check in checks.items() if known.asks(check)] == ["another"]
    assert known.instead_of("CR-2") == ("OSS-7",) and known.instead_of("UP-1") == ()
    run = summary([HELD], row)
    assert verdicts(run)["CR-2"] is Verdict.DEVIATES
    assert run.lines[0].reasons() == ["upserts: seen; instead OSS-7"]
    broken = summary([Outcome("another", ("CR-2",), Verdict.BROKEN, "it does not")], row)
    assert verdicts(broken)["CR-2"] is Verdict.BROKEN


def test_what_was_not_judged_is_not_stale() -> None:
    """A deviation of which some check was not judged, or not offered, may still be there."""
    for verdict in (Verdict.UNJUDGED, Verdict.NOT_OFFERED):
        run = summary([HELD, Outcome("a_check", ("CR-2",), verdict, "the time was over")], UPSERTS)
        assert verdicts(run)["CR-2"] is not Verdict.BROKEN


def test_what_is_drawn_passes_over_what_any_check_may_find() -> None:
    """A row without checks explains what is drawn; one with checks leaves it to them."""
    named = Deviation("upserts", "UP-1", ("sequences",), "issue 12")
    assert Deviations("", "", "", (UPSERTS, named)).guarantees == {"CR-2"}


def test_a_file_of_another_dialect(tmp_path: Path) -> None:
    """A file is of the dialect that is judged."""
    path = tmp_path / "mine.toml"
    path.write_text('dialect = "other"')
    with pytest.raises(CannotJudge, match="'standard' is judged"):
        load(path, "standard")


def test_the_suites_own_files() -> None:
    """Each is of the dialect and version that its name says; the standard dialect has no deviation."""
    for name, path in shipped().items():
        found = load(path)
        assert f"{found.dialect}-{found.version}" == name
    assert of_dialect("standard").deviations == ()
    assert of_dialect("unheard-of").deviations == ()
