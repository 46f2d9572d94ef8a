"""Apps that scale to requests, and requests to them."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlsplit

from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync

from serving.messages import create


def busy(name: str) -> CreateRequest:
    """Return the Create of an app that gets a replica for each 10 requests a second, five at most."""
    request = create(name)
    request.app.metadata.id.project = "demo"
    scaling = request.app.spec.autoscaling
    scaling.replicas.min, scaling.replicas.max, scaling.scaling_metric.request_rate.target_value = 1, 5, 10
    return request


def send_requests(port: int, name: str, count: int) -> None:
    """Send requests to an app's URL."""
    with AppServiceClientSync(f"http://localhost:{port}") as client:
        request = GetRequest()
        request.app_id.project, request.app_id.domain, request.app_id.name = "demo", "development", name
        address = client.get(request).app.status.ingress.public_url
    parts = urlsplit(address)
    for _ in range(count):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", parts.path, headers={"host": parts.netloc})
        assert connection.getresponse().status == 501, "a simulated app without a response"
        connection.close()
