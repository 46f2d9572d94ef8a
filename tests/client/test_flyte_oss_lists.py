"""Lists of the open-source backend, by its dialect: filters, sort and org are ignored there, and the client does it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import Client, InvalidArgument
from flyteapps.testing import FaultyTransport
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import SCOPE, SETTLES, Run, client_of
from .messages import app


@pytest.fixture
def dialect() -> str:
    """The fixtures' planes are of this dialect alone here."""
    return "flyte-oss"


class TestLists:
    """Filters, sort and org are ignored there: the client does it, and says so."""

    @pytest.fixture
    def client(self, plane: FakeControlPlane) -> Client:
        """A client of five apps: b and d are stopped."""
        client = client_of(plane, "direct")
        for name in "bdace":
            made = client.apps.create(app(name))
            if name in "bd":
                made.deactivate()
        return client

    def names(self, run: Run, client: Client, **options: Any) -> list[str]:
        """Return the listed apps."""
        return [each.name for each in run.items(client.apps.listall, **options)]

    def test_apps_excluded_by_a_filter_are_reported_once(
        self, client: Client, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A warning of the logger `flyteapps`, once for a client."""
        assert self.names(run, client) == ["a", "b", "c", "d", "e"]
        assert not caplog.records
        for _ in range(2):
            assert self.names(run, client, in_status="stopped") == ["b", "d"]
        assert self.names(run, client, created_by_subject="somebody") == []
        [record] = caplog.records
        assert (record.name, record.levelno) == ("flyteapps", logging.WARNING)
        assert "does not filter" in record.getMessage()

    def test_a_limit_counts_what_is_left(self, client: Client, run: Run) -> None:
        """And an iteration goes on where another had stopped, without a repetition."""
        assert self.names(run, client, in_status="stopped", limit=2) == ["b", "d"]
        found: list[str] = []
        token = ""
        while True:
            with client.apps.listall(in_status="stopped", limit=1, token=token) as items:
                found += [each.name for each in items]
                token = items.token
            if not token:
                break
        assert found == ["b", "d"]

    def test_a_sort_is_kept(self, client: Client, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        """Over all pages, before the limit; that it costs all of them is told."""
        assert self.names(run, client, sort_by=("name", "desc"), limit=3) == ["e", "d", "c"]
        assert self.names(run, client, sort_by=("name", "asc"), in_status="stopped") == ["b", "d"]
        assert self.names(run, client, sort_by=("status_phase", "asc"))[:2] == ["b", "d"]
        assert [record.getMessage().partition(": ")[2][:24] for record in caplog.records] == [
            "this plane does not sort",
            "this plane does not filt",
        ]

    def test_a_key_that_there_is_not(self, client: Client, run: Run) -> None:
        """No other layer rejects it."""
        with pytest.raises(InvalidArgument, match="created_at"):
            self.names(run, client, sort_by=("colour", "asc"))

    def test_an_org(self, plane: FakeControlPlane, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        """It can't be listed there: all apps are, and those of other orgs left out."""
        for org in ("acme", "other", ""):
            client = client_of(plane, "direct", org=org)
            client.apps.create(app(f"of-{org or 'nobody'}"))
        client = Client(transport=plane.transport(), org="acme")
        assert self.names(run, client) == ["of-acme"]
        assert self.names(run, client, in_status="failed") == []
        assert [record.getMessage().partition(": ")[2][:22] for record in caplog.records] == [
            "this plane can't list ",
            "this plane does not fi",
        ]
        assert self.names(run, Client(transport=plane.transport())) == ["of-acme", "of-nobody", "of-other"]

    def test_a_plane_that_filters_is_not_warned_of(self, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        """Nor asked more often than needed."""
        with FakeControlPlane() as plane:
            transport = FaultyTransport(plane.transport())
            client = Client(transport=transport, org="acme", **SCOPE)
            for name in "ba":
                client.apps.create(app(name))
            client.apps.get("b").deactivate(wait=True)
            transport.clear()
            assert self.names(run, client, in_status="stopped", sort_by=("name", "asc")) == ["b"]
            assert self.names(run, Client(transport=client.transport, org="acme")) == ["b", "a"]
            assert [call.rpc for call in transport.calls] == ["List", "List"]
        assert not caplog.records


@pytest.mark.parametrize("name", ["a" * 31, "a.b", "a_b"])
def test_an_app_whose_name_the_client_refuses(name: str, run: Run) -> None:
    """It is listed, and its handle works; only what takes a name refuses it, before any call."""
    with FakeControlPlane(dialect="flyte-oss", kubernetes="none") as plane:
        message = app(name)
        message.metadata.id.MergeFrom(definition.Identifier(**SCOPE))
        plane.stub().create(payload.CreateRequest(app=message))
        transport = FaultyTransport(plane.transport())
        client = Client(transport=transport, waits=SETTLES, **SCOPE)
        for refuse in (client.apps.get, client.apps.delete):
            with pytest.raises(InvalidArgument, match="app name"):
                run(refuse, name)
        assert not transport.calls
        [handle] = run.items(client.apps.listall)
        assert run(run(handle.watch).deactivate, wait=True).name == name
