"""Random requests that are no RPCs: pages, uploads, the authorization server's endpoints; and requests as raw bytes."""

from __future__ import annotations

import random
import re
from collections import defaultdict, deque
from urllib.parse import quote, urlencode

from .fuzzing import Request, mutated

PAGES = (
    *(
        "/",
        "/v2",
        "/v2/",
        "/healthz",
        "/metrics",
        "/favicon.ico",
        "/robots.txt",
        "/%",
        "/%00",
        "/..",
        "//",
        "/v2/%2e%2e",
    ),
    *("/v2/domain/d/project/p/apps/a", "/v2/domain/d/project/p/apps/%ed%a0%80", "/v2/domain/d/project/p/tasks/a"),
    *("/apps/a-p-d/", "/apps/", "/apps/A/", "/apps/a/b?c=d", "/apps/%2e%2e/", "/apps/" + "a" * 300),
)
AUTHORIZATION = (
    *("/oauth2/token", "/oauth2/token", "/oauth2/token", "/oauth2/authorize", "/oauth2/login", "/oauth2/device"),
    *("/oauth2/device_authorization", "/oauth2/revoke", "/oauth2/jwks", "/oauth2/", "/oauth2/no"),
    *("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/no"),
)
UPLOAD = "/_flyteapps/uploads/"
HOSTS = ("localhost",) * 6 + (
    "127.0.0.1",
    "a.apps.localhost",
    "evil.example",
    "",
    "localhost:x",
    "[::1",
    "\u00fc",
    "a b",
)
METHODS = ("GET",) * 4 + ("POST",) * 4 + ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "M-SEARCH")
GRANTS = (
    *("client_credentials", "authorization_code", "refresh_token", "password", "implicit", ""),
    "urn:ietf:params:oauth:grant-type:device_code",
)
FIELDS = {
    "grant_type": GRANTS,
    "response_type": ("code", "token", "code id_token", "none"),
    "client_id": ("cli", "ci", "nobody"),
    "client_secret": ("not-so-secret", "wrong"),
    "redirect_uri": ("http://localhost:53593/callback", "http://localhost/callback", "javascript:x", "//x"),
    "scope": ("all", "all openid", "x" * 300, "\u00fc"),
    "state": ("s", "\r\nx: y", "\u2028"),
    "code_challenge": ("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "short"),
    "code_challenge_method": ("S256", "plain", "x"),
    "code_verifier": ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",),
    "nonce": ("n",),
    "subject": ("ann", "root", "nobody"),
    "deny": ("yes", ""),
    "token_type_hint": ("access_token", "refresh_token", "x"),
    "code": ("x",),
    "device_code": ("x",),
    "user_code": ("x",),
    "token": ("x",),
    "refresh_token": ("x",),
    "audience": ("x",),
}
"""Fields of the authorization server's forms, and usual values; those that it has answered with come from `learn`."""
CLIENT = {"client_id": "ci", "client_secret": "not-so-secret"}
LOGIN = {
    "response_type": "code",
    "client_id": "cli",
    "redirect_uri": FIELDS["redirect_uri"][0],
    "scope": "all",
    "state": "s",
    "code_challenge": FIELDS["code_challenge"][0],
    "code_challenge_method": "S256",
}
FORMS: dict[str, tuple[dict[str, str], ...]] = {
    "/oauth2/token": (
        {"grant_type": "client_credentials", "scope": "all", **CLIENT},
        {
            "grant_type": "authorization_code",
            "client_id": "cli",
            "redirect_uri": LOGIN["redirect_uri"],
            "code": "",
            "code_verifier": FIELDS["code_verifier"][0],
        },
        {"grant_type": "refresh_token", "client_id": "cli", "refresh_token": ""},
        {"grant_type": GRANTS[-1], "client_id": "cli", "device_code": ""},
    ),
    "/oauth2/authorize": (LOGIN,),
    "/oauth2/login": ({**LOGIN, "subject": "root"}, {**LOGIN, "subject": "ann"}),
    "/oauth2/device_authorization": ({"client_id": "cli", "scope": "all"},),
    "/oauth2/device": ({"user_code": "", "subject": "root"}, {"user_code": "", "subject": "ann", "deny": "yes"}),
    "/oauth2/revoke": ({"token": "", **CLIENT}, {"token": "", "client_id": "cli"}),
}
"""Fields with which the endpoints do what they are for; an empty value is one that was answered before."""
HEADERS = (
    *(
        ("accept", "text/html"),
        ("accept", "application/openmetrics-text"),
        ("accept", "*/*;q=x"),
        ("range", "bytes=0-1"),
    ),
    *(("origin", "http://localhost"), ("origin", "null"), ("origin", "http://evil.example"), ("cookie", "a=b; c")),
    *(("access-control-request-method", "POST"), ("sec-fetch-site", "cross-site"), ("expect", "100-continue")),
    *(("x-request-id", "x" * 300), ("accept-encoding", "gzip, br"), ("if-none-match", '"x"'), ("te", "trailers, x")),
    *(
        ("authorization", "Basic Y2k6bm90LXNvLXNlY3JldA=="),
        ("authorization", "Basic x"),
        ("authorization", "Bearer a.b.c"),
    ),
    *(("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c"), ("x-forwarded-host", "evil.example")),
)
REMEMBERED = 20
"""Values of one field, and upload links, that are remembered."""
LINKS = re.compile(rb"/_flyteapps/uploads/[0-9a-f]{64}\?[!-~]*?signature=[0-9a-f]{64}")
ANSWERED = re.compile(rb'"(\w+_(?:token|code))": ?"([!#-~]+)"')
IN_QUERY = re.compile(rb"[?&](code)=([!#-%'-~]+)")


class WebRequests:
    """Draws requests for pages, uploads and, with `authorization`, for that server's endpoints."""

    def __init__(self, rng: random.Random, *, authorization: bool = False) -> None:
        self._rng = rng
        self._authorization = authorization
        self._links: deque[str] = deque(maxlen=REMEMBERED)
        self._values: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def learn(self, answer: bytes) -> None:
        """Remember links, codes and tokens of an answer, so that later requests use them."""
        self._links.extend(link.decode() for link in LINKS.findall(answer))
        for name, value in (*ANSWERED.findall(answer), *IN_QUERY.findall(answer)):
            self._values[name.decode()].append(value.decode())
            if name.endswith(b"_token"):
                self._values["token"].append(value.decode())

    def known(self, name: str) -> str | None:
        """Return one of the values of that field that were answered, now and then."""
        values = self._values.get(name)
        return self._rng.choice(values) if values and self._rng.random() < 0.2 else None

    def draw(self) -> Request:
        """Return a request; its `host` is among the headers."""
        rng = self._rng
        kind = rng.randrange(3 if self._authorization else 2)
        request = (self._page, self._upload, self._form)[kind]()
        headers = [*request.headers, *rng.sample(HEADERS, rng.choice((0, 0, 1, 1, 2)))]
        host = rng.choice(HOSTS) if rng.random() < 0.3 else "localhost"
        return Request(request.method, request.path, request.query, (("host", host), *headers), request.body)

    def _page(self) -> Request:
        rng = self._rng
        path = rng.choice(PAGES)
        if rng.random() < 0.2:
            path = "/" + quote(mutated(rng, path.encode()), safe="/%?&=")
        path, _, query = path.partition("?")
        return Request(rng.choice(METHODS), path, query, (), rng.choice((b"", b"", b"x" * 100)))

    def _upload(self) -> Request:
        rng = self._rng
        body = rng.choice((b"", b"file", b"x" * 3_000))
        link = rng.choice(self._links) if self._links and rng.random() < 0.8 else f"{UPLOAD}x?expires=9999999999&md5="
        if rng.random() < 0.2:
            link = UPLOAD + quote(mutated(rng, link.removeprefix(UPLOAD).encode()), safe="?&=%")
        path, _, query = link.partition("?")
        method = "PUT" if rng.random() < 0.9 else rng.choice(METHODS)
        digest = (("content-md5", rng.choice(("", "x", "1B2M2Y8AsgTpgAmY7PhCfg=="))),) if rng.random() < 0.2 else ()
        return Request(method, path, query, digest, body)

    def _form(self) -> Request:
        rng = self._rng
        path = rng.choice(AUTHORIZATION)
        form = rng.choice(FORMS.get(path, ({},)))
        fields = [(name, value or self._value(name)) for name, value in form.items() if rng.random() < 0.97]
        for _ in range(rng.choice((0, 0, 0, 1, 3))):
            name = rng.choice(tuple(FIELDS))
            fields = [field for field in fields if field[0] != name] + [(name, self._value(name))]
        if fields and rng.random() < 0.1:
            fields.append(rng.choice(fields))
        text = urlencode(fields)
        if rng.random() < 0.1:
            text = mutated(rng, text.encode()).decode("latin-1")
        if rng.random() < (0.2 if path in ("/oauth2/token", "/oauth2/login", "/oauth2/revoke") else 0.6):
            return Request("GET", path, quote(text, safe="%&=+"), (), b"")
        kind = "application/x-www-form-urlencoded" if rng.random() < 0.95 else rng.choice(("application/json", ""))
        method = "POST" if rng.random() < 0.95 else rng.choice(METHODS)
        return Request(method, path, "", (("content-type", kind),), text.encode("latin-1"))

    def _value(self, name: str) -> str:
        rng = self._rng
        known = self._values.get(name)
        if known and rng.random() < 0.8:
            return rng.choice(known)
        if rng.random() < 0.9:
            return rng.choice(FIELDS[name])
        return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) for _ in range(rng.randrange(9)))


