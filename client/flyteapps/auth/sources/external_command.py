"""ExternalCommand: a command that prints a token."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from typing import Any, ClassVar

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.sources.token_endpoint import is_token
from flyteapps.auth.tokens import Token, bearer
from flyteapps.errors import ConfigError, DeadlineExceeded, Unauthenticated
from flyteapps.flows.operations import Flow, Now, Perform
from flyteapps.support.clock import monotonic
from flyteapps.support.secret import Secret

SLICE_SECONDS = 0.1
"""Maximum length of one wait for a command, so that Ctrl-C is noticed."""

MAX_STDERR = 200
"""Maximum length of a command's own message in an error."""

_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.~-]{20,}")
"""A word that may be a token."""


class ExternalCommand(Auth):
    """A command, as a list of arguments, whose standard output is a token: one line, run again for each renewal.

    `header`: that of the token, by default `authorization`. `lifetime`: of its tokens in seconds, None if unknown; then
    a token is used until the plane refuses it. `mode`: its name in messages.
    """

    mode: ClassVar[str] = "ExternalCommand"

    def __init__(self, command: Sequence[str], *, header: str = "authorization", lifetime: float | None = None) -> None:
        """Validate the arguments. Raises ConfigError for anything but a list of strings."""
        if isinstance(command, str) or not command or not all(isinstance(each, str) for each in command):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f'{self.mode}: the command should be a list of strings, such as ["uctl", "get-token"]')
        self._command = tuple(Secret(each) for each in command)
        self._header = header
        self._lifetime = lifetime

    def __repr__(self) -> str:
        return f"ExternalCommand([{str(self._command[0])!r}, ...])"

    def fetch(self, context: Context, last: Token | None, timeout: float) -> Flow[Token]:
        """See Auth.fetch."""
        requested_at: float = yield Now()
        found = yield Perform(lambda: self._run(timeout), lambda: self._async_run(timeout))
        status, output, errors = found
        name = f"{self.mode}: the command {str(self._command[0])!r}"
        if status != 0:
            said = _LONG_WORD.sub("...", errors.decode(errors="replace").strip())[-MAX_STDERR:]
            how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
            raise Unauthenticated(f"{name} {how}{f': {said}' if said else ''}", endpoint=context.endpoint)
        token = Secret(output.decode(errors="replace").strip())
        del found, output
        if not is_token(token):
            wrong = "printed nothing"
            if token:
                wrong = "printed several lines" if "\n" in token else "printed something that is no token"
            raise Unauthenticated(f"{name} {wrong}: it should print one line, the token", endpoint=context.endpoint)
        return Token(bearer(token, self._header), requested_at, self._lifetime)

    def _options(self) -> dict[str, Any]:
        return {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "start_new_session": os.name != "nt",
        }

    def _run(self, timeout: float) -> tuple[int, bytes, bytes]:
        until = monotonic() + timeout
        try:
            process: Any = subprocess.Popen([str(each) for each in self._command], **self._options())
        except (OSError, ValueError) as error:
            raise self._absent(error) from None
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=max(0.0, min(SLICE_SECONDS, until - monotonic())))
                    return process.returncode, output, errors
                except subprocess.TimeoutExpired:
                    if monotonic() >= until:
                        raise self._late(timeout) from None
        finally:
            if process.poll() is None:
                _end(process.pid)
                process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    async def _async_run(self, timeout: float) -> tuple[int, bytes, bytes]:
        import asyncio

        try:
            process = await asyncio.create_subprocess_exec(*(str(each) for each in self._command), **self._options())
        except (OSError, ValueError) as error:
            raise self._absent(error) from None
        try:
            async with asyncio.timeout(timeout):
                output, errors = await process.communicate()
            return process.returncode or 0, output, errors
        except TimeoutError:
            raise self._late(timeout) from None
        finally:
            if process.returncode is None:
                _end(process.pid)
                await process.wait()

    def _absent(self, error: Exception) -> ConfigError:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return ConfigError(f"{self.mode}: the command {str(self._command[0])!r} can't be run: {reason}")

    def _late(self, timeout: float) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self.mode}: the command {str(self._command[0])!r} didn't end within {timeout:.3g} s, and was killed"
        )


def _end(pid: int) -> None:
    """Kill a process and those that it started."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)
