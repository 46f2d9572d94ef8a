"""The call log of a scripted plane: every call, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from google.protobuf.message import Message

OPEN = "open"
LOST = "lost"
LEFT = "left by the client"


@dataclass(slots=True)
class Call:
    """One call: `outcome` is OK, an error code, or how the answer was lost; OPEN until then."""

    method: str
    app: str
    request: Message
    outcome: str = OPEN

    @property
    def looks(self) -> bool:
        """Whether it looks at the app."""
        return self.method in ("Get", "Watch")

    def __str__(self) -> str:
        return f"{self.method} {self.outcome}"


@dataclass(slots=True)
class CallLog:
    """The calls in the order in which they came."""

    calls: list[Call] = field(default_factory=list[Call])

    def of(self, *methods: str, app: str = "") -> list[Call]:
        """Return the calls of these methods, of one app where it is named."""
        return [call for call in self.calls if call.method in methods and app in ("", call.app)]

    def story(self, app: str = "") -> str:
        """Return the calls in one line, for reports."""
        return ", ".join(str(call) for call in self.calls if app in ("", call.app)) or "no call"
