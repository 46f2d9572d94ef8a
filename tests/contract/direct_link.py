"""A link straight into a stand-in of this process: no thread, no loop; a stream is open once the call returns."""

from __future__ import annotations

from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from google.protobuf.message import Message

from flyteapps import Stream, Transport
from flyteapps_contract.outcomes import Refused, StreamEnded
from flyteapps_contract.targets.connect import refused
from flyteapps_contract.targets.target import Link, QueueStream


class DirectQueueStream(QueueStream):
    """A stream that is read when it is asked; its reader never runs ahead."""

    def __init__(self, stream: Stream[Message] | None, refusal: Refused | None = None) -> None:
        self._stream = stream
        self._refusal: Exception | None = refusal

    def pause(self) -> None:
        """Do nothing: this stream is read on request alone."""

    def resume(self) -> None:
        """Do nothing, for the same reason."""

    def next(self, seconds: float) -> Message | None:
        """Return the next message, None where none came in time."""
        if self._refusal is not None:
            raise self._refusal
        assert self._stream is not None
        try:
            return self._stream.receive(seconds)
        except TimeoutError:
            return None
        except EOFError:
            self._refusal = StreamEnded("the stream ended without an error")
        except ConnectError as error:
            self._refusal = refused(error)
        raise self._refusal

    def close(self) -> None:
        """Free the stream."""
        if self._stream is not None:
            self._stream.close()


class DirectLink(Link):
    """Calls over a transport of a plane in this process, from whatever thread."""

    opens_at_once = True

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._methods: dict[tuple[str, str], MethodInfo[Message, Message]] = {}
        self._streams: list[DirectQueueStream] = []

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call. Raises Refused."""
        try:
            return self._transport.unary(self._method(service, method, request, response), request)
        except ConnectError as error:
            raise refused(error) from error
        except Exception as error:  # a plane in this process may raise anything: its caller learns no code
            raise Refused("UNKNOWN", f"{type(error).__name__}: {error}") from error

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream."""
        try:
            queue_stream = DirectQueueStream(
                self._transport.stream(self._method(service, method, request, response), request)
            )
        except ConnectError as error:
            queue_stream = DirectQueueStream(None, refused(error))
        self._streams.append(queue_stream)
        return queue_stream

    def close(self) -> None:
        """Free what is open."""
        for stream in self._streams:
            stream.close()

    def _method(
        self, service: str, method: str, request: Message, response: type[Message]
    ) -> MethodInfo[Message, Message]:
        key = (service, method)
        if key not in self._methods or self._methods[key].output is not response:
            self._methods[key] = MethodInfo(
                name=method,
                service_name=service,
                input=type(request),
                output=response,
                idempotency_level=IdempotencyLevel.UNKNOWN,
            )
        return self._methods[key]
