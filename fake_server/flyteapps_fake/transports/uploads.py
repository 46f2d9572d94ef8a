"""Uploads to signed URLs: what arrives is counted and its digest checked, then dropped, since nobody reads it back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import parse_qs, quote

from flyteapps_fake.transports.wire import Receive, Scope

UPLOADS = "/_flyteapps/uploads/"
MAX_FILE = 256 * 1024 * 1024
MAX_TOTAL = 4 * 1024 * 1024 * 1024
LONGEST = 86_400
LONGEST_STAMP = 12
"""Digits of a number in a request that is worth reading."""


class Uploads:
    """The signed URLs of one server, and the sizes of what was sent to them."""

    def __init__(self, max_file: int = MAX_FILE, max_total: int = MAX_TOTAL) -> None:
        self.max_file = max_file
        self.max_total = max_total
        self.sizes: dict[str, int] = {}
        """Bytes by file, those that are still arriving included."""
        self._secret = secrets.token_bytes(32)

    def sign(self, origin: str, key: str, md5: bytes, seconds: float) -> tuple[str, float]:
        """A URL that takes the file with this digest, and the time until which it does.

        The file's name is hashed: no client or proxy can then disagree about how it is written in a URL.
        """
        key = hashlib.sha256(key.encode()).hexdigest()
        expires = int(time.time() + min(max(seconds, 1), LONGEST))
        digest = base64.b64encode(md5).decode() if md5 else ""
        signature = self._signature(key, expires, digest)
        query = f"expires={expires}&md5={quote(digest, safe='')}&signature={signature}"
        return f"{origin}{UPLOADS}{key}?{query}", expires

    def _signature(self, key: str, expires: int, digest: str) -> str:
        return hmac.new(self._secret, f"{key}\n{expires}\n{digest}".encode(), hashlib.sha256).hexdigest()

    async def put(self, scope: Scope, receive: Receive) -> tuple[int, str]:
        """Take one file: the HTTP status, and what to say."""
        if scope["method"] != "PUT":
            return 405, "PUT a file here\n"
        query = {k: v[0] for k, v in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
        key: str = scope["path"].removeprefix(UPLOADS)
        digest = query.get("md5", "")
        stamp = query.get("expires", "")
        expires = int(stamp) if stamp.isascii() and stamp.isdecimal() and len(stamp) <= LONGEST_STAMP else 0
        signature = self._signature(key, expires, digest)
        if not hmac.compare_digest(signature, query.get("signature", "").encode("ascii", "replace").decode()):
            return 403, "the URL's signature is wrong\n"
        if time.time() > expires:
            return 403, "Request has expired\n"
        headers = dict(scope["headers"])
        stated = headers.get(b"content-md5", b"").decode("latin-1")
        length = headers.get(b"content-length", b"")
        expected = int(length) if length.isdigit() and len(length) <= LONGEST_STAMP else 0
        before = self.sizes.pop(key, 0)
        if not self._fits(expected):
            self.sizes[key] = before
            return self._full(expected)
        refusal = await self._receive(key, receive, {stated, digest} - {""})
        if refusal is not None:
            self.sizes.pop(key, None)
            return refusal
        return 200, ""

    async def _receive(self, key: str, receive: Receive, digests: set[str]) -> tuple[int, str] | None:
        found = hashlib.md5(usedforsecurity=False)
        self.sizes[key] = 0
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return 400, "the file ended early\n"
            chunk: bytes = event.get("body", b"")
            size = self.sizes[key] = self.sizes.get(key, 0) + len(chunk)
            if not self._fits(size, key):
                return self._full(size)
            found.update(chunk)
            if not event.get("more_body", False):
                break
        actual = base64.b64encode(found.digest()).decode()
        for expected in digests:
            if expected != actual:
                return 400, f"BadDigest: the file's MD5 is {actual}, not {expected}\n"
        return None

    def _fits(self, size: int, key: str = "") -> bool:
        others = sum(self.sizes.values()) - self.sizes.get(key, 0)
        return size <= self.max_file and size + others <= self.max_total

    def _full(self, size: int) -> tuple[int, str]:
        if size > self.max_file:
            return 413, f"a file may have {self.max_file} bytes\n"
        return 507, f"all files together may have {self.max_total} bytes\n"
