"""A planted bug: one function with a line of its source changed, and the test that has to fail with it."""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from unittest.mock import patch

Case = Callable[[], object]


class Planted(NamedTuple):
    """A bug: in `owner.function` the text `right` becomes `wrong`. `case`: the test that has to find it."""

    owner: Any
    function: str
    right: str
    wrong: str
    case: Case

    def __str__(self) -> str:
        """Return what is changed, as a name."""
        owner: str = self.owner.__name__.rpartition(".")[2]
        return f"{owner}.{self.function}: {self.right} -> {self.wrong}".replace("\n", " ")

    def plant(self) -> AbstractContextManager[Any]:
        """Put the changed function in the place of the right one."""
        function = inspect.unwrap(getattr(self.owner, self.function))
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.right) == 1, f"{self}: the text isn't there once"
        flags = __future__.annotations.compiler_flag
        code = compile(source.replace(self.right, self.wrong), f"<{self}>", "exec", flags, dont_inherit=True)
        names: dict[str, Any] = {}
        exec(code, function.__globals__, names)
        return patch.object(self.owner, self.function, names[self.function])
