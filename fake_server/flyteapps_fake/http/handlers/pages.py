"""The handler of pages: requests that are no RPCs."""

from __future__ import annotations

from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.page import Page, PageRequest
from flyteapps_fake.http.protocol.wire import respond
from flyteapps_fake.http.streaming.unread_answers import UnreadAnswers


class PageHandler:
    """The handler of pages."""

    def __init__(self, page: Page, unread: UnreadAnswers) -> None:
        self._page = page
        self._unread = unread

    def is_of_app(self, exchange: Exchange) -> bool:
        """Return whether the request's host and path belong to an app."""
        host = exchange.headers.get(b"host", b"").decode("latin-1")
        return self._page.is_of_app(host, exchange.scope["path"])

    async def show(self, exchange: Exchange) -> None:
        """Answer with a page."""
        scope, headers = exchange.scope, exchange.headers
        method: str = scope["method"]
        query = scope.get("query_string", b"").decode("latin-1")
        host, accept = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"accept"))
        page = await self._page(PageRequest(method, host, scope["path"], query, accept))
        exchange.answering = True
        send = self._unread.sliced(exchange.send, scope.get("client"))
        await respond(send, page.status, page.body, page.content_type, page.headers, head=method == "HEAD")
