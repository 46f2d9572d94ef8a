"""An existing OpenID provider, whose tokens are checked by its published keys. Time is the wall clock's, as in those.

Its document and keys are fetched by a thread; a call that needs them waits for it without holding up others. Keys are
fetched again for a token with an unknown key, at most every `RETRY_SECONDS`.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from flyteapps_fake.auth.tokens import InvalidToken, check_claims, take_apart
from flyteapps_fake.core.time.forks import register_inherited, short_lock

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
RETRY_SECONDS = 10.0
"""Seconds between two fetches, at least."""
FETCH_SECONDS = 5.0
"""Seconds that each of the two requests of a fetch may take."""
MAX_BYTES = 1024 * 1024
"""Bytes of a document."""
LEEWAY_SECONDS = 30.0
"""Seconds by which the provider's clock may differ from this machine's."""

Fetch = Callable[[str], bytes]


class Pending(Exception):  # noqa: N818  # no error: the call goes on later
    """The provider's keys are being fetched. `done`: whether they are there, or can't be had."""

    def __init__(self, done: Callable[[], bool]) -> None:
        super().__init__("the provider's keys are being fetched")
        self.done = done


def fetch_url(url: str) -> bytes:
    """Return the body of a document. Raises OSError, ValueError."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no URL")
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # checked above
        body: bytes = answer.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ValueError(f"{url} has more than {MAX_BYTES:,} bytes")
    return body


class Provider:
    """A provider. `fetch`, `monotonic`, `now`: for tests."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        fetch: Fetch = fetch_url,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._fetch = fetch
        self._monotonic = monotonic
        self._now = now
        self._lock = short_lock()
        self._thread: threading.Thread | None = None
        self._fetched_at = float("-inf")
        self._keys: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        """The provider's metadata, empty before the first fetch."""
        self.problem = ""
        """Why the last fetch failed."""
        register_inherited(self)

    def forked(self) -> None:
        """See Inherited. A fetch that was under way ends in the parent alone, so another may begin at once."""
        self._thread, self._fetched_at = None, float("-inf")

    def fetch(self) -> None:
        """Fetch the document and the keys; on failure keep those of before, and record why."""
        try:
            well_known = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            document = _mapping(self._fetch(well_known), well_known)
            issuer = document.get("issuer")
            if not isinstance(issuer, str) or issuer.rstrip("/") != self._issuer.rstrip("/"):
                raise ValueError(f"{well_known} is of another issuer, {issuer!r}")
            url = str(document.get("jwks_uri"))
            keys = _keys_of(_mapping(self._fetch(url), url))
            if not keys:
                raise ValueError(f"{url} has no key for signatures")
        except (OSError, ValueError, JoseError) as error:
            self.problem = f"the provider {self._issuer} can't be asked for its keys: {error}"
            return
        self.document, self._keys, self.problem = document, keys, ""

    def refresh(self) -> Callable[[], bool] | None:
        """Begin to fetch, unless that was done a moment ago; return whether it is over, None for no fetch."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self._is_over(self._thread)
            now = self._monotonic()
            if now - self._fetched_at < RETRY_SECONDS:
                return None
            self._fetched_at = now
            self._thread = threading.Thread(target=self.fetch, name="flyteapps-provider", daemon=True)
            self._thread.start()
            return self._is_over(self._thread)

    @staticmethod
    def _is_over(thread: threading.Thread) -> Callable[[], bool]:
        return lambda: not thread.is_alive()

    def check(self, token: str) -> dict[str, Any]:
        """Return the claims of a token of the provider. Raises InvalidToken, and Pending to be asked again."""
        parts = take_apart(token)
        kid = parts.header.get("kid", "")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None and not kid and len(self._keys) == 1:
            [key] = self._keys.values()
        if key is None:
            done = self.refresh()
            if done is not None:
                raise Pending(done)
            raise InvalidToken(self.problem or "it is signed by a key that its issuer doesn't publish")
        algorithm = parts.header.get("alg")
        if algorithm not in ALGORITHMS or key.alg not in (None, algorithm):
            raise InvalidToken("its algorithm is not accepted")
        try:
            jws.deserialize_compact(token, key, algorithms=[algorithm])
        except Exception:  # the library's own, and what a hostile header makes it raise besides
            raise InvalidToken("its signature is wrong") from None
        issuers = frozenset((self.document["issuer"],))
        check_claims(parts.claims, issuers, frozenset((self._audience,)), self._now(), LEEWAY_SECONDS)
        return parts.claims


def _mapping(body: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{url} has no JSON object")
    return cast("dict[str, Any]", found)


def _keys_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the public keys for signatures of a JSON Web Key Set, by their ids; unreadable ones are left out."""
    found: dict[str, Any] = {}
    listed: Any = document.get("keys")
    for entry in cast("list[Any]", listed) if isinstance(listed, list) else ():
        each = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {"kty": "oct"}
        if each.get("kty") == "oct" or each.get("use", "sig") != "sig":
            continue
        try:
            [key] = KeySet.import_key_set({"keys": [each]}).keys  # type: ignore[typeddict-item, list-item]  # from JSON
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        found[str(each.get("kid", ""))] = key
    return found
