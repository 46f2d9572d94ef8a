"""The modules generated from our own .proto files: `python protos/generate.py PROTOC` writes them, `--check` compares.

PROTOC: a folder with grpcio-tools. Its version decides the oldest protobuf that the modules work with; the newest can't
be installed beside it, hence a folder of its own. The descriptors of imported files come from the installed packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buf.validate import validate_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

HERE = Path(__file__).parent
PACKAGE = "flyteapps_control"
IMPORTED: Sequence[FileDescriptor] = (validate_pb2.DESCRIPTOR,)
"""The files that the .proto files import, besides those of protobuf, which protoc has."""
GENERATED = ("*_pb2.py", "*_pb2.pyi")

Files = Mapping[str, bytes]
"""By path below this folder."""


def generated(protoc: Path) -> Files:
    """Return the modules that the compiler in that folder makes of the .proto files."""
    sources = sorted(str(path.relative_to(HERE)) for path in (HERE / PACKAGE).rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        described = Path(scratch, "imported.binpb")
        described.write_bytes(_descriptors(IMPORTED).SerializeToString())
        made = Path(scratch, "made")
        made.mkdir()
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={HERE}"]
        command += [f"--descriptor_set_in={described}", f"--python_out={made}", f"--pyi_out={made}"]
        subprocess.run([*command, *sources], check=True, env={**os.environ, "PYTHONPATH": str(protoc)})
        return modules_in(made)


def modules_in(folder: Path) -> Files:
    """Return the generated modules below a folder."""
    found = (path for pattern in GENERATED for path in (folder / PACKAGE).rglob(pattern))
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(found)}


def differences(present: Files, made: Files) -> Iterator[str]:
    """Yield what differs between the modules that are there and those that were made, a sentence each."""
    for path in sorted(present.keys() | made.keys()):
        if path not in made:
            yield f"protos/{path} is made from no .proto file: remove it"
        elif path not in present:
            yield f"protos/{path} is missing: run `make protos`"
        elif present[path] != made[path]:
            yield f"protos/{path} is not what its .proto file makes: run `make protos`"


def main(arguments: Sequence[str]) -> int:
    """Write the modules, or with `--check` compare them: return 1 and print any differences."""
    protoc = Path(next(each for each in arguments if each != "--check"))
    made = generated(protoc.resolve())
    if "--check" in arguments:
        found = list(differences(modules_in(HERE), made))
        print("\n".join([*found, f"protos: {len(found)} differences in the {len(made)} generated modules"]))
        return 1 if found else 0
    for path, content in made.items():
        (HERE / path).write_bytes(content)
    for path in modules_in(HERE).keys() - made.keys():
        (HERE / path).unlink()
    return 0


def _descriptors(files: Sequence[FileDescriptor]) -> FileDescriptorSet:
    """Return the files with all that they import, each after what it imports."""
    found = FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for each in file.dependencies:
                add(each)
            file.CopyToProto(found.file.add())

    for file in files:
        add(file)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
