"""Types of command-line options: variables as a second source of a value, pools, pairs, ports."""

from __future__ import annotations

import datetime
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flyteapps_fake.cli.output import warn

_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class Option(click.Option):
    """An option that a variable FLYTEAPPS_... can set as well, with that variable in its error messages."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value, unless it is an address that Kubernetes sets for a Service of that name."""
        found = super().resolve_envvar_value(ctx)
        if found is None or not _SERVICE_ADDRESS.match(found):
            return found
        warn(
            f"{self._variable}={found} is what Kubernetes sets for a Service, not an option, and is ignored: "
            f"to set the option, use {self.opts[0]}"
        )
        return None

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the names of the option and of its variable."""
        return f"{super().get_error_hint(ctx)} or {self._variable}"

    @property
    def _variable(self) -> str:
        return f"FLYTEAPPS_{(self.name or '').upper()}"


if TYPE_CHECKING:
    _PoolType = click.ParamType[tuple[str, tuple[str, ...]]]
    _PairType = click.ParamType[tuple[str, str]]
    _MomentType = click.ParamType[datetime.datetime]
else:  # click's types can't be subscripted before 8.4
    _PoolType = _PairType = _MomentType = click.ParamType


class Pool(_PoolType):
    """A pool's name and the clusters that serve it, written as NAME=CLUSTER,CLUSTER."""

    name = "pool"

    def convert(
        self, value: str | tuple[str, tuple[str, ...]], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[str, ...]]:
        """Return the name and the clusters, or fail with an example."""
        if not isinstance(value, str):
            return value
        name, equals, clusters = value.partition("=")
        parts = tuple(each.strip() for each in clusters.split(","))
        if not (name.strip() and equals and all(parts)):
            self.fail(f"{value!r} is not a pool with its clusters; use one such as default=east,west", param, ctx)
        return name.strip(), parts


class Moment(_MomentType):
    """A time in the form of ISO 8601, in UTC unless it names a zone."""

    name = "time"

    def convert(
        self, value: str | datetime.datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Return the time, or fail with an example."""
        if not isinstance(value, str):
            return value
        try:
            found = datetime.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; use one such as 2026-01-01T00:05:00Z", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)


class Pair(_PairType):
    """Two texts with = between them. `noun` names such a pair in error messages, `example` shows one."""

    name = "pair"

    def __init__(self, noun: str, example: str) -> None:
        self._noun = noun
        self._example = example

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return both texts, or fail with an example."""
        if not isinstance(value, str):
            return value
        left, _, right = (part.strip() for part in value.partition("="))
        if not (left and right):
            self.fail(f"{value!r} is not {self._noun}; use one such as {self._example}", param, ctx)
        return left, right


class _PortRange(click.IntRange):
    name = "port number, 0 to 65535"  # the name in click's messages


option = partial(Option, show_default=True)
port = partial(option, type=_PortRange(0, 65_535), metavar="PORT")
PATH = click.Path(path_type=Path)
