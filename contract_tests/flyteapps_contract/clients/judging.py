"""Runs client checks: each on a stage of its own, all of a call at once, each bounded in real time."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from flyteapps_contract.clients.adapter import ClientFactory
from flyteapps_contract.clients.context import DOMAIN, PATIENCE, Scene
from flyteapps_contract.clients.registry import ClientCheck, client_checks_of
from flyteapps_contract.clients.scripted.server import Theatre
from flyteapps_contract.outcomes import Broken, NotOffered, Outcome, Unjudged, Verdict

T = TypeVar("T")
GRACE = 0.5
"""Seconds that what is left of a run gets to end when it is cancelled, each of three times."""


def judge_client(factory: ClientFactory, checks: Sequence[ClientCheck], seconds: float = PATIENCE) -> list[Outcome]:
    """What the checks came to on the client, in their order; they run at the same time, each for `seconds` at most."""
    return _run(_judge_all(factory, checks, seconds))


def client_outcomes_of(factory: ClientFactory, law_id: str, seconds: float = PATIENCE) -> list[Outcome]:
    """What the checks of one law came to."""
    return judge_client(factory, client_checks_of(law_id), seconds)


async def _judge_all(factory: ClientFactory, checks: Sequence[ClientCheck], seconds: float) -> list[Outcome]:
    async with Theatre() as theatre:
        judged = [_judge(theatre, factory, check, f"project-{n}", seconds) for n, check in enumerate(checks)]
        outcomes = await asyncio.gather(*judged)
    if theatre.failures:
        first = theatre.failures[0]
        why = f"the stage failed: {type(first).__name__}: {first} ({_where(first)})"
        return [Outcome(each.check, each.guarantees, Verdict.UNJUDGED, why, each.seconds) for each in outcomes]
    return outcomes


async def _judge(theatre: Theatre, factory: ClientFactory, check: ClientCheck, project: str, seconds: float) -> Outcome:
    started = time.monotonic()
    verdict, reason = Verdict.HOLDS, ""
    try:
        client = factory(theatre.url, project, DOMAIN)
    except NotOffered as lack:
        return Outcome(check.name, (check.law,), Verdict.NOT_OFFERED, str(lack))
    scene = Scene(theatre.stage(project), client, project, started + seconds)
    try:
        await check.body(scene)
    except Broken as broken:
        verdict, reason = Verdict.BROKEN, str(broken)
    except NotOffered as lack:
        verdict, reason = Verdict.NOT_OFFERED, str(lack)
    except Unjudged as failure:
        verdict, reason = Verdict.UNJUDGED, str(failure)
    except Exception as failure:  # a defect of the check or the adapter must not end the run
        verdict, reason = Verdict.UNJUDGED, f"{type(failure).__name__}: {failure} ({_where(failure)})"
    finally:
        await scene.close()
        await asyncio.wait((asyncio.ensure_future(client.close()),), timeout=GRACE)
    return Outcome(check.name, (check.law,), verdict, reason, time.monotonic() - started)


def _where(failure: BaseException) -> str:
    where = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{where.filename}, line {where.lineno}"


def _run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, but a client that lets nobody cancel it keeps nothing from ending."""
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
