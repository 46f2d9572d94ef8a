"""Uploads to signed URLs: what arrives is counted and its digest checked, then dropped, since nobody reads it back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import parse_qs, quote, unquote

from flyteapps_fake.transports.wire import Receive, Scope

UPLOADS = "/_flyteapps/uploads/"
MAX_FILE = 256 * 1024 * 1024
MAX_TOTAL = 4 * 1024 * 1024 * 1024
LONGEST = 86_400


class Uploads:
    """The signed URLs of one server, and the sizes of what was sent to them."""

    def __init__(self, max_file: int = MAX_FILE, max_total: int = MAX_TOTAL) -> None:
        self.max_file = max_file
        self.max_total = max_total
        self.sizes: dict[str, int] = {}
        self._secret = secrets.token_bytes(32)

    def sign(self, origin: str, key: str, md5: bytes, seconds: float) -> tuple[str, float]:
        """A URL that takes the file with this digest, and the time until which it does."""
        expires = int(time.time() + min(max(seconds, 1), LONGEST))
        digest = base64.b64encode(md5).decode() if md5 else ""
        signature = self._signature(key, expires, digest)
        query = f"expires={expires}&md5={quote(digest, safe='')}&signature={signature}"
        return f"{origin}{UPLOADS}{quote(key)}?{query}", expires

    def _signature(self, key: str, expires: int, digest: str) -> str:
        return hmac.new(self._secret, f"{key}\n{expires}\n{digest}".encode(), hashlib.sha256).hexdigest()

    async def put(self, scope: Scope, receive: Receive) -> tuple[int, str]:
        """Take one file: the HTTP status, and what to say."""
        if scope["method"] != "PUT":
            return 405, "PUT a file here\n"
        query = {k: v[0] for k, v in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
        key = unquote(scope["path"].removeprefix(UPLOADS)) if "%" in scope["path"] else scope["path"][len(UPLOADS) :]
        digest = query.get("md5", "")
        expires = int(query["expires"]) if query.get("expires", "").isdecimal() else 0
        signature = self._signature(key, expires, digest)
        if not hmac.compare_digest(signature, query.get("signature", "").encode("ascii", "replace").decode()):
            return 403, "the URL's signature is wrong\n"
        if time.time() > expires:
            return 403, "Request has expired\n"
        headers = dict(scope["headers"])
        stated = headers.get(b"content-md5", b"").decode("latin-1")
        length = headers.get(b"content-length", b"")
        others = sum(self.sizes.values()) - self.sizes.get(key, 0)
        cap = min(self.max_file, self.max_total - others)
        if length.isdigit() and int(length) > cap:
            return self._full(int(length))
        found, size = hashlib.md5(usedforsecurity=False), 0
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return 400, "the file ended early\n"
            chunk: bytes = event.get("body", b"")
            size += len(chunk)
            if size > cap:
                return self._full(size)
            found.update(chunk)
            if not event.get("more_body", False):
                break
        actual = base64.b64encode(found.digest()).decode()
        for expected in (stated, digest):
            if expected and expected != actual:
                return 400, f"BadDigest: the file's MD5 is {actual}, not {expected}\n"
        self.sizes[key] = size
        return 200, ""

    def _full(self, size: int) -> tuple[int, str]:
        if size > self.max_file:
            return 413, f"a file may have {self.max_file} bytes\n"
        return 507, f"all files together may have {self.max_total} bytes\n"
