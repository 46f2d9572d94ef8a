"""The commands of a sequence: one dataclass a command, whose fields are enums of choices.py, or flags.

A command that makes no sense where it stands, such as closing a stream that isn't open, does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.sequences.choices import (
    BrokenRule,
    ClusterName,
    DesiredState,
    Extra,
    Image,
    ListFilter,
    ListLimit,
    ListScope,
    ListSort,
    Reason,
    Replicas,
    Report,
    ReportedRevision,
    Reporter,
    Seconds,
    SentRevision,
    SlotName,
    StreamNumber,
    UrlForm,
    WatchTarget,
)
from flyteapps_contract.sequences.table import Command, CommandTable, Row


@dataclass(frozen=True, slots=True)
class Create(Command):
    """Send Create."""

    slot: SlotName
    state: DesiredState = DesiredState.STOPPED
    image: Image = Image.FIRST
    extra: Extra = Extra.NONE


@dataclass(frozen=True, slots=True)
class Get(Command):
    """Send Get by id."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class Update(Command):
    """Send Update with a whole app, as a client makes it."""

    slot: SlotName
    state: DesiredState
    image: Image
    extra: Extra
    revision: SentRevision
    reason: Reason


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """Send Delete."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class Start(Command):
    """Send Update of the app as last read, to a desired state of ACTIVE."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class Stop(Command):
    """Send Update of the app as last read, to a desired state of STOPPED."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class List(Command):
    """Send List for the first page."""

    scope: ListScope
    filter: ListFilter
    sort: ListSort
    limit: ListLimit
    counted: bool
    bare: bool


@dataclass(frozen=True, slots=True)
class NextPage(Command):
    """Send List for the next page of the last listing."""


@dataclass(frozen=True, slots=True)
class Watch(Command):
    """Open a Watch."""

    target: WatchTarget


@dataclass(frozen=True, slots=True)
class CloseWatch(Command):
    """Close a stream from the client's side."""

    stream: StreamNumber


@dataclass(frozen=True, slots=True)
class PauseWatch(Command):
    """Stop reading a stream, or read on."""

    stream: StreamNumber


@dataclass(frozen=True, slots=True)
class Advance(Command):
    """Move the plane's clock."""

    seconds: Seconds


@dataclass(frozen=True, slots=True)
class Lease(Command):
    """Open a cluster's Lease stream."""

    cluster: ClusterName


@dataclass(frozen=True, slots=True)
class Leave(Command):
    """Close a cluster's Lease stream."""

    cluster: ClusterName


@dataclass(frozen=True, slots=True)
class ReportStatus(Command):
    """Send UpdateStatus with any report."""

    slot: SlotName
    report: Report
    reporter: Reporter
    revision: ReportedRevision
    condition_revision: ReportedRevision
    replicas: Replicas


@dataclass(frozen=True, slots=True)
class Progress(Command):
    """Send UpdateStatus with the report that comes next on the app's way to its desired state."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class GetByUrl(Command):
    """Send Get by the public URL that the app had when it was last read."""

    slot: SlotName
    form: UrlForm


@dataclass(frozen=True, slots=True)
class Resend(Command):
    """Send Update of the app as last read, with another label."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class BreakRule(Command):
    """Send Create or Update, whichever would be accepted, with one rule of the messages broken."""

    slot: SlotName
    rule: BrokenRule


@dataclass(frozen=True, slots=True)
class LoseCreate(Command):
    """Send Create, and lose the response."""

    slot: SlotName
    state: DesiredState
    image: Image


@dataclass(frozen=True, slots=True)
class LoseUpdate(Command):
    """Send Update, and lose the response."""

    slot: SlotName
    state: DesiredState
    image: Image
    revision: SentRevision


@dataclass(frozen=True, slots=True)
class LoseDelete(Command):
    """Send Delete, and lose the response."""

    slot: SlotName


COMMANDS = CommandTable(
    STANDARD,
    (
        Row(Create, 8),
        Row(Get, 3),
        Row(Update, 8),
        Row(Delete, 3),
        Row(Start, 2),
        Row(Stop, 3),
        Row(List, 4),
        Row(NextPage, 2),
        Row(Watch, 3),
        Row(CloseWatch),
        Row(PauseWatch),
        Row(Advance, 3, "clock"),
        Row(Lease, 3),
        Row(Leave),
        Row(ReportStatus, 5),
        Row(Progress, 4),
        Row(GetByUrl),
        Row(Resend),
        Row(BreakRule),
        Row(LoseCreate),
        Row(LoseUpdate),
        Row(LoseDelete),
    ),
)
