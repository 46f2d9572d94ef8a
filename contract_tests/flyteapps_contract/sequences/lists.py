"""List in sequences: pages are compared with a naive evaluation over the apps as they were read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.model import listing
from flyteapps_contract.model.listing import by, where
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation, code_proof
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import ListFilter, ListScope
from flyteapps_contract.sequences.context import Context
from flyteapps_contract.sequences.reads import Reads
from flyteapps_contract.traces.trace import OK, Step

Incarnation = tuple[listing.AppId, int]
"""An incarnation: the id, and when it was created."""


@dataclass(slots=True)
class Listing:
    """A listing that goes on: its request, the apps that it has to show, and those that it has shown."""

    request: rpc.ListRequest
    token: str
    token_of: int
    due: set[Incarnation]
    shown: list[Incarnation] = field(default_factory=list["Incarnation"])


class Lists:
    """The listings of one sequence."""

    def __init__(self, context: Context, reads: Reads) -> None:
        self._context = context
        self._reads = reads
        self._open: Listing | None = None

    def list(self, command: commands.List) -> None:
        """Send List for the first page."""
        if not self._context.capabilities.projects:
            return  # others may have apps in the only one
        apps = self._apps()
        known = [(slot, app) for slot in self._context.slots.all if (app := self._context.entry(slot).app) is not None]
        if any(self._reads.moving(slot, app) for slot, app in known):
            return  # what moves meanwhile can't be compared
        query = by(*command.sort.value, limit=command.limit.value)
        query.filters.extend(_filters(command.filter, apps))
        request = rpc.ListRequest(request=query)
        self._set_scope(request, command.scope)
        request.include_total_count = command.counted
        request.disable_identity_enrichment = command.bare
        inside = [app for app in apps if _is_inside(app, request)]
        matching = [app for app in inside if listing.matches(app, query.filters)]
        step = self._context.trace.call("List", request, rpc.ListResponse)
        if step.code != OK:
            text = f"List ended with {step.code}: {step.message}"
            raise Violation(("LI-1", "LI-2", "LI-3"), text, self._code(OK))
        self._judge(step, request, query, matching, inside)

    def next_page(self, _: commands.NextPage) -> None:
        """Send List for the next page of the last listing."""
        going = self._open
        if going is None:
            return
        request = rpc.ListRequest()
        request.CopyFrom(going.request)
        request.request.token = going.token
        step = self._context.trace.call("List", request, rpc.ListResponse, token_of=going.token_of)
        if step.code != OK:
            raise Violation(("LI-4",), f"the next page ended with {step.code}: {step.message}", self._code(OK))
        answer = self._answer(step)
        ids = [_incarnation_of(app) for app in answer.apps]
        again = [each for each in ids if each in going.shown]
        if again:
            raise Violation(
                ("LI-4",), f"{again[0][0][-1]} came on two pages", f"once({going.token_of}, {self._number})"
            )
        going.shown += ids
        going.token, going.token_of = answer.token, self._number
        due = going.due & self._there()
        if not answer.token:
            self._open = None
            missing = due - set(going.shown)
            if missing:
                name = min(missing)[0][-1]
                line = f"{name!r} in names_of_pages({self._number})"
                raise Violation(("LI-4",), f"{name} was there throughout, but came on no page", line)
        elif not ids:
            raise Violation(("LI-4",), "a page without an app, but with a token", f"names({self._number}) != []")

    def _judge(
        self,
        step: Step,
        request: rpc.ListRequest,
        query: list_pb2.ListRequest,
        matching: list[model.App],
        inside: list[model.App],
    ) -> None:
        number = self._number
        answer = self._answer(step)
        got = [listing.id_of(app) for app in answer.apps]
        limit = query.limit or 100
        orders = [[listing.id_of(app) for app in order] for order in listing.orders(matching, listing.sorts_of(query))]
        pages = [order[:limit] for order in orders]
        if got not in pages:
            wanted = [each[-1] for each in pages[0]]
            line = f"names({number}) in {[[each[-1] for each in page] for page in pages]!r}"
            text = f"expected {wanted}, got {[each[-1] for each in got]}"
            raise Violation(self._guarantees(got, orders, matching, inside, query), text, line)
        more = len(matching) > limit
        if bool(answer.token) != more:
            line = f"bool(answers[{number}].token) is {more}"
            raise Violation(
                ("LI-4",), f"{len(matching)} match, {len(got)} came, and there is a token: {not more}", line
            )
        total = len(matching) if request.include_total_count else 0
        if answer.total_count != total:
            line = f"answers[{number}].total_count == {total}"
            raise Violation(("LI-5",), f"total_count should be {total}, but is {answer.total_count}", line)
        known = {listing.id_of(app): app for app in matching}
        for place, app in enumerate(answer.apps):
            expected = known[listing.id_of(app)]
            if request.disable_identity_enrichment:
                expected = listing.without_enrichment(expected)
            if app != expected:
                line = f"answers[{number}].apps[{place}] == {self._word(app)}"
                guarantees = ("LI-7",) if request.disable_identity_enrichment else ("GE-3", "LI-1", "UP-2")
                raise Violation(guarantees, f"{app.metadata.id.name} is listed otherwise than it was read", line)
        steady = all(sort.key in ("created_at", "name") for sort in listing.sorts_of(query)) and not query.filters
        self._open = None
        if answer.token and steady:
            self._open = Listing(
                request,
                answer.token,
                number,
                {_incarnation_of(app) for app in matching},
                [_incarnation_of(app) for app in answer.apps],
            )

    def _guarantees(
        self,
        got: list[listing.AppId],
        orders: list[list[listing.AppId]],
        matching: list[model.App],
        inside: list[model.App],
        query: list_pb2.ListRequest,
    ) -> tuple[str, ...]:
        """Return which guarantees a page breaks that isn't the one that was due."""
        known = {listing.id_of(app) for app in inside}
        if set(got) - known:
            gone = any(entry.existed and not entry.may_exist for entry in self._context.possible.entries.values())
            return ("LI-1", "DE-3") if gone else ("LI-1",)
        if len(set(got)) != len(got):
            return ("LI-4",)
        if set(got) - set(orders[0]) or (len(got) < min(len(matching), query.limit or 100) and query.filters):
            return ("LI-2",)
        if len(got) != min(len(matching), query.limit or 100):
            return ("LI-4", "LI-1")
        return ("LI-3",)

    def _set_scope(self, request: rpc.ListRequest, scope: ListScope) -> None:
        """Set the scope; an org or a cluster only where no other app is there, not even a stream's marker."""
        places = self._context.slots.places
        alone = self._context.capabilities.fresh and self._context.opens_at_once
        if scope is ListScope.ORG and alone:
            request.org = self._context.possible.org or self._context.session.run.org or "flyte"
        elif scope is ListScope.CLUSTER and alone:
            cluster = self._context.slots.clusters[0]
            request.cluster_id.CopyFrom(self._context.session.cluster(cluster))
        else:
            other = scope in (ListScope.OTHER_PROJECT, ListScope.CLUSTER)
            request.project.CopyFrom(places[-1] if other else places[0])

    # ---- what is known

    def _apps(self) -> list[model.App]:
        """Return the existing apps; those that may have changed are read first."""
        apps: list[model.App] = []
        for slot in self._context.slots.all:
            entry = self._context.entry(slot)
            moving = entry.seen is not None and self._reads.moving(slot, entry.seen.app)
            if entry.may_exist and (moving or not entry.known):
                self._reads.refresh(slot)
            if entry.app is not None:
                apps.append(entry.app)
        return apps

    def _there(self) -> set[Incarnation]:
        """Return the apps that are there for sure, as they were when they were last seen."""
        return {
            _incarnation_of(entry.seen.app)
            for entry in self._context.possible.entries.values()
            if entry.seen is not None
            and all(branch.front is not None and not branch.created for branch in entry.branches)
        }

    def _word(self, app: model.App) -> str:
        """Return the script's word for the app as it was read."""
        seen: Observation | None = next(
            (
                entry.seen
                for entry in self._context.possible.entries.values()
                if entry.seen is not None and entry.seen.app.metadata.id == app.metadata.id
            ),
            None,
        )
        assert seen is not None
        return seen.word

    def _answer(self, step: Step) -> rpc.ListResponse:
        assert isinstance(step.answer, rpc.ListResponse)
        return step.answer

    def _code(self, code: str) -> str:
        return code_proof(self._number, (code,))

    @property
    def _number(self) -> int:
        return self._context.trace.number


