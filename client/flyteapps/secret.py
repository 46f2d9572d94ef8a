"""Secrets: strings that don't show themselves, and tracebacks that keep nothing of them.

Values that may be secret (the headers of a client, the keys of a configuration file) are held as `Secret` from where
they come in. The frames of libraries, which hold them as their own kinds of strings, are emptied by `forget_locals`
where an error leaves a transport.
"""

from __future__ import annotations

import traceback
from typing import Any

SHOWN = "Secret(...)"


class Secret(str):
    """A string that is used and sent like any other, and whose repr, and that of any part of it, doesn't show it.

    So it isn't seen in the repr of what holds it, in tracebacks with locals, or in a debugger's list of variables.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return SHOWN

    def __getitem__(self, key: Any) -> Secret:
        """A part: what shortens long strings before it shows them shows this."""
        return Secret(super().__getitem__(key))


def forget_locals(error: BaseException) -> None:
    """Empty the local variables of the frames that an error came through so far, those of its causes included.

    For `except` blocks; frames that still run keep theirs.
    """
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        todo += (each.__cause__, each.__context__)
