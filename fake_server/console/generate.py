"""The TypeScript of the protos that the console uses: `python generate.py FOLDER` writes it there.

The descriptors come from the installed Python packages, flyteidl2 and our own, so that both sides speak of the same
messages. They are handed to protoc-gen-es as protoc would. Options that only Python reads, such as the rules of
protovalidate, are left out, with the files that they need.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flyteidl2.app import app_logs_service_pb2, app_service_pb2
from flyteidl2.auth import auth_service_pb2, identity_pb2
from flyteidl2.project import project_service_pb2
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message

from flyteapps_control.v1 import control_pb2

ROOTS: Sequence[FileDescriptor] = (
    app_service_pb2.DESCRIPTOR,
    app_logs_service_pb2.DESCRIPTOR,
    auth_service_pb2.DESCRIPTOR,
    identity_pb2.DESCRIPTOR,
    project_service_pb2.DESCRIPTOR,
    control_pb2.DESCRIPTOR,
)
"""The files whose services the console calls."""
WITHOUT = ("buf/validate/", "google/api/", "protoc-gen-openapiv2/")
"""Files of options alone."""
BUILT_IN = "google/protobuf/"
"""Files that the npm package @bufbuild/protobuf has."""
PLUGIN = Path(__file__).parent / "node_modules" / ".bin" / "protoc-gen-es"


def request() -> CodeGeneratorRequest:
    """Return the request that protoc would send to the plugin."""
    found = CodeGeneratorRequest(parameter="target=ts")
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in seen or file.name.startswith(WITHOUT):
            return
        seen.add(file.name)
        for each in file.dependencies:
            add(each)
        bare = found.proto_file.add()
        file.CopyToProto(bare)
        kept = [each for each in bare.dependency if not each.startswith(WITHOUT)]
        del bare.dependency[:], bare.public_dependency[:], bare.weak_dependency[:]
        bare.dependency.extend(kept)
        _without_options(bare)
        if not file.name.startswith(BUILT_IN):
            found.file_to_generate.append(file.name)

    for file in ROOTS:
        add(file)
    return found


def _without_options(message: Message) -> None:
    """Remove what extends the options, in all parts of a file."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for each in value if field.is_repeated else [value]:
            if field.name == "options":
                for option, _ in each.ListFields():
                    if option.is_extension:
                        each.ClearExtension(option)
                each.DiscardUnknownFields()
            else:
                _without_options(each)


def main(folder: Path) -> int:
    """Write the modules to the folder."""
    ran = subprocess.run([PLUGIN], input=request().SerializeToString(), stdout=subprocess.PIPE, check=True)
    answer = CodeGeneratorResponse.FromString(ran.stdout)
    if answer.error:
        print(answer.error, file=sys.stderr)
        return 1
    for each in answer.file:
        path = folder / each.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each.content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
