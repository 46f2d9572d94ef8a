"""Uploads to signed URLs: a file is counted, its digest checked, and its bytes kept where apps run that read them.

They are kept in the directory of a plane's state, too; elsewhere they are dropped, since none is read back.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from flyteapps_control.v1.control_pb2 import Upload, UploadAnswer
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.http.builtin.upload_files import SECRET_BYTES, UploadFiles
from flyteapps_fake.http.protocol.wire import Receive, Scope

UPLOADS = "/_flyteapps/uploads/"
UPLOAD = Operation("http", "Upload", Upload, UploadAnswer, access="public")
"""The RPC as which uploads have faults, and are recorded; its caller is who has the URL, which is signed."""
MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TOTAL_BYTES = 4 * 1024 * 1024 * 1024
MAX_FILES = 100_000
MAX_VALID_SECONDS = 86_400
MAX_DIGITS = 12
"""Digits of a number in a request; a longer one counts as 0."""


class Uploads:
    """The signed URLs of one server, and the sizes of the files that were sent to them; `files` keeps those."""

    def __init__(
        self,
        max_file: int = MAX_FILE_BYTES,
        max_total: int = MAX_TOTAL_BYTES,
        max_files: int = MAX_FILES,
        files: UploadFiles | None = None,
    ) -> None:
        self._files = files
        self._places: dict[str, str] = {}
        """The places of the files that are kept, by the names in their URLs."""
        self.max_file = max_file
        self.max_total = max_total
        self.max_files = max_files
        self.sizes: dict[str, int] = {}
        """Bytes by file, those that are still arriving included."""
        self._total = 0
        self._secret = b""

    def sign(self, origin: str, key: str, md5: bytes, seconds: float) -> tuple[str, float]:
        """Return a URL that accepts the file with this digest, and the time until which it does.

        The file's name is hashed: no client or proxy can then disagree about its spelling in a URL. Raises RpcError
        where files can't be kept.
        """
        try:
            self._prepare()
        except OSError as error:
            raise RpcError(Code.FAILED_PRECONDITION, self._unkept(error)[1].strip()) from None
        place = self._files.place(key) if self._files is not None else key
        key = _hashed(place)
        expires = int(time.time() + min(max(seconds, 1), MAX_VALID_SECONDS))
        digest = base64.b64encode(md5).decode() if md5 else ""
        signature = self._signature(key, expires, digest)
        query = f"expires={expires}&md5={quote(digest, safe='')}&signature={signature}"
        if self._files is not None:
            query += f"&place={quote(place, safe='')}"  # of letters that have one spelling; its hash is signed
        return f"{origin}{UPLOADS}{key}?{query}", expires

    def location(self, key: str) -> str:
        """Return the URI by which apps read the file; without escapes in its path, as fsspec expects it."""
        return (
            f"file://{self._files.path(self._files.place(key))}" if self._files is not None else f"s3://flyteapps/{key}"
        )

    def _prepare(self) -> None:
        """Find the files and the secret of servers before, once."""
        if self._secret:
            return
        if self._files is None:
            self._secret = secrets.token_bytes(SECRET_BYTES)
            return
        for place, size in self._files.sizes():
            self._places[_hashed(place)] = place
            self._grow(_hashed(place), size)
        self._secret = self._files.secret()

    def _signature(self, key: str, expires: int, digest: str) -> str:
        return hmac.new(self._secret, f"{key}\n{expires}\n{digest}".encode(), hashlib.sha256).hexdigest()

    async def put(self, scope: Scope, receive: Receive) -> tuple[int, str]:
        """Receive one file; return the HTTP status and the text of the answer."""
        if scope["method"] != "PUT":
            return 405, "PUT a file here\n"
        try:
            self._prepare()
        except OSError as error:
            return self._unkept(error)
        query = {k: v[0] for k, v in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
        key: str = scope["path"].removeprefix(UPLOADS)
        digest = query.get("md5", "")
        stamp = query.get("expires", "")
        expires = int(stamp) if stamp.isascii() and stamp.isdecimal() and len(stamp) <= MAX_DIGITS else 0
        signature = self._signature(key, expires, digest)
        if not hmac.compare_digest(signature, query.get("signature", "").encode("ascii", "replace").decode()):
            return 403, "the URL's signature is wrong\n"
        place = query.get("place", "")
        if self._files is not None and _hashed(place) != key:
            return 403, "the URL's place is wrong\n"
        if time.time() > expires:
            return 403, "Request has expired\n"
        headers = dict(scope["headers"])
        stated = headers.get(b"content-md5", b"").decode("latin-1")
        length = headers.get(b"content-length", b"")
        expected = int(length) if length.isdigit() and len(length) <= MAX_DIGITS else 0
        before = self.sizes.get(key)
        self._forget(key)
        refusal = self._full(expected)
        if refusal is not None:
            if before is not None:
                self._grow(key, before)
            return refusal
        refusal = await self._receive(key, place, receive, {stated, digest} - {""})
        if refusal is not None:
            self._forget(key)
            return refusal
        return 200, ""

    async def _receive(self, key: str, place: str, receive: Receive, digests: set[str]) -> tuple[int, str] | None:
        if self._files is None:
            return await self._read(key, receive, digests, lambda chunk: None)
        try:
            upload = self._files.begin()
            try:
                refusal = await self._read(key, receive, digests, upload.write)
                if refusal is None:
                    path = self._files.path(place)
                    if self._files.durable:
                        await asyncio.to_thread(upload.keep, path)
                    else:
                        upload.keep(path)
                    self._places[key] = place
                return refusal
            finally:
                upload.drop()
        except OSError as error:
            return self._unkept(error)

    def _unkept(self, error: OSError) -> tuple[int, str]:
        assert self._files is not None
        return 507, f"the file can't be kept in {self._files.directory}: {error.strerror or error}\n"

    async def _read(
        self, key: str, receive: Receive, digests: set[str], write: Callable[[bytes], None]
    ) -> tuple[int, str] | None:
        found = hashlib.md5(usedforsecurity=False)
        self._grow(key, 0)
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return 400, "the file ended early\n"
            chunk: bytes = event.get("body", b"")
            self._grow(key, len(chunk))
            refusal = self._full(0, key)
            if refusal is not None:
                return refusal
            found.update(chunk)
            write(chunk)
            if not event.get("more_body", False):
                break
        actual = base64.b64encode(found.digest()).decode()
        for expected in digests:
            if expected != actual:
                return 400, f"BadDigest: the file's MD5 is {actual}, not {expected}\n"
        return None

    def drop(self, path: str) -> None:
        """Drop the file that was sent to that path."""
        key = path.removeprefix(UPLOADS)
        self._forget(key)
        place = self._places.pop(key, None)
        if self._files is not None and place is not None:
            self._files.path(place).unlink(missing_ok=True)

    def _grow(self, key: str, size: int) -> None:
        self.sizes[key] = self.sizes.get(key, 0) + size
        self._total += size

    def _forget(self, key: str) -> None:
        self._total -= self.sizes.pop(key, 0)

    def _full(self, more: int, key: str = "") -> tuple[int, str] | None:
        """Return the refusal of a file that would grow by `more` bytes, None where it may."""
        if self.sizes.get(key, 0) + more > self.max_file:
            return 413, f"a file may have {self.max_file} bytes\n"
        if self._total + more > self.max_total:
            return 507, f"all files together may have {self.max_total} bytes{self._hint()}\n"
        if key not in self.sizes and len(self.sizes) >= self.max_files:
            return 507, f"there may be {self.max_files} files{self._hint()}\n"
        return None

    def _hint(self) -> str:
        return f": remove some in {self._files.directory}, and start the server again" if self._files else ""


def _hashed(place: str) -> str:
    return hashlib.sha256(place.encode()).hexdigest()
