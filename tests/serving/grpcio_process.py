"""A served plane in a process of its own, whose grpcio port a test attacks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import grpc
from flyteidl2.app import app_service_pb2_grpc

from .server_process import PATIENCE

PROGRAM = """
import sys
from flyteapps_fake.control_plane import FakeControlPlane

with FakeControlPlane(clock="realtime") as plane:
    print(plane.serve().grpc_port, flush=True)
    sys.stdin.read()
"""


class GrpcioProcess:
    """One running plane; it ends with its standard input."""

    def __init__(self, shell: str = "") -> None:
        """Start it. `shell`: commands that a shell runs first, in the process that becomes the plane."""
        command = [sys.executable, "-P", "-c", PROGRAM]
        if shell:
            command = ["sh", "-c", f'{shell}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> str:
        """End it; return what it wrote to its standard error."""
        try:
            _, errors = self.process.communicate("", PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return errors

    @contextmanager
    def stub(self) -> Generator[app_service_pb2_grpc.AppServiceStub]:
        """Connect a client, which takes messages of any size."""
        with grpc.insecure_channel(f"127.0.0.1:{self.port}", [("grpc.max_receive_message_length", -1)]) as channel:
            yield app_service_pb2_grpc.AppServiceStub(channel)
