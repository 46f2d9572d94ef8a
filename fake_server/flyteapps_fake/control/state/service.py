"""The methods of ControlService about the plane's state: reset, snapshots, export and load."""

from __future__ import annotations

from flyteapps_control.selection import AppGlobs, Glob, is_glob
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.state import resets
from flyteapps_fake.control.state.transfers import Exports, Loads
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.seeding import files
from flyteapps_fake.seeding.document_text import document_text

SEED_OF_ALL = "seed: it is that of the whole plane: reset it without project, domain and app"


class StateService:
    """The state of one plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._exports = Exports()
        self._loads = Loads()

    def reset(self, request: pb.ResetRequest) -> pb.ResetResponse:
        """Make the plane or projects as new, or remove apps. Raises RpcError."""
        app, seed = request.app, request.seed if request.HasField("seed") else None
        if AppGlobs(app).is_all:
            return pb.ResetResponse(removed=resets.reset_plane(self._plane, seed))
        if seed is not None:
            raise RpcError(Code.INVALID_ARGUMENT, SEED_OF_ALL)
        if app.domain or app.name:
            return pb.ResetResponse(removed=self._plane.remove_apps(app))
        return pb.ResetResponse(removed=sum(resets.reset_project(self._plane, each) for each in self._projects(app)))

    def _projects(self, app: pb.AppSelector) -> list[str]:
        """Return the projects that a glob matches; a name is one, whether it has apps or not."""
        if not is_glob(app.project):
            return [app.project]
        glob = Glob(app.project)
        return sorted(each for each in self._plane.projects() if glob.matches(each))

    def take(self, request: pb.TakeSnapshotRequest) -> pb.TakeSnapshotResponse:
        """Take a snapshot. Raises RpcError."""
        try:
            self._plane.take_snapshot(request.name)
        except ValueError as error:
            raise RpcError(Code.RESOURCE_EXHAUSTED, str(error)) from None
        return pb.TakeSnapshotResponse()

    def restore(self, request: pb.RestoreSnapshotRequest) -> pb.RestoreSnapshotResponse:
        """Restore a snapshot. Raises RpcError."""
        try:
            self._plane.restore_snapshot(request.name)
        except KeyError as error:
            raise RpcError(Code.NOT_FOUND, str(error.args[0])) from None
        return pb.RestoreSnapshotResponse(apps=self._plane.count())

    def list(self, request: pb.ListSnapshotsRequest) -> pb.ListSnapshotsResponse:
        """List the snapshots."""
        return pb.ListSnapshotsResponse(names=self._plane.list_snapshots())

    def drop(self, request: pb.DropSnapshotsRequest) -> pb.DropSnapshotsResponse:
        """Forget snapshots. Raises RpcError."""
        with self._plane.locked():
            present = self._plane.list_snapshots()
            names = list(dict.fromkeys(request.names)) or present
            try:
                for name in sorted(names, key=present.__contains__):  # an unknown one first, which is refused
                    self._plane.drop_snapshot(name)
            except KeyError as error:
                raise RpcError(Code.NOT_FOUND, str(error.args[0])) from None
        return pb.DropSnapshotsResponse(names=names)

    def export(self, request: pb.ExportStateRequest) -> pb.ExportStateResponse:
        """Return a part of the state. Raises RpcError."""
        name = request.id or self._exports.begin(document_text(self._plane.document()))
        part, size = self._exports.part(name, request.offset)
        return pb.ExportStateResponse(id=name, part=part, size=size)

    def load(self, request: pb.LoadStateRequest) -> pb.LoadStateResponse:
        """Receive a part of a file, and load it with the last one. Raises RpcError."""
        name, content = self._loads.add(request.id, request.offset, request.part, request.size)
        if content is None:
            return pb.LoadStateResponse(id=name)
        try:
            return pb.LoadStateResponse(apps=files.load_file(self._plane, content, request.name or "file"))
        except ValueError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None
