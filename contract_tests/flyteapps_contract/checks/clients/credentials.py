"""Credentials: CL-24, CL-25 and CL-26. A client gets its tokens from the check."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps.testing.faults import fail
from flyteapps_contract.clients.adapter import ClientUnderTest
from flyteapps_contract.clients.context import ClientContext
from flyteapps_contract.clients.registry import client_check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import ACTIVE, copy

CROWD = 100
SLOWLY = 0.05
"""Seconds that getting a token takes: long enough for others to want one meanwhile."""


class Tokens:
    """The tokens that a client gets, one after the other; the plane knows them until they are revoked."""

    def __init__(self, s: ClientContext, *, valid: bool = True) -> None:
        self._s = s
        self._valid = valid
        self.got = 0
        s.plane.tokens = set()

    async def __call__(self) -> str:
        """Return a new token."""
        self.got += 1
        token = f"very-secret-{self.got}"
        await asyncio.sleep(SLOWLY)
        if self._valid and self._s.plane.tokens is not None:
            self._s.plane.tokens.add(token)
        return token

    def revoke(self) -> None:
        """Make the plane refuse all tokens so far."""
        self._s.plane.tokens = set()


def _ready(s: ClientContext, *, valid: bool = True) -> tuple[ClientUnderTest, Tokens, model.App]:
    """Return a client, its tokens, and an app."""
    app = s.given(ACTIVE)
    tokens = Tokens(s, valid=valid)
    return s.with_tokens(tokens), tokens, app


async def _crowd(s: ClientContext, call: Callable[[], Awaitable[object]], what: str) -> None:
    await s.succeeds(asyncio.gather(*(call() for _ in range(CROWD))), what)


@client_check("CL-24")
async def a_crowd_gets_one_token(s: ClientContext) -> None:
    """A hundred calls at once, the first of a client, get one token."""
    client, tokens, app = _ready(s)
    await _crowd(s, lambda: client.get(app.metadata.id.name), "a hundred first calls at once")
    expect_equal(tokens.got, 1, "the number of tokens that a hundred first calls got")


@client_check("CL-24")
async def a_crowd_replaces_a_revoked_token_once(s: ClientContext) -> None:
    """A hundred calls at once, with a token that was revoked, get one other."""
    client, tokens, app = _ready(s)
    await s.succeeds(client.get(app.metadata.id.name), "a Get with a token")
    tokens.revoke()
    await _crowd(s, lambda: client.get(app.metadata.id.name), "a hundred calls with a revoked token")
    expect_equal(tokens.got, 2, "the number of tokens after one was revoked")


@client_check("CL-25")
async def a_refused_read_is_repeated(s: ClientContext) -> None:
    """A Get whose token was revoked gets another token, and succeeds."""
    client, tokens, app = _ready(s)
    await s.succeeds(client.get(app.metadata.id.name), "a Get with a token")
    tokens.revoke()
    await s.succeeds(client.get(app.metadata.id.name), "a Get with a revoked token")
    expect_equal(len(s.plane.call_log.of("Get")), 3, "the number of calls")


@client_check("CL-25")
async def a_refused_stream_is_opened_again(s: ClientContext) -> None:
    """A wait whose token was revoked goes on with another."""
    client, tokens, app = _ready(s)
    handle = await s.succeeds(client.get(app.metadata.id.name), "a Get with a token")
    tokens.revoke()
    await s.succeeds(handle.watch("activated", seconds=s.left), "a wait with a revoked token")


@client_check("CL-25")
async def a_second_refusal_is_reported(s: ClientContext) -> None:
    """A call that is refused with another token, too, is reported after two attempts."""
    client, _, app = _ready(s, valid=False)
    await s.fails(client.get(app.metadata.id.name), "a Get with tokens that the plane doesn't know")
    expect_equal(len(s.plane.call_log.of("Get")), 2, "the number of calls")


@client_check("CL-25")
async def a_write_that_may_have_been_applied_is_not_repeated(s: ClientContext) -> None:
    """An Update that is applied, and answered UNKNOWN, is sent once, and gets no other token."""
    client, tokens, app = _ready(s)
    await s.succeeds(client.get(app.metadata.id.name), "a Get with a token")
    sent = copy(s.stored(app))
    sent.spec.container.image = "img:2"
    s.plane.faults.add(fail("Update", code="UNKNOWN", message="unauthorized", applied=True, times=1))
    await s.fails(client.update(sent, "once"), "an Update that is answered UNKNOWN")
    expect_equal(len(s.plane.call_log.of("Update")), 1, "the number of Updates")
    expect_equal(tokens.got, 1, "the number of tokens")


@client_check("CL-26")
async def no_error_shows_a_token(s: ClientContext) -> None:
    """Neither the error of a refused call nor its causes show a token, in their texts or attributes."""
    client, _, app = _ready(s, valid=False)
    error = await s.fails(client.get(app.metadata.id.name), "a Get with tokens that the plane doesn't know")
    expect("very-secret" not in _shown(error), "the error of a refused call shows the token")


@client_check("CL-26")
async def no_error_of_the_network_shows_a_token(s: ClientContext) -> None:
    """The same for a call without a response."""
    client, _, app = _ready(s)
    s.plane.faults.add(fail("Get", code="INTERNAL", message="broken"))
    error = await s.fails(client.get(app.metadata.id.name), "a Get that fails")
    expect("very-secret" not in _shown(error), "the error of a failed call shows the token")


def _shown(error: BaseException) -> str:
    """Return an error with its causes, as a traceback shows them, and their attributes."""
    parts = traceback.format_exception(error)
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        parts += [str(found), repr(found), repr(vars(found))]
        found = found.__cause__ or found.__context__
    return "\n".join(parts)
