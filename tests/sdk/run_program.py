"""Run a program of the SDK, and leave before the interpreter is torn down: `run_program.py FILE|-c CODE ARGUMENT...`.

pyqwest 0.12, which the SDK calls by, has threads that hand what arrives to Python. If one does so while CPython before
3.14 is torn down, CPython ends that thread by unwinding it, which Rust's frames don't allow: the process aborts (exit
status 134) after the program's last line, in about one run of a hundred on a busy machine. Nothing in this repository
takes part in it, so that tests of the SDK's programs leave that part out, and nothing else: callbacks of `atexit` run,
the exit status is the program's.
"""

from __future__ import annotations

import atexit
import os
import runpy
import sys
import traceback
from pathlib import Path


def run(what: str, arguments: list[str]) -> int:
    """Run the program as `python FILE` or `python -c CODE` would; return its exit status."""
    try:
        if what == "-c":
            code, *sys.argv[1:] = arguments
            sys.argv[0] = "-c"
            sys.path[0] = ""
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        else:
            path = Path(what).absolute()
            sys.argv = [what, *arguments]
            sys.path[0] = str(path.parent)
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    status = run(sys.argv[1], sys.argv[2:])
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # there is no other way
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
