"""The layer that answers errors: each becomes a refusal in the protocol that its request speaks."""

from __future__ import annotations

from flyteapps_fake.control.effects import ConnectionReset, HttpAnswer
from flyteapps_fake.http.exchange import Exchange, Handler
from flyteapps_fake.http.protocol.requests import form_of, refusal_of
from flyteapps_fake.http.protocol.wire import refuse, respond
from flyteapps_fake.http.request_timeouts import CallAbandoned


class Refusals:
    """The layer that catches what inner layers and handlers raise."""

    def __init__(self, following: Handler) -> None:
        self._next = following

    async def __call__(self, exchange: Exchange) -> None:
        """Pass the exchange on; answer its error, unless an answer has begun."""
        try:
            await self._next(exchange)
        except CallAbandoned as end:
            exchange.code = end.code.name
        except HttpAnswer as answer:
            exchange.code = f"HTTP_{answer.status}"
            further = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
            head = exchange.scope["method"] == "HEAD"
            await respond(exchange.send, answer.status, answer.body, b"", further, head=head)
        except ConnectionReset:
            exchange.code = "RESET"
            headers = [(b"content-length", b"1")]
            await exchange.send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
            await exchange.send({"type": "http.response.body", "body": b"", "more_body": True})
            if exchange.polled:
                raise  # pyvoy resets the stream, and prints that it did; hypercorn does where an answer isn't whole
        except Exception as error:
            if exchange.answering:  # of the server, about a client that left
                raise
            refusal = refusal_of(error)
            error.__traceback__ = None  # its frames hold the request, too
            exchange.forget_request()
            exchange.refused(refusal)
            form = form_of(exchange.scope, exchange.headers)
            await refuse(exchange.send, form, refusal, head=exchange.scope["method"] == "HEAD")
