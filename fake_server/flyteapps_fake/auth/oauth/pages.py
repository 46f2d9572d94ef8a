"""The pages of an authorization server: login, approval of a device, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from flyteapps_fake.auth.settings import User

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}
button{{display:block;width:100%;margin:.5rem 0;padding:.6rem;font:inherit;text-align:left}}
input{{font:inherit;padding:.4rem;width:12rem}}</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""


def message_page(title: str, text: str) -> str:
    """Return a page that says something."""
    return _PAGE.format(title=escape(title), body=f"<p>{escape(text)}</p>")


def login_page(users: Iterable[User], client_id: str, hidden: Mapping[str, str]) -> str:
    """Return the page that lists the users; `hidden`: the fields of the authorization request."""
    text = f"<p>{escape(client_id)} wants to act for you on this stand-in. Nobody needs a password here.</p>"
    return _PAGE.format(title="Log in", body=f"{text}\n{_form('/oauth2/login', hidden, _buttons(users))}")


def device_page(users: Iterable[User], user_code: str) -> str:
    """Return the page on which a user approves a device by its code."""
    shown = f'<p><label>Code <input name="user_code" value="{escape(user_code)}" required></label></p>'
    deny = '<button name="deny" value="yes">Deny</button>'
    return _PAGE.format(
        title="Approve a device", body=_form("/oauth2/device", {}, f"{shown}\n{_buttons(users)}\n{deny}")
    )


def _form(action: str, hidden: Mapping[str, str], content: str) -> str:
    fields = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
    return f'<form method="post" action="{action}">\n{fields}\n{content}\n</form>'


def _buttons(users: Iterable[User]) -> str:
    return "\n".join(
        f'<button name="subject" value="{escape(each.subject)}">{escape(each.subject)}'
        f" ({escape(f'{each.name}, ' if each.name else '')}{each.role})</button>"
        for each in users
    )
