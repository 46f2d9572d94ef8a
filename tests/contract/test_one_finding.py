"""One bug is one finding: a fault of what checks prepare with is named, and what follows from it is listed with it."""

from __future__ import annotations

import contextlib
import json
from xml.etree import ElementTree

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from rich.console import Console

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.catalogue.standard import GUARANTEES
from flyteapps_contract.cli import verify
from flyteapps_contract.outcomes import Outcome, Refused, Verdict
from flyteapps_contract.profiles import DIRECTED
from flyteapps_contract.reports.findings import Finding, findings, grouped
from flyteapps_contract.reports.machine import as_json, as_junit
from flyteapps_contract.reports.page import as_html
from flyteapps_contract.reports.summary import Summary, summarize
from flyteapps_contract.symptoms import Ability, Symptoms
from flyteapps_contract.verification import checks_of, fresh_run, outcomes_of

from . import standins, troubled

TROUBLED: dict[type[troubled.TroubledLink], str] = {
    troubled.LabelUpdatesAreAborted: "UP-2",
    troubled.ListIsEmpty: "LI-1",
    troubled.ListLacksNewApps: "LI-1",
    troubled.StoppedAppsAreNotFound: "GE-1",
    troubled.WatchesHaveNoSnapshot: "WA-1",
    troubled.EachThirdDeleteIsUnavailable: "DE-2",
    troubled.PagesRepeatTheLastApp: "LI-4",
    troubled.UpdateAnswersWithTheOldApp: "UP-2",
}
MAX_BROKEN, MAX_UNJUDGED = 3, 10
FEW = ("CR-2", "UP-1", "DE-1", "LI-5")


def run(trouble: type[troubled.TroubledLink], only: tuple[str, ...] = ()) -> Summary:
    """Return a whole run on planes with that bug."""
    target = troubled.planes(trouble)
    guarantees = [each for each in GUARANTEES if not only or each.id in only]
    return verify.run_checks(target, guarantees, fresh_run(target), Console(quiet=True), profile=DIRECTED, seed=1)


def ids(summary: Summary, verdict: Verdict) -> list[str]:
    """Return the guarantees that came to that verdict."""
    return [line.guarantee.id for line in summary.lines if line.verdict is verdict]


@pytest.mark.matrix
@pytest.mark.parametrize("trouble", TROUBLED, ids=lambda each: each.__name__)
def test_one_bug_is_one_finding(trouble: type[troubled.TroubledLink]) -> None:
    """Of a whole run the right guarantee is the first finding, few others are broken, and few are not judged."""
    summary = run(trouble)
    assert summary.findings()[0].guarantee == TROUBLED[trouble]
    assert len(ids(summary, Verdict.BROKEN)) <= MAX_BROKEN
    assert len(ids(summary, Verdict.UNJUDGED)) <= MAX_UNJUDGED
    assert summary.exit_code == 1


@pytest.mark.slow
def test_a_slow_create_breaks_nothing() -> None:
    """A plane that is slow keeps the contract."""
    assert sorted(ids(run(troubled.CreateIsSlow, FEW), Verdict.HOLDS)) == sorted(FEW)


def test_other_means_are_used() -> None:
    """Where labels can't be updated, what prepares with them judges all the same."""
    summary = run(troubled.LabelUpdatesAreAborted, ("CR-2", "UP-1", "UP-2", "LI-3"))
    assert ids(summary, Verdict.BROKEN) == ["UP-2"]
    assert ids(summary, Verdict.HOLDS) == ["CR-2", "UP-1", "LI-3"]


def test_what_follows_is_listed_with_its_cause() -> None:
    """The guarantees that a broken List breaks follow from it, in every report; what doesn't list holds."""
    summary = run(troubled.ListLacksNewApps, ("CR-2", "DE-1", "LI-1", "LI-3"))
    assert ids(summary, Verdict.BROKEN) == ["LI-1"]
    assert ids(summary, Verdict.HOLDS) == ["CR-2", "DE-1"]
    assert summary.findings() == [Finding("LI-1", ("LI-3",))]
    whole = json.loads(as_json(summary))
    assert whole["findings"] == [{"guarantee": "LI-1", "following": ["LI-3"]}]
    [line] = [each for each in whole["guarantees"] if each["id"] == "LI-3"]
    assert (line["verdict"], line["follows_from"]) == ("follows", ["LI-1"])
    failure = ElementTree.fromstring(as_junit(summary)).find(".//testcase[@name='LI-3']/failure")
    assert failure is not None
    assert "follows from LI-1" in (failure.text or "")
    assert "from it follow" in as_html(summary)


def test_a_single_guarantee_uses_other_means_too() -> None:
    """Also where one guarantee alone is judged, as by the plugin, a fault of a preparation doesn't leave it open."""
    assert {each.verdict for each in outcomes_of(troubled.planes(troubled.LabelUpdatesAreAborted), "UP-1")} == {
        Verdict.HOLDS
    }


def test_every_ability_is_verified_once() -> None:
    """A check stands for each ability, and speaks of the guarantee that its fault breaks."""
    from flyteapps_contract.checks.support.registry import ability_checks
    from flyteapps_contract.symptoms import GUARANTEE

    assert [each.ability for each in ability_checks()] == list(Ability)
    for each in ability_checks():
        assert each.ability is not None
        assert each in checks_of(GUARANTEE[each.ability])


