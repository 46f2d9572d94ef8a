"""The plane's state as a whole: snapshots under names, and the document that a file holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from flyteapps_control.api import Api
from flyteapps_control.arguments import text
from flyteapps_control.v1 import control_pb2 as pb

PART_BYTES = 1 << 20
"""Bytes of one part of a document: less than clients of gRPC receive, and than servers accept."""
MAX_FILE_BYTES = 1 << 30
"""Bytes of a file that is loaded."""

Path = str | os.PathLike[str]


class Snapshots:
    """The snapshots of a plane's state, by name."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def take(self, name: str) -> None:
        """Keep the state under a name, instead of one that is kept under it. Raises ControlError."""
        self._api.call("TakeSnapshot", pb.TakeSnapshotRequest(name=text("name", name)), pb.TakeSnapshotResponse)

    def restore(self, name: str) -> int:
        """Make the state what it was; return how many apps there are. Open streams end with UNAVAILABLE.

        The snapshot stays, for the next time. Raises ControlError for an unknown one.
        """
        request = pb.RestoreSnapshotRequest(name=text("name", name))
        return self._api.call("RestoreSnapshot", request, pb.RestoreSnapshotResponse).apps

    def list(self) -> list[str]:
        """Return the names, in the order in which the snapshots were taken."""
        return list(self._api.call("ListSnapshots", pb.ListSnapshotsRequest(), pb.ListSnapshotsResponse).names)

    def drop(self, *names: str) -> list[str]:
        """Forget snapshots, all or none; return their names. Raises ControlError for an unknown one."""
        return self._drop([text("a snapshot", each) for each in names]) if names else []

    def clear(self) -> list[str]:
        """Forget all snapshots; return their names."""
        return self._drop([])

    def _drop(self, names: list[str]) -> list[str]:
        return list(
            self._api.call("DropSnapshots", pb.DropSnapshotsRequest(names=names), pb.DropSnapshotsResponse).names
        )


def exported(api: Api) -> Iterator[bytes]:
    """Yield the plane's state as a document of JSON, in parts. Raises ControlError."""
    export, received, size = "", 0, 1
    while received < size:
        found = api.call("ExportState", pb.ExportStateRequest(id=export, offset=received), pb.ExportStateResponse)
        export, received, size = found.id, received + len(found.part), found.size
        yield found.part


def export(api: Api, path: Path) -> None:
    """Write the plane's state to a file, which others can't read: it may hold secrets. Raises ControlError, OSError.

    A file that is there is replaced once the document is whole.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe, a device
        with open(path, "wb") as file:
            file.writelines(exported(api))
        return
    try:
        number, scratch = tempfile.mkstemp(prefix=".flyteapps-", dir=os.path.dirname(path))
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    try:
        with open(number, "wb") as file:
            file.writelines(exported(api))
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def load(api: Api, path: Path) -> int:
    """Load a file; return how many apps it had. Raises ControlError, OSError, ValueError for one that is too large."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        return load_from(api, file, name)


def load_from(api: Api, file: BinaryIO, name: str) -> int:
    """Load what an open file has, as `load` does. `name`: for messages."""
    content = file.read(MAX_FILE_BYTES + 1)  # a device, such as /dev/zero, has no end
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{name}: has more than {MAX_FILE_BYTES:,} bytes, as much as is loaded")
    if not content:
        raise ValueError(f"{name}: is empty: it should be a document of `export`, or YAML with `apps`")
    sent, request, found = 0, pb.LoadStateRequest(size=len(content), name=name), pb.LoadStateResponse()
    while sent < len(content):
        request.offset, request.part = sent, content[sent : sent + PART_BYTES]
        found = api.call("LoadState", request, pb.LoadStateResponse)
        sent, request.id = sent + len(request.part), found.id
    return found.apps
