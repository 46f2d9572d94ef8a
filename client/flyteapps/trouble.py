"""What is probably wrong when no plane answers, told from what the libraries say: their texts are known here alone."""

from __future__ import annotations

from dataclasses import dataclass

from connectrpc.errors import ConnectError

from flyteapps.errors import Code, Error


@dataclass(frozen=True, slots=True)
class Trouble:
    """`kind`: the error's class where its code's own would mislead. `reached`: whether the call may have arrived."""

    message: str
    kind: type[Error] | None = None
    reached: bool = True


def explain(error: ConnectError, code: Code, endpoint: str) -> Trouble | None:
    """What to tell the caller, None where the plane itself has answered."""
    return None
