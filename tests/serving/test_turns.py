"""The places for work in a turn of the portable server's loop."""

from __future__ import annotations

import asyncio

from flyteapps_fake.servers.hypercorn.turns import MAX_PER_TURN, Turns


async def worker(turns: Turns, started: list[int], number: int, times: int) -> None:
    for _ in range(times):
        if not turns.take():
            await turns.wait()
        started.append(number)


async def test_a_turn_has_few_places() -> None:
    """However many connections have work, a bounded part of it is begun between two turns of the loop, in order."""
    turns = Turns()
    started: list[int] = []
    tasks = [asyncio.create_task(worker(turns, started, number, 3)) for number in range(50 * MAX_PER_TURN)]
    before = 0
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        # those that were given a place in the last turn run in this one, beside those that find one
        assert len(started) - before <= 2 * MAX_PER_TURN
        before = len(started)
    assert len(started) == 3 * len(tasks)
    first = {number: started.index(number) for number in range(len(tasks))}
    assert max(first.values()) < 2 * len(tasks), "one waited until others had begun twice"


async def test_a_place_of_a_cut_connection_is_anothers() -> None:
    """A wait that is cancelled takes no place from others."""
    turns = Turns()
    started: list[int] = []
    tasks = [asyncio.create_task(worker(turns, started, number, 1)) for number in range(3 * MAX_PER_TURN)]
    while turns.take():
        pass
    await asyncio.sleep(0)
    for task in tasks[MAX_PER_TURN : 2 * MAX_PER_TURN]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert started == [*range(MAX_PER_TURN), *range(2 * MAX_PER_TURN, 3 * MAX_PER_TURN)]