def outcome(name: str, verdict: Verdict, *symptoms: str, guarantee: str) -> Outcome:
    """Return an outcome with the symptoms that were seen on the way."""
    return Outcome(name, (guarantee,), verdict, "it broke", symptoms=symptoms)


def test_a_symptom_alone_explains_nothing() -> None:
    """A violation follows from a guarantee only where that one is broken by a check of its own."""
    alone = outcome("a", Verdict.BROKEN, "LI-1", guarantee="LI-3")
    root = outcome("b", Verdict.BROKEN, "LI-1", guarantee="LI-1")
    assert grouped([alone]) == [alone]
    assert [each.follows_from for each in grouped([alone, root])] == ["LI-1", ""]


def test_the_most_elementary_guarantee_explains_the_rest() -> None:
    """Of two causes the more elementary one counts, and it never follows from the other."""
    get = outcome("get", Verdict.BROKEN, "GE-1", "LI-1", guarantee="GE-1")
    listing = outcome("list", Verdict.BROKEN, "LI-1", "GE-1", guarantee="LI-1")
    other = outcome("other", Verdict.BROKEN, "LI-1", "GE-1", guarantee="CR-5")
    found = grouped([listing, other, get])
    assert [each.follows_from for each in found] == ["GE-1", "GE-1", ""]
    assert findings(found) == [Finding("GE-1", ("LI-1", "CR-5"))]


def test_what_was_not_judged_stays_so() -> None:
    """A check that could not judge says what it follows from, and is not counted as broken."""
    root = outcome("root", Verdict.BROKEN, "DE-2", guarantee="DE-2")
    unjudged = outcome("open", Verdict.UNJUDGED, "DE-2", guarantee="DE-3")
    [line] = summarize([BY_ID["DE-3"]], grouped([root, unjudged]))
    assert line.verdict is Verdict.UNJUDGED
    assert line.follows_from() == ("DE-2",)


def app(name: str, revision: int = 1, **labels: str) -> model.App:
    """Return a small app."""
    metadata = model.Meta(id=model.Identifier(org="o", project="p", domain="d", name=name), revision=revision)
    metadata.labels.update(labels)
    return model.App(metadata=metadata)


def seen(symptoms: Symptoms, method: str, request: object, answer: object) -> None:
    """Let the symptoms see one call."""

    def send() -> object:
        if isinstance(answer, Refused):
            raise answer
        return answer

    with contextlib.suppress(Refused):
        symptoms.call(method, request, send)  # type: ignore[arg-type]  # any message


CREATED = ("Create", rpc.CreateRequest(app=app("a")), rpc.CreateResponse(app=app("a")))
GET = rpc.GetRequest(app_id=app("a").metadata.id)
DELETE = rpc.DeleteRequest(app_id=app("a").metadata.id)
LIST = rpc.ListRequest(project={"organization": "o", "name": "p", "domain": "d"})
NOT_FOUND, ABORTED = Refused("NOT_FOUND", "no"), Refused("ABORTED", "no")


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("Get", GET, NOT_FOUND)], "GE-1"),
        ([("Update", rpc.UpdateRequest(app=app("a", x="y")), ABORTED)], "UP-2"),
        ([("Update", rpc.UpdateRequest(app=app("a", x="y")), rpc.UpdateResponse(app=app("a")))], "UP-2"),
        ([("Delete", DELETE, Refused("UNAVAILABLE", "no"))], "DE-2"),
        ([("List", LIST, rpc.ListResponse())], "LI-1"),
        (
            [("Delete", DELETE, rpc.DeleteResponse()), ("Get", GET, NOT_FOUND)],
            "",
        ),
        ([("Update", rpc.UpdateRequest(app=app("a", 7, x="y")), ABORTED)], ""),
        ([("Update", rpc.UpdateRequest(app=app("a")), ABORTED)], ""),
        ([("List", LIST, rpc.ListResponse(apps=[app("a")]))], ""),
        ([("List", LIST, rpc.ListResponse(token="more"))], ""),
    ],
)
def test_a_symptom(calls: list[tuple[str, object, object]], expected: str) -> None:
    """A wrong answer is seen to be wrong, and a right one is not."""
    symptoms = Symptoms()
    for call in (CREATED, *calls):
        seen(symptoms, *call)
    assert list(symptoms.found) == [expected] * bool(expected)


def test_an_app_on_two_pages_is_a_symptom() -> None:
    """An app on two pages of one list is seen, unless there was a write between."""
    first, second = LIST, rpc.ListRequest(project=LIST.project, request={"token": "t"})
    page = rpc.ListResponse(apps=[app("a")], token="t")
    for between, expected in (((), ["LI-4"]), ((CREATED,), [])):
        symptoms = Symptoms()
        seen(symptoms, "List", first, page)
        for call in between:
            seen(symptoms, *call)
        seen(symptoms, "List", second, page)
        assert list(symptoms.found) == expected


def test_the_stand_in_has_no_symptoms() -> None:
    """On a plane that keeps the contract nothing is at fault, and no check sees a symptom."""
    target = standins.in_process()
    only = [each for each in GUARANTEES if each.id in ("CR-2", "UP-3", "LI-1", "WA-1")]
    its_run = fresh_run(target)
    summary = verify.run_checks(target, only, its_run, Console(quiet=True), profile=DIRECTED)
    assert its_run.faults == {}
    assert [each.check for line in summary.lines for each in line.outcomes if each.symptoms] == []
