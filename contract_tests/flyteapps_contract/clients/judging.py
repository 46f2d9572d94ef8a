"""The run of client checks: each on a scripted plane of its own, all at once, each bounded in real time."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from flyteapps_contract.clients.adapter import ClientFactory
from flyteapps_contract.clients.context import DOMAIN, PATIENCE, ClientContext
from flyteapps_contract.clients.registry import ClientCheck, client_checks_of
from flyteapps_contract.clients.scripted.server import ScriptedServer
from flyteapps_contract.outcomes import Broken, NotOffered, Outcome, Unjudged, Verdict

T = TypeVar("T")
GRACE = 0.5
"""Seconds that what is left of a run gets to end when it is cancelled, each of three times."""


def judge_client(factory: ClientFactory, checks: Sequence[ClientCheck], seconds: float = PATIENCE) -> list[Outcome]:
    """Return the outcomes of the checks on the client, in their order; they run at once, each for `seconds` at most."""
    return _run(_judge_all(factory, checks, seconds))


def client_outcomes_of(factory: ClientFactory, guarantee_id: str, seconds: float = PATIENCE) -> list[Outcome]:
    """Return the outcomes of the checks of one client guarantee."""
    return judge_client(factory, client_checks_of(guarantee_id), seconds)


async def _judge_all(factory: ClientFactory, checks: Sequence[ClientCheck], seconds: float) -> list[Outcome]:
    async with ScriptedServer() as server:
        judged = [_judge(server, factory, check, f"project-{n}", seconds) for n, check in enumerate(checks)]
        outcomes = await asyncio.gather(*judged)
    if server.failures:
        first = server.failures[0]
        why = f"the scripted plane failed: {type(first).__name__}: {first} ({_where(first)})"
        return [Outcome(each.check, each.guarantees, Verdict.UNJUDGED, why, each.seconds) for each in outcomes]
    return outcomes


async def _judge(
    server: ScriptedServer, factory: ClientFactory, check: ClientCheck, project: str, seconds: float
) -> Outcome:
    started = time.monotonic()
    verdict, reason = Verdict.HOLDS, ""
    try:
        client = factory(server.url, project, DOMAIN)
    except NotOffered as missing:
        return Outcome(check.name, (check.guarantee,), Verdict.NOT_OFFERED, str(missing))
    context = ClientContext(server.plane(project), client, project, started + seconds)
    try:
        await check.body(context)
    except Broken as broken:
        verdict, reason = Verdict.BROKEN, str(broken)
    except NotOffered as missing:
        verdict, reason = Verdict.NOT_OFFERED, str(missing)
    except Unjudged as failure:
        verdict, reason = Verdict.UNJUDGED, str(failure)
    except Exception as failure:  # a defect of the check or the adapter must not end the run
        verdict, reason = Verdict.UNJUDGED, f"{type(failure).__name__}: {failure} ({_where(failure)})"
    finally:
        await context.close()
        await asyncio.wait((asyncio.ensure_future(client.close()),), timeout=GRACE)
    return Outcome(check.name, (check.guarantee,), verdict, reason, time.monotonic() - started)


def _where(failure: BaseException) -> str:
    where = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{where.filename}, line {where.lineno}"


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run as asyncio.run does, but end although a client can't be cancelled."""
    loop = asyncio.new_event_loop()
    try:
        result = loop.run_until_complete(main)
        for _ in range(3):
            going = asyncio.all_tasks(loop)
            if not going:
                break
            for task in going:
                task.cancel()
            loop.run_until_complete(asyncio.wait(going, timeout=GRACE))
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        return result
    finally:
        loop.close()
