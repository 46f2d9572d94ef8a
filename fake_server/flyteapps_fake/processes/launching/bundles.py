"""Code bundles: the files that a command refers to are there, and an archive stays inside of its directory.

The app itself unpacks its bundle, by the SDK's `fserve`; what it would do is checked here first, by the rules of
tarfile's filter "data", which Python 3.11 has from 3.11.4 on alone.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

ARCHIVES = ("--tgz",)
"""The options of `fserve` whose value is the URI of an archive."""
FILES = ("--pkl",)
"""The options of `fserve` whose value is the URI of another file."""
MAX_MEMBERS = 100_000
AGAIN = (
    "deploy the app again; if the SDK says that it found the bundle in its cache, where it is for a day, first type "
    "`flyte delete local-cache`"
)


def bundle_problem(command: Iterable[str], directory: Path) -> str:
    """Return what is wrong with the code bundle of a command, "" for nothing. `directory`: where it is unpacked."""
    for option, uri in _bundles(command):
        try:
            scheme, has_scheme, rest = uri.partition("://")
            path = Path(rest if has_scheme else uri)
            is_there = path.is_file()
        except (OSError, ValueError) as error:
            return f"the code bundle {uri} can't be found ({error}): {AGAIN}"
        if has_scheme and scheme != "file":
            return f"the code bundle {uri} isn't on this machine: {AGAIN}"
        if not is_there:
            return f"the code bundle {uri} is gone: {AGAIN}"
        if option in ARCHIVES and (why := _archive_problem(path, directory)):
            return f"the code bundle {uri} {why}: {AGAIN}"
    return ""


def _bundles(command: Iterable[str]) -> Iterator[tuple[str, str]]:
    previous = ""
    for argument in command:
        if argument == "--":
            return
        option, equals, value = argument.partition("=")
        if previous in ARCHIVES + FILES:
            yield previous, argument
            previous = ""
        elif option in ARCHIVES + FILES and equals:
            yield option, value
        else:
            previous = argument


def _archive_problem(path: Path, directory: Path) -> str:
    try:
        with tarfile.open(path) as archive:
            for number, member in enumerate(archive):
                if number >= MAX_MEMBERS:
                    return f"has more than {MAX_MEMBERS:,} files"
                if why := _escape(member, os.path.abspath(directory)):
                    return f"has a file that would leave its directory ({member.name!r:.200} {why})"
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        return f"is no archive that can be read ({error})"
    return ""


def _escape(member: tarfile.TarInfo, directory: str) -> str:
    """Return how a member of an archive would lead out of the directory, "" if it doesn't."""
    name = member.name.lstrip("/")  # as tar unpacks it
    if not _is_within(name, directory):
        return "is outside of it"
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return "is a device or a pipe"
    if member.issym() or member.islnk():
        if os.path.isabs(member.linkname):
            return f"is a link to the absolute path {member.linkname!r:.200}"
        beside = os.path.dirname(name) if member.issym() else ""
        if not _is_within(os.path.join(beside, member.linkname), directory):
            return f"is a link to {member.linkname!r:.200}, which is outside of it"
    return ""


def _is_within(path: str, directory: str) -> bool:
    found = os.path.normpath(os.path.join(directory, path))
    return os.path.commonpath([found, directory]) == directory
