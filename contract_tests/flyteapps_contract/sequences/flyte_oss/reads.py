"""Get and List in sequences, and calls that are refused whatever is there."""

from __future__ import annotations

from collections.abc import Sequence

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2

from flyteapps_contract.model.flyte_oss.answers import LIFETIME_SECONDS
from flyteapps_contract.model.flyte_oss.listing import Chain, Scope
from flyteapps_contract.model.flyte_oss.names import resource
from flyteapps_contract.model.flyte_oss.services import Service
from flyteapps_contract.model.flyte_oss.shown import is_stopped, judge_app
from flyteapps_contract.model.violations import Violation, code_proof
from flyteapps_contract.sequences.flyte_oss import commands
from flyteapps_contract.sequences.flyte_oss.choices import ListScope, SlotName
from flyteapps_contract.sequences.flyte_oss.context import Context
from flyteapps_contract.sequences.flyte_oss.slots import Slot
from flyteapps_contract.traces.trace import OK, Step, app_of


class Reads:
    """The reads of one sequence."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._chain: Chain | None = None
        self._token_of = -1
        self._request = rpc.ListRequest()

    # ---- commands

    def get(self, command: commands.Get) -> None:
        """Send Get."""
        self.refresh(self._context.slots[command.slot])

    def get_again(self, command: commands.GetAgain) -> None:
        """Send Get, move the plane's clock, and send Get again."""
        self.refresh(self._context.slots[command.slot])
        self._context.trace.advance(command.seconds.value)
        self.refresh(self._context.slots[command.slot])

    def list(self, command: commands.List) -> None:
        """Send List for the first page; a limit makes sense where no other app is there."""
        scope = None if command.scope is ListScope.ALL else self._context.slots.scope(command.scope)
        alone = self._context.capabilities.fresh
        query = list_pb2.ListRequest(limit=command.limit.value if alone else 0)
        if command.odd:
            query.filters.add(function=list_pb2.Filter.EQUAL, field="name", values=["nobody"])
            query.sort_by.key, query.sort_by.direction = "name", list_pb2.Sort.DESCENDING
        self._list(scope if alone or scope else self._context.slots.scope(ListScope.PROJECT), query, odd=command.odd)

    def next_page(self, command: commands.NextPage) -> None:
        """Send List for the next page of the last listing."""
        if self._chain is None:
            return
        request = rpc.ListRequest()
        request.CopyFrom(self._request)
        answer = self._context.trace.steps[self._token_of].answer
        assert isinstance(answer, rpc.ListResponse)
        request.request.token = answer.token
        step = self._context.trace.call("List", request, rpc.ListResponse, token_of=self._token_of)
        self._context.exercise("OSS-23", "OSS-73")
        self._judge_next(step, self._chain)

    # ---- what other commands need

    def refresh(self, slot: Slot) -> model.App | None:
        """Send Get, and return the app, None where there is none."""
        context = self._context
        step = context.trace.call("Get", rpc.GetRequest(app_id=slot.app_id), rpc.GetResponse)
        number, known = context.trace.number, context.known(slot.resource)
        context.exercise("OSS-12", *(("OSS-14", "OSS-15") if known.ever else ()))
        if step.code == "NOT_FOUND":
            self._judge_absent(slot, step, known.service)
            return None
        if step.code != OK:
            text = f"Get of {slot.app_id.name} ended with {step.code}: {step.message}"
            raise Violation(("OSS-12",), text, code_proof(number, (OK, "NOT_FOUND")))
        app = app_of(step)
        if not context.answers.may_repeat(slot.app_id, app, context.now if context.capabilities.clock else 0.0):
            self._judge_new(slot, app, known.service)
        context.answers.record(slot.app_id, app, context.now if context.capabilities.clock else 0.0)
        return app

    def refresh_all(self) -> None:
        """List the apps of every project and domain of the sequence."""
        for scope in self._context.slots.scopes:
            self._list(scope, list_pb2.ListRequest())

    def find(self, name: str, services: Sequence[Service]) -> Service | None:
        """Return which of the services of that resource name is there, by List; None where none of them is."""
        found: Service | None = None
        for scope in dict.fromkeys(each.place for each in services):
            request = rpc.ListRequest(project=self._context.slots.project(scope))
            step = self._context.trace.call("List", request, rpc.ListResponse)
            if step.code != OK:
                continue
            for app in self._answer(step).apps:
                if resource(app.metadata.id) == name:
                    found = next((each for each in services if each.shown().metadata == app.metadata), found)
        return found

    # ---- verdicts

    def _judge_absent(self, slot: Slot, step: Step, service: Service | None) -> None:
        number = self._context.trace.number
        if service is not None:
            text = f"Get of {slot.app_id.name}, which exists, was refused with NOT_FOUND: {step.message}"
            blame = self._context.known(slot.resource).blame
            raise Violation(("OSS-12", "OSS-15", "OSS-4", *blame), text, code_proof(number, (OK,)))
        opening = f"KService {slot.resource} not found"
        if not step.message.startswith(opening):
            line = f"messages[{number}].startswith({opening!r})"
            guarantees = ("OSS-5", "OSS-12") if slot.name in (SlotName.LONG, SlotName.LONG_OTHER_CASE) else ("OSS-12",)
            raise Violation(guarantees, f"Get of an absent app: expected {opening!r}, got {step.message!r}", line)

    def _judge_new(self, slot: Slot, app: model.App, service: Service | None) -> None:
        """Judge an answer that no cache explains."""
        number = self._context.trace.number
        stale = self._context.answers.stale(slot.app_id, app)
        if is_stopped(app.status) and "OSS-14" in stale:  # it is stamped when it is read
            text = f"Get of {slot.app_id.name} gave again what it had given more than {LIFETIME_SECONDS:g} s before"
            line = f"answers[{number}] not in [answers[each] for each in answers if each < {number}]"
            raise Violation((*stale, "OSS-33"), text, line)
        if service is None:
            text = f"Get of {slot.app_id.name}, which doesn't exist, gave an app"
            text += ", as it was given before" if stale else ""
            raise Violation((*stale, "OSS-20", "OSS-12"), text, code_proof(number, ("NOT_FOUND",)))
        try:
            self._context.judge(app, slot.resource, ("OSS-12", "OSS-15"), f"answers[{number}].app")
        except Violation as violation:
            if not stale:
                raise
            text = f"Get gave again what it had given before it had to forget it: {violation}"
            raise Violation((*stale, *violation.guarantees), text, *violation.proof) from None

    def _list(self, scope: Scope, query: list_pb2.ListRequest, *, odd: bool = False) -> None:
        context = self._context
        request = rpc.ListRequest(request=query, include_total_count=odd)
        if scope is not None:
            request.project.CopyFrom(context.slots.project(scope))
        step = context.trace.call("List", request, rpc.ListResponse)
        context.exercise("OSS-21", *(("OSS-22",) if odd else ()), *(("OSS-23",) if query.limit else ()))
        self._require_ok(step)
        there = {name: each for name, each in context.services.items() if each is not None}
        chain = Chain(there, scope, 0 if context.capabilities.lenient else query.limit)
        answer, own, page = self._answer(step), self._own(step), chain.page()
        self._judge_names(own, list(page), scope, ("OSS-23",) if query.limit else self._listed(own))
        self._judge_token(answer, chain, page)
        if answer.total_count:
            line = f"answers[{context.trace.number}].total_count == 0"
            raise Violation(("OSS-22",), f"the total should not be counted, but is {answer.total_count}", line)
        for place, app in enumerate(answer.apps):
            name = resource(app.metadata.id)
            if name in page:
                context.judge(app, name, ("OSS-21", "OSS-15"), f"answers[{context.trace.number}].apps[{place}]")
        self._go_on(answer, request, chain, page)

    def _judge_next(self, step: Step, chain: Chain) -> None:
        """Judge a page after the first: of what was there at the first one."""
        self._require_ok(step)
        context, answer, page = self._context, self._answer(step), chain.page()
        self._judge_names(self._own(step), list(page), chain.scope, ("OSS-73", "OSS-23"))
        self._judge_token(answer, chain, page)
        for place, (app, service) in enumerate(zip(answer.apps, page.values(), strict=True)):
            where = f"answers[{context.trace.number}].apps[{place}]"
            judge_app(app, service, ("OSS-73", "OSS-21"), context.urls, where)
        self._go_on(answer, self._request, chain, page)

    def _go_on(
        self, answer: rpc.ListResponse, request: rpc.ListRequest, chain: Chain, page: dict[str, Service]
    ) -> None:
        """Keep the chain where a page follows."""
        self._chain = None
        if answer.token:
            chain.last = max(page)
            self._chain, self._request, self._token_of = chain, request, self._context.trace.number

    def _judge_token(self, answer: rpc.ListResponse, chain: Chain, page: dict[str, Service]) -> None:
        if bool(answer.token) != chain.has_next(page):
            line = f"bool(answers[{self._context.trace.number}].token) is {not answer.token}"
            text = (
                f"a page of {len(page)} apps, of {len(chain.left())} that are left, has a token: {bool(answer.token)}"
            )
            raise Violation(("OSS-23",), text, line)

    def _judge_names(self, own: list[str], wanted: list[str], scope: Scope, guarantees: tuple[str, ...]) -> None:
        if own == wanted:
            return
        where = "/".join(scope) if scope is not None else "all projects"
        line = f"resources({self._context.trace.number}) == {wanted!r}"
        text = f"List of {where}: expected the resources {', '.join(wanted) or 'none'}, got {', '.join(own) or 'none'}"
        if sorted(own) == sorted(wanted):
            raise Violation(("OSS-22", *guarantees), text, line)
        differing = sorted(set(own) ^ set(wanted))
        blame = [id_ for name in differing for id_ in self._context.known(name).blame]
        raise Violation((*guarantees, *blame), text, line)

    def _listed(self, own: list[str]) -> tuple[str, ...]:
        """Return the guarantees that a list breaks which isn't the one that was due."""
        gone = [name for name in own if self._context.known(name).service is None]
        return ("OSS-20", "OSS-21") if gone else ("OSS-21", "OSS-22", "OSS-4")

    def _require_ok(self, step: Step) -> None:
        if step.code != OK:
            text = f"List ended with {step.code}: {step.message}"
            raise Violation(("OSS-21", "OSS-23"), text, code_proof(self._context.trace.number, (OK,)))

    def _own(self, step: Step) -> list[str]:
        """Return the resource names on a page, those of other apps left out where there may be some."""
        names = [resource(app.metadata.id) for app in self._answer(step).apps]
        if self._context.capabilities.fresh:
            return names
        return [name for name in names if name in self._context.services]

    def _answer(self, step: Step) -> rpc.ListResponse:
        assert isinstance(step.answer, rpc.ListResponse)
        return step.answer
