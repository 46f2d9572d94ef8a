"""Lists: CL-27. The plane's pages are shorter than a client asks for, and calls between them fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.testing.faults import Fault, fail, reset
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.session import STOPPED

PAGE_SIZE = 2
NAMES = ("mango", "apple", "pear", "fig", "cherry", "lemon", "date")
"""The apps by creation, which is not the order of their names."""
PAGES = -(-len(NAMES) // PAGE_SIZE)


def _given(s: ClientContext) -> None:
    s.plane.apps.page_size = PAGE_SIZE
    for name in NAMES:
        app = s.plane.apps.completed(s.message(name, run=False))
        s.plane.apps.add_condition(app, STOPPED, "created")
        s.plane.apps.put(app)


async def _lists_all(s: ClientContext, what: str, *faults: Fault) -> None:
    for fault in faults:
        s.plane.faults.add(fault)
    expect_equal(await s.succeeds(s.names(), what), list(NAMES), f"the apps of {what}")


@client_check("CL-27")
async def a_short_page_is_not_the_last(s: ClientContext) -> None:
    """A list goes on as long as pages have tokens, also where they hold fewer apps than it asked for."""
    _given(s)
    await _lists_all(s, "a list whose pages are short")


@client_check("CL-27")
async def a_page_that_is_unavailable(s: ClientContext) -> None:
    """A list whose call for any one page is UNAVAILABLE shows each app once, in order."""
    _given(s)
    for page in range(1, PAGES + 1):
        await _lists_all(s, f"a list whose call {page} was UNAVAILABLE", fail("List", code="UNAVAILABLE", nth=page))
        s.plane.faults.clear()


@client_check("CL-27")
async def a_page_that_is_cut(s: ClientContext) -> None:
    """A list whose call for a page in the middle is cut shows each app once, in order."""
    _given(s)
    await _lists_all(s, "a list whose call 3 was cut", reset("List", nth=3))


@client_check("CL-27")
async def every_page_is_unavailable_once(s: ClientContext) -> None:
    """A list whose every other call is UNAVAILABLE shows each app once, in order."""
    _given(s)
    await _lists_all(s, "a list whose every other call was UNAVAILABLE", fail("List", code="UNAVAILABLE", every=2))


async def _is_no_shorter_list(s: ClientContext, code: str) -> None:
    """Judge a list whose third call, and each after it, ends with that code."""
    _given(s)

    async def answered(call: Callable[[], Awaitable[object]]) -> object:
        return await call()

    async def refused(call: Callable[[], Awaitable[object]]) -> object:
        s.plane.once("List", refused)
        raise ConnectError(Code[code], "the list can't go on")

    for around in (answered, answered, refused):
        s.plane.once("List", around)
    await s.fails(s.names(), f"a list whose calls are {code} from the third on")


@client_check("CL-27")
async def a_page_that_is_refused_is_an_error(s: ClientContext) -> None:
    """A list whose third page is INVALID_ARGUMENT raises, and doesn't end as if it were whole."""
    await _is_no_shorter_list(s, "INVALID_ARGUMENT")


@client_check("CL-27")
async def a_page_that_stays_unavailable_is_an_error(s: ClientContext) -> None:
    """A list whose third page stays UNAVAILABLE raises, and doesn't end as if it were whole."""
    await _is_no_shorter_list(s, "UNAVAILABLE")
