"""Pkce: a person logs in with a browser on this machine (RFC 7636, 8252).

What only a login needs is imported by it: a client of a configuration file has a Pkce that may never log in.
"""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from flyteapps.auth.base import Context
from flyteapps.auth.requests import endpoint_of
from flyteapps.auth.sources.in_thread import in_thread
from flyteapps.auth.sources.login import Login
from flyteapps.auth.sources.metadata import Metadata
from flyteapps.auth.sources.token_endpoint import Request
from flyteapps.auth.tokens import Token
from flyteapps.errors import ConfigError, DeadlineExceeded, Unauthenticated
from flyteapps.flows.operations import Flow, Now
from flyteapps.support.clock import monotonic
from flyteapps.support.secret import Secret

SLICE_SECONDS = 0.1

MAX_REQUEST_BYTES = 8_192


class Pkce(Login):
    """A login with a browser, which Python's `webbrowser` opens; the answer comes to a port of this machine."""

    mode: ClassVar[str] = "Pkce"

    def log_in(self, context: Context, metadata: Metadata, timeout: float) -> Flow[Token]:
        """See Login.log_in."""
        import base64
        import hashlib
        import secrets

        began: float = yield Now()
        verifier, state = Secret(secrets.token_urlsafe(48)), Secret(secrets.token_urlsafe(24))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        fields = {
            "response_type": "code",
            "client_id": self._client_of(metadata),
            "redirect_uri": metadata.redirect_uri,
            "scope": self._scope_of(metadata),
            "audience": self._audience or metadata.audience,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint_of(metadata.authorization_endpoint)
        query = urlencode({name: value for name, value in fields.items() if value})
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        with _Listener(metadata.redirect_uri, state) as listener:
            self._prompt(f"Log in with your browser: {metadata.authorization_endpoint}{joint}{query}")
            _open_browser(f"{metadata.authorization_endpoint}{joint}{query}")
            try:
                code = yield in_thread(lambda: listener.code(timeout), timeout + 1)
            except TimeoutError:
                raise DeadlineExceeded(
                    f"Pkce: no login came back from the browser within {timeout:.3g} s: log in by `flyteapps login`, "
                    f"or without a browser on this machine by `flyteapps login --device`",
                    endpoint=context.endpoint,
                ) from None
        request = Request(
            self.mode,
            metadata.token_endpoint,
            {
                "grant_type": "authorization_code",
                "code": Secret(code),
                "redirect_uri": metadata.redirect_uri,
                "client_id": self._client_of(metadata),
                "code_verifier": verifier,
            },
        )
        left = max(0.001, timeout - ((yield Now()) - began))
        return (yield from request.token(context, left, self._header_of(metadata)))


def _open_browser(url: str) -> None:
    """Open the page; a browser may keep its caller until it is closed, hence the thread."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), name="flyteapps browser", daemon=True).start()


class _Listener:
    """The server that the browser is sent to at the end, on the address of the redirect URI alone."""

    def __init__(self, redirect_uri: str, state: str) -> None:
        import html
        import secrets
        from http.server import BaseHTTPRequestHandler, HTTPServer

        parts = urlsplit(redirect_uri)
        host = parts.hostname or ""
        try:
            valid = parts.scheme == "http" and endpoint_of(redirect_uri).is_loopback
        except ConfigError:
            valid = False
        if not valid:
            raise ConfigError(f"Pkce: the plane's redirect URI {redirect_uri[:100]!r} is no address of this machine")
        listener, self._closed = self, False
        self._found: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                found = {name: values[0] for name, values in parse_qs(asked.query).items()}
                if asked.path != (parts.path or "/"):
                    self._answer(HTTPStatus.NOT_FOUND, "There is nothing here.")
                elif not secrets.compare_digest(found.get("state", "").encode(), state.encode()):
                    self._answer(HTTPStatus.BAD_REQUEST, "This is the answer to another login: log in again.")
                else:
                    listener._found.append(found)  # pyright: ignore[reportPrivateUsage]  # of this file
                    failed = "error" in found or "code" not in found
                    self._answer(
                        HTTPStatus.OK, "The login failed." if failed else "You are logged in, and can close this page."
                    )

            def _answer(self, status: HTTPStatus, text: str) -> None:
                body = f"<!doctype html><title>flyteapps</title><p>{html.escape(text)}</p>".encode()
                self.send_response(status)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any, **kwargs: Any) -> None:
                """Log nothing: the line holds the code."""

        class Server(HTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Ignore a connection that broke."""

        try:
            self._server = Server((host, parts.port or 80), Handler)
        except OSError as error:
            raise ConfigError(
                f"Pkce: port {parts.port or 80} of {host}, to which the browser comes back, can't be used "
                f"({error.strerror}): end the other login or program that uses it, or use DeviceFlow"
            ) from None
        self._server.timeout = SLICE_SECONDS

    def code(self, timeout: float) -> str:
        """Wait for the browser, and return the code that it brings. Raises TimeoutError and Unauthenticated."""
        until = monotonic() + timeout
        while not self._found:
            if monotonic() >= until or self._closed:
                raise TimeoutError
            self._server.handle_request()
        found = self._found[0]
        if "error" in found or "code" not in found:
            text = f"{found.get('error', 'no code')} {found.get('error_description', '')}".strip()
            shown = "".join(c if c.isprintable() else " " for c in text)[:200]
            raise Unauthenticated(f"Pkce: the login failed: {shown}")
        return found["code"]

    def __enter__(self) -> _Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._server.server_close()
