"""Apps with a pod's spec, as `flyte.PodTemplate` makes it: the primary container runs, once its path answers."""

from __future__ import annotations

import sys

from google.protobuf.json_format import ParseDict

from flyteapps import new_app

from .running import Apps, body, until

READY_AT_THE_SECOND_LOOK = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    looks = 0
    def do_GET(self):
        text = os.environ["WORD"].encode()
        if self.path == "/ready":
            Handler.looks += 1
        self.send_response(503 if self.path == "/ready" and Handler.looks < 2 else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_the_primary_container_of_a_pod(apps: Apps) -> None:
    """Its command and env count, its memory limit, and its readiness path; sidecars don't run."""
    app = new_app("web", image="none")
    app.spec.ClearField("container")
    container = {
        "name": "main",
        "image": "none",
        "command": [sys.executable, "-S", "-E"],
        "args": ["-c", READY_AT_THE_SECOND_LOOK],
        "env": [{"name": "WORD", "value": "hello"}],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {"limits": {"memory": "512Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    }
    sidecar = {"name": "proxy", "image": "none", "command": ["no-such-program"]}
    ParseDict({"containers": [sidecar, container]}, app.spec.pod.pod_spec)
    app.spec.pod.primary_container_name = "main"
    made = apps.client.apps.create(app).watch()
    assert body(made) == b"hello"
    assert apps.replica().memory == 512 << 20
    assert until(lambda: sum("GET /ready" in line for line in apps.lines()) >= 2)
