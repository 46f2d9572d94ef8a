"""Tokens in the system's keyring, in the Flyte SDK's own item, so that a login counts for both.

The item: the service is the plane's endpoint without a scheme, the user name is `tokens`, the password is the JSON of
`access_token` and `refresh_token`. Rules of this file: without the package keyring, or without a keyring, nothing is
stored; one that can't be used is reported in the log, and never stops a call that needs no login.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, cast

from flyteapps.auth.sources.in_thread import in_thread
from flyteapps.flows.operations import Flow
from flyteapps.support.debug import debug
from flyteapps.support.secret import Secret

USER_NAME = "tokens"

MAX_SECONDS = 10.0
"""Maximum duration of one use of a keyring: one that is locked may wait for a person."""


class Stored(NamedTuple):
    """The tokens of an item, "" for those that are absent."""

    access_token: Secret = Secret("")
    refresh_token: Secret = Secret("")


class Keyring:
    """The keyring of one plane. `trouble`: why it couldn't be used at last, "" if it could."""

    def __init__(self, endpoint: str, enabled: bool = True) -> None:
        self.service = endpoint.partition("://")[2] or endpoint
        self.enabled = enabled
        self.trouble = "" if enabled else "admin.disableKeyring is set"

    def read(self, timeout: float) -> Flow[Stored]:
        """Return what is stored."""
        text = yield from self._use(self._password, timeout)
        if not text:
            return Stored()
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        del text
        if not isinstance(found, dict):
            self.trouble = "its item for this plane can't be read"
            return Stored()
        tokens = cast("dict[str, Any]", found)
        access, refresh = (tokens.get(name) or "" for name in ("access_token", "refresh_token"))
        return (
            Stored(Secret(access), Secret(refresh))
            if isinstance(access, str) and isinstance(refresh, str)
            else Stored()
        )

    def _password(self, ring: Any) -> Any:
        return ring.get_password(self.service, USER_NAME)

    def write(self, stored: Stored, timeout: float) -> Flow[bool]:
        """Store tokens, and return whether that was possible."""
        item = Secret(
            json.dumps({"access_token": str(stored.access_token), "refresh_token": str(stored.refresh_token) or None})
        )

        def store(ring: Any) -> bool:
            ring.set_password(self.service, USER_NAME, str(item))
            return True

        return bool((yield from self._use(store, timeout)))

    def delete(self, timeout: float) -> Flow[bool]:
        """Delete the item, and return whether there was one."""

        def delete(ring: Any) -> bool:
            if self._password(ring) is None:
                return False
            ring.delete_password(self.service, USER_NAME)
            return True

        return bool((yield from self._use(delete, timeout)))

    def _use(self, action: Any, timeout: float) -> Flow[Any]:
        """Return the action's result with the keyring, None if it can't be used."""
        if not self.enabled:
            return None
        self.trouble = ""
        try:
            return (yield in_thread(lambda: action(_backend()), min(timeout, MAX_SECONDS)))
        except ModuleNotFoundError:
            self.trouble = "no keyring is installed: pip install 'flyteapps[keyring]'"
        except TimeoutError:
            self.trouble = "it gave no answer in time: is it locked?"
        except Exception as error:  # of any backend
            self.trouble = f"it can't be used: {type(error).__name__}"
        debug("keyring, item of %s: %s", self.service, self.trouble)
        return None


def _backend() -> Any:
    import keyring

    return keyring