FRAMINGS = (
    *("transfer-encoding: chunked", "transfer-encoding: gzip, chunked"),
    *("content-length: 99999", "content-length: x", ""),
)
TARGETS = ("*", "", "http://evil.example/", "localhost:80", "\x7f", "a b", "http://localhost")
VERSIONS = ("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "", "XTTP/1.1")
LINES = ("", " folded", "no colon", ": no name", "a : b", "\0: \0", "x: " + "y" * 70_000)


def odd_http1(request: Request, rng: random.Random) -> bytes:
    """Return a request as bytes of HTTP/1, often broken in its head, its framing, or anywhere."""
    target = request.path + (f"?{request.query}" if request.query else "")
    if rng.random() < 0.1:
        target = rng.choice(TARGETS) + rng.choice(("", target))
    version = "HTTP/1.1" if rng.random() < 0.9 else rng.choice(VERSIONS)
    method = request.method if rng.random() < 0.95 else rng.choice(("CONNECT", "PRI", "", "G\tT", "\u00fc", "X" * 300))
    headers = list(request.headers)
    if all(name != "host" for name, _ in headers):
        headers.insert(0, ("host", "localhost"))
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in headers)]
    body = request.body
    framing = f"content-length: {len(body)}" if rng.random() < 0.7 else rng.choice(FRAMINGS)
    lines.append(framing)
    if rng.random() < 0.05:
        lines.append(rng.choice(FRAMINGS))
    if "chunked" in framing:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    if rng.random() < 0.1:
        lines.insert(rng.randint(0, len(lines)), rng.choice(LINES))
    data = "\r\n".join((*lines, "", "")).encode("latin-1", "replace") + body
    return mutated(rng, data) if rng.random() < 0.5 else data


def odd_http2(rng: random.Random, blocks: list[bytes]) -> bytes:
    """Return the bytes of an HTTP/2 connection: frames of any kind with any flags, some of them broken."""
    data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    for _ in range(rng.randint(1, 8)):
        kind = rng.choice((0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, rng.randrange(256)))
        flags = rng.choice((0, 1, 4, 5, 5, 0x24, rng.randrange(256)))
        stream = rng.choice((0, 1, 1, 3, 5, 2, rng.randrange(2**32)))
        payload = rng.choice(blocks) if kind in (1, 5, 9) else rng.randbytes(rng.choice((0, 4, 5, 6, 8, 8, 40)))
        size = len(payload) if rng.random() < 0.95 else rng.choice((0, 1, 2**14 + 1, 2**24 - 1))
        data += size.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    return mutated(rng, data) if rng.random() < 0.3 else data
