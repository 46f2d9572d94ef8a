"""The document of a state directory as JSON: without a plane, from what is whole in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake.core.state.document import FORMAT, WrongState, add_encoded
from flyteapps_fake.directory.checking import disagreements, examined, unchanged
from flyteapps_fake.directory.errors import Corrupt
from flyteapps_fake.directory.reading import Reading
from flyteapps_fake.directory.salvage import entry_name
from flyteapps_fake.seeding.document_text import document_text


def export(directory: Path, output: Path | None) -> list[str]:
    """Write the document to a file, or to standard output; return what is missing in it.

    Raises StateError, such as Corrupt where not even the dialect can be read, and OSError.
    """
    document, problems = document_of(directory)
    text = document_text(document)
    if output is None:
        sys.stdout.write(text.decode())
        return problems
    new = output.with_name(f".{output.name}.new-{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
        os.replace(new, output)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return problems


def document_of(directory: Path) -> tuple[PlaneState, list[str]]:
    """Return the document of a directory, and what is missing in it."""
    with unchanged(directory) as user, Reading(directory) as reading:
        about, problems = examined(reading, in_use=bool(user))
        if about is None:
            raise Corrupt(directory, problems[0])
        document = PlaneState(format=FORMAT, dialect=about.dialect, written_by=about.version)
        salvage = reading.salvage()
        for section, key, value in salvage.entries():
            try:
                add_encoded(document, section, value)
            except WrongState as error:
                problems.append(f"{entry_name(section, key)}: {error}")
        problems += disagreements(about, salvage.counts.total(), salvage.checksum, salvage.errors)
        problems += [f"{entry_name(*each)}: is lost or damaged" for each in salvage.lost()]
    return document, problems
