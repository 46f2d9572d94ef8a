"""The control API of a stand-in with authentication, from the shell and from Python, by a token or an API key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flyteapps.testing import ControlError, connect_control
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.control.main import main


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane with the users and clients of `demo`."""
    with FakeControlPlane(auth="demo", clock="manual") as made:
        yield made


@pytest.fixture
def url(plane: FakeControlPlane) -> str:
    """Return the plane's address."""
    return plane.serve().url


def test_an_admin_drives_by_a_key_or_a_token(plane: FakeControlPlane, url: str) -> None:
    """A key is exchanged for a token once the plane asks for credentials, and again when that is revoked."""
    by_key = connect_control(url, api_key=plane.api_key("flyteapps-ci"))
    by_key.faults.fail("Get", code="ABORTED")
    plane.rotate_keys(keep=False)
    assert len(by_key.faults.list()) == 1
    assert connect_control(url, token=plane.token("alice")).clock.mode == "manual"


def test_who_may_not_is_refused(plane: FakeControlPlane, url: str) -> None:
    """Without credentials, with those of a viewer, and with a key of another server."""
    with pytest.raises(ControlError, match="this plane needs credentials"):
        connect_control(url).faults.list()
    with pytest.raises(ControlError, match="viewer"):
        connect_control(url, token=plane.token("vera")).reset()
    with FakeControlPlane(auth="demo") as other:
        other.serve()
        with pytest.raises(ControlError, match="the API key is for"):
            connect_control(url, api_key=other.api_key("flyteapps-ci")).faults.list()
    with pytest.raises(ControlError, match="no base64 of ENDPOINT"):
        connect_control(url, api_key="nonsense").faults.list()


def test_the_command_takes_them_from_variables(
    plane: FakeControlPlane, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """FLYTE_API_KEY, as the server prints it, or FLYTEAPPS_TOKEN."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", url)
    assert main(["faults", "list"]) == 1
    assert "this plane needs credentials" in capsys.readouterr().err
    monkeypatch.setenv("FLYTE_API_KEY", plane.api_key("flyteapps-ci"))
    assert main(["faults", "list"]) == 0
    monkeypatch.delenv("FLYTE_API_KEY")
    monkeypatch.setenv("FLYTEAPPS_TOKEN", plane.token("alice"))
    assert main(["faults", "list"]) == 0


def test_tokens_from_the_shell(
    plane: FakeControlPlane, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A skewed clock and another key make tokens void; a key of a client gets new ones."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", url)
    monkeypatch.setenv("FLYTE_API_KEY", plane.api_key("flyteapps-ci"))
    token = plane.token("alice")
    assert main(["tokens", "skew", "--ahead", "2h"]) == 0
    assert capsys.readouterr().out == "the clock of the tokens is 2h ahead\n"
    with pytest.raises(ControlError, match="expired"):
        connect_control(url, token=token).faults.list()
    assert main(["tokens", "skew"]) == 0
    assert connect_control(url, token=token).faults.list() == []
    assert main(["tokens", "rotate-keys", "--drop"]) == 0
    assert "tokens of the keys before don't count any more" in capsys.readouterr().out
    with pytest.raises(ControlError, match="unknown key"):
        connect_control(url, token=token).faults.list()
    assert main(["tokens", "skew", "--ahead", "1h", "--behind", "1h"]) == 2
    assert "ahead or behind, not both" in capsys.readouterr().err
