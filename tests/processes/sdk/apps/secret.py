"""Apps with secrets: one that the server was given, one that is missing, one as a file."""
# pyright: basic

from pathlib import Path

import flyte
import flyte.app

CODE = """
import http.server, json, os, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        files = pathlib.Path(os.environ.get("FLYTE_SECRETS_DEFAULT_DIR", "none")).rglob("*")
        data = json.dumps({
            "values": {key: os.environ[key] for key in ("GIVEN", "RENAMED", "LATER") if key in os.environ},
            "files": {each.name: each.read_text() for each in files if each.is_file()},
        }).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
COMMAND = ["python", "-S", "-E", "-c", CODE]

env = flyte.app.AppEnvironment(
    name="given",
    image="none",
    command=COMMAND,
    requires_auth=False,
    secrets=[
        flyte.Secret(key="GIVEN"),
        flyte.Secret(key="GIVEN", as_env_var="RENAMED"),
        flyte.Secret(key="GIVEN", mount=Path("/etc/flyte/secrets")),
    ],
)
later = flyte.app.AppEnvironment(
    name="later", image="none", command=COMMAND, requires_auth=False, secrets=flyte.Secret(key="later")
)
