"""The endpoints of an authorization server by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from flyteapps_fake.auth.oauth.authlib_names import OAuth2Error
from flyteapps_fake.auth.oauth.metadata import document
from flyteapps_fake.auth.oauth.pages import device_page, login_page, message_page
from flyteapps_fake.auth.oauth.server import AuthorizationServer
from flyteapps_fake.auth.oauth.web import Fields, WebAnswer, WebRequest, error_answer, json_answer, page_answer

PREFIXES = ("/oauth2/", "/.well-known/")
"""The beginnings of the paths."""
TOKEN_PATH = "/oauth2/token"
MAX_NONCE_CHARACTERS = 255
"""Characters of a nonce, which is kept with the login and is in its id tokens."""
FORM_FIELDS = 100
"""Fields of a form that are read."""


def fields_of(text: str) -> Fields:
    """Return the fields of a query or a form. Raises ValueError."""
    return parse_qs(text, keep_blank_values=True, max_num_fields=FORM_FIELDS)


class Routes:
    """The endpoints of one server. Every answer is made under the plane's lock."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        self._authentication = server.authentication
        self._table: Mapping[tuple[str, str], Callable[[WebRequest], WebAnswer]] = {
            ("GET", "/.well-known/oauth-authorization-server"): self._document,
            ("GET", "/.well-known/openid-configuration"): self._document,
            ("GET", "/oauth2/jwks"): self._jwks,
            ("GET", "/oauth2/authorize"): self._authorize,
            ("POST", "/oauth2/authorize"): self._authorize,
            ("POST", "/oauth2/login"): self._login,
            ("GET", "/oauth2/device"): self._device,
            ("POST", "/oauth2/device"): self._approve,
            ("POST", "/oauth2/device_authorization"): self._device_authorization,
            ("POST", TOKEN_PATH): server.token,
            ("POST", "/oauth2/revoke"): self._revoke,
        }

    def answer(self, request: WebRequest) -> WebAnswer:
        """Answer a request."""
        endpoint = self._table.get((request.method, request.path))
        if endpoint is None:
            allowed = [method for method, path in self._table if path == request.path]
            if not allowed:
                return error_answer(404, "not_found", f"there is no {request.path}")
            refusal = error_answer(405, "invalid_request", f"{request.path} is for {', '.join(allowed)}")
            return refusal._replace(headers=[*refusal.headers, ("Allow", ", ".join(allowed))])
        nonce = next(iter((request.form.get("nonce") or []) + (request.query.get("nonce") or [])), "")
        if len(nonce) > MAX_NONCE_CHARACTERS:
            return error_answer(
                400,
                "invalid_request",
                f"nonce has {len(nonce):,} characters; at most {MAX_NONCE_CHARACTERS} are allowed",
            )
        try:
            return endpoint(request)
        except ValueError:  # authlib's, of a text that no header or description may have
            return error_answer(400, "invalid_request", "a parameter has characters that are not allowed")

    def _document(self, request: WebRequest) -> WebAnswer:
        return json_answer(document(self._authentication, request.origin))

    def _jwks(self, request: WebRequest) -> WebAnswer:
        return json_answer(self._authentication.keys.public())

    def _authorize(self, request: WebRequest) -> WebAnswer:
        """Show the login page; or log the user in at once, where the settings say so."""
        approve = self._authentication.settings.approve
        try:
            grant = self._server.get_consent_grant(request, end_user=approve)
        except OAuth2Error as error:
            return self._refused(request, error)
        if approve is not None:
            answer: WebAnswer = self._server.create_authorization_response(request, approve, grant=grant)
            return answer
        fields = request.form if request.method == "POST" else request.query
        hidden = {name: values[0] for name, values in fields.items()}
        return page_answer(login_page(self._authentication.settings.users, hidden.get("client_id", ""), hidden))

    def _login(self, request: WebRequest) -> WebAnswer:
        """Send the user who was chosen on the login page back to the client."""
        subject = request.first("subject")
        if subject not in {each.subject for each in self._authentication.settings.users}:
            return page_answer(message_page("Log in", f"There is no user {subject!r}."), 400)
        try:
            grant = self._server.get_consent_grant(request, end_user=subject)
        except OAuth2Error as error:
            return self._refused(request, error)
        answer: WebAnswer = self._server.create_authorization_response(request, subject, grant=grant)
        return answer

    def _refused(self, request: WebRequest, error: Any) -> WebAnswer:
        """Send the error to the client, where its redirect URI is known to be its own; else show it."""
        if error.redirect_uri:
            answer: WebAnswer = self._server.handle_error_response(self._server.create_oauth2_request(request), error)
            return answer
        text = error.get_error_description() or error.error or ""
        return page_answer(message_page("The client's request is refused", text), 400)

    def _device(self, request: WebRequest) -> WebAnswer:
        user_code = (request.query.get("user_code") or [""])[0]
        approve = self._authentication.settings.approve
        if approve is not None and user_code:
            return self._approve(request._replace(form={"user_code": [user_code], "subject": [approve]}))
        return page_answer(device_page(self._authentication.settings.users, user_code))

    def _approve(self, request: WebRequest) -> WebAnswer:
        device = self._server.device(request.first("user_code"))
        subject = request.first("subject")
        if device is None or device.is_expired():
            return page_answer(message_page("Approve a device", "There is no such code, or it has expired."), 400)
        if request.first("deny"):
            self._server.devices.change(device, denied=True)
            return page_answer(message_page("Denied", "The device gets no access. You can close this page."))
        if subject not in {each.subject for each in self._authentication.settings.users}:
            return page_answer(message_page("Approve a device", f"There is no user {subject!r}."), 400)
        if device.subject is None and not device.denied:
            self._server.devices.change(device, subject=subject)
        return page_answer(message_page("Approved", f"The device acts for {subject}. You can close this page."))

    def _device_authorization(self, request: WebRequest) -> WebAnswer:
        answer: WebAnswer = self._server.create_endpoint_response("device_authorization", request)
        approve = self._authentication.settings.approve
        if approve is not None and answer.status == 200:
            for device in self._server.devices.values()[-1:]:
                self._server.devices.change(device, subject=approve)
        return answer

    def _revoke(self, request: WebRequest) -> WebAnswer:
        answer: WebAnswer = self._server.create_endpoint_response("revocation", request)
        return answer
