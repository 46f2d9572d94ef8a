"""Rates of unary Get under load, by ghz (gRPC) and bombardier (Connect), beside a bare ASGI echo of the same bytes.

Run with `make bench-load`, which builds the two. TOOLS: the folder that they are in. Rounds alternate; the figures are
medians, and the ratio is ours / base.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench_serving import APP_ID, first_answer, free_port, start
from flyteidl2.app import app_service_pb2
from flyteidl2.app.app_definition_pb2 import App, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.core.tasks_pb2 import Container
from google.protobuf.descriptor_pb2 import FileDescriptorSet

CLIENTS, SECONDS, ROUNDS = 32, 4, 3
METHOD = "flyteidl2.app.AppService/Get"


def descriptors() -> bytes:
    """Return AppService and what it needs, as a FileDescriptorSet."""
    found = set[str]()
    result = FileDescriptorSet()

    def add(file: object) -> None:
        for needed in file.dependencies:  # type: ignore[attr-defined]
            add(needed)
        if file.name not in found:  # type: ignore[attr-defined]
            found.add(file.name)  # type: ignore[attr-defined]
            file.CopyToProto(result.file.add())  # type: ignore[attr-defined]

    add(app_service_pb2.DESCRIPTOR)
    return result.SerializeToString()


def ghz(tools: Path, port: int, folder: Path) -> float:
    """Return gRPC calls a second."""
    request = {"app_id": {"org": APP_ID.org, "project": APP_ID.project, "domain": APP_ID.domain, "name": APP_ID.name}}
    command = [str(tools / "ghz"), "--insecure", "--protoset", str(folder / "protoset"), "--call", METHOD]
    command += ["-d", json.dumps(request), "-c", str(CLIENTS), "--connections", "4", "-z", f"{SECONDS}s"]
    ended = subprocess.run([*command, "-O", "json", f"127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    report = json.loads(ended.stdout)
    bad = {code for code in report["statusCodeDistribution"] if code not in ("OK", "Unavailable", "Canceled")}
    if bad:
        raise SystemExit(f"ghz: {report['statusCodeDistribution']}")
    return float(report["rps"])


def bombardier(tools: Path, port: int, folder: Path) -> float:
    """Connect calls a second, over HTTP/1.1."""
    command = [
        str(tools / "bombardier"),
        "-c",
        str(CLIENTS),
        "-d",
        f"{SECONDS}s",
        "-m",
        "POST",
        "-o",
        "json",
        "-p",
        "r",
    ]
    command += ["-H", "content-type: application/proto", "-f", str(folder / "body")]
    ended = subprocess.run([*command, f"http://127.0.0.1:{port}/{METHOD}"], capture_output=True, text=True, check=True)
    result = json.loads(ended.stdout)["result"]
    if result["req4xx"] or result["req5xx"] or result["others"]:
        raise SystemExit(f"bombardier: {result}")
    return float(result["rps"]["mean"])


def main() -> int:
    """Print the table."""
    tools = Path(sys.argv[1]).resolve()
    ports = [free_port(), free_port()]
    ours = start(True, ports[0])
    first_answer(ports[0], ours)
    client = AppServiceClientSync(f"http://127.0.0.1:{ports[0]}")
    client.create(CreateRequest(app=App(metadata=Meta(id=APP_ID), spec=Spec(container=Container(image="image")))))
    answer = client.get(GetRequest(app_id=APP_ID)).SerializeToString()
    base = start(False, ports[1], answer)
    first_answer(ports[1], base)
    generators: dict[str, Callable[[Path, int, Path], float]] = {"gRPC, ghz": ghz, "Connect, bombardier": bombardier}
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "protoset").write_bytes(descriptors())
            (folder / "body").write_bytes(GetRequest(app_id=APP_ID).SerializeToString())
            for label, generator in generators.items():
                rates: list[list[float]] = [[], []]
                for _ in range(ROUNDS):
                    for number, port in enumerate(ports):
                        rates[number].append(generator(tools, port, folder))
                mine, bare = map(statistics.median, rates)
                print(f"unary Get, {label:24} {mine:8.0f}/s, bare echo {bare:8.0f}/s, ratio {mine / bare:.2f}")
    finally:
        for process in (ours, base):
            process.terminate()
            process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