def _incarnation_of(app: model.App) -> Incarnation:
    return listing.id_of(app), listing.nanoseconds(app.status.created_at)


def _is_inside(app: model.App, request: rpc.ListRequest) -> bool:
    match request.WhichOneof("filter_by"):
        case "cluster_id":
            return app.status.assigned_cluster == request.cluster_id.name
        case "project":
            place = (request.project.name, request.project.domain)
            return (app.metadata.id.project, app.metadata.id.domain) == place
        case _:
            return True


def _filters(choice: ListFilter, apps: Sequence[model.App]) -> list[list_pb2.Filter]:
    """Return the filter; what it compares with is taken from an existing app."""
    if choice is ListFilter.NONE:
        return []
    name = apps[0].metadata.id.name if apps else "nobody"
    created = listing.rfc3339(listing.nanoseconds(apps[0].status.created_at)) if apps else "2026-01-01T00:00:00Z"
    values = {
        "name": name,
        "tail": name[-2:],
        "upper_tail": name[-2:].upper(),
        "last_letter": name[-1],
        "created": created,
        "updated": listing.rfc3339(listing.nanoseconds(apps[-1].status.last_updated_at)) if apps else created,
    }
    function, field_name, *compared = choice.value
    return [where(function, field_name, *(each.format(**values) for each in compared))]
