"""The commands of a sequence: one dataclass a command, whose fields are enums of choices.py, or flags.

A command that makes no sense where it stands, such as closing a stream that isn't open, does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS
from flyteapps_contract.sequences.flyte_oss.choices import (
    BadCall,
    DesiredState,
    Extra,
    ListLimit,
    ListScope,
    Payload,
    Seconds,
    SlotName,
    StreamNumber,
)
from flyteapps_contract.sequences.table import Command, CommandTable, Row


@dataclass(frozen=True, slots=True)
class Create(Command):
    """Send Create."""

    slot: SlotName
    payload: Payload = Payload.FIRST
    state: DesiredState = DesiredState.ACTIVE
    extra: Extra = Extra.NONE


@dataclass(frozen=True, slots=True)
class CreateAgain(Command):
    """Send Create with the spec that is stored, under an id that may be another one of that app."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class Update(Command):
    """Send Update with a whole app."""

    slot: SlotName
    payload: Payload
    state: DesiredState
    extra: Extra


@dataclass(frozen=True, slots=True)
class Stop(Command):
    """Send Update to STOPPED; `bare`: without a payload."""

    slot: SlotName
    bare: bool


@dataclass(frozen=True, slots=True)
class Start(Command):
    """Send Update of the app as Get gives it, to a desired state of ACTIVE."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """Send Delete."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class Get(Command):
    """Send Get."""

    slot: SlotName


@dataclass(frozen=True, slots=True)
class GetAgain(Command):
    """Send Get, move the plane's clock, and send Get again."""

    slot: SlotName
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class List(Command):
    """Send List for the first page; `odd`: with a filter, sort keys and a total, which are ignored."""

    scope: ListScope
    limit: ListLimit
    odd: bool


@dataclass(frozen=True, slots=True)
class NextPage(Command):
    """Send List for the next page of the last listing."""


@dataclass(frozen=True, slots=True)
class Watch(Command):
    """Open a Watch of an app; without a name, where `nameless`."""

    slot: SlotName
    nameless: bool


@dataclass(frozen=True, slots=True)
class CloseWatch(Command):
    """Close a stream from the client's side."""

    stream: StreamNumber


@dataclass(frozen=True, slots=True)
class Advance(Command):
    """Move the plane's clock."""

    seconds: Seconds


@dataclass(frozen=True, slots=True)
class SendBad(Command):
    """Send a call that is refused."""

    call: BadCall


COMMANDS = CommandTable(
    FLYTE_OSS,
    (
        Row(Create, 7),
        Row(CreateAgain, 2),
        Row(Update, 7),
        Row(Stop, 4),
        Row(Start, 2),
        Row(Delete, 4),
        Row(Get, 5),
        Row(GetAgain, 3, "clock"),
        Row(List, 4),
        Row(NextPage, 2),
        Row(Watch, 4),
        Row(CloseWatch),
        Row(Advance, 4, "clock"),
        Row(SendBad),
    ),
)
