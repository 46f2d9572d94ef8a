"""The limits of the ingress; docs/serving.md lists them."""

MAX_IN_FLIGHT = 10_000
"""Requests, WebSockets and connections of an app that have begun and not ended."""
MAX_LINE_BYTES = 16 * 1024
"""The request line, or a status line."""
MAX_FIELD_BYTES = 32 * 1024
"""One header."""
MAX_FIELDS = 200
"""The headers of a request or a response."""
BUFFER_BYTES = 64 * 1024
"""Bytes after which the side that sends has to wait; up to twice as many are buffered in each direction."""
HEAD_SECONDS = 60.0
"""Time for a request's head to arrive, and until an idle connection of a client is closed."""
LINGER_SECONDS = 1.0
"""Time for an upload that goes on after its answer."""
CLOSING_SECONDS = 10.0
"""Time for one side of a relay to receive the rest, once the other side has gone."""
IDLE_SECONDS = 1.0
"""Age of an idle connection to a replica that is used again: servers close theirs after 2 s and more."""
MAX_IDLE = 100
"""Idle connections to one replica."""
GRACE_SECONDS = 5.0
"""Time for running requests after their port was closed."""
RETRY_SECONDS = 1
"""Time after which a request that found no replica is worth repeating."""
MAX_SHOWN_CHARACTERS = 2_000
"""The part of a request's target that its line in the log shows."""
