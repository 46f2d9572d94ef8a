"""`flyteapps verify` on planes of either dialect: which one a plane speaks, and runs by the right and the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.catalogue.dialects import DIALECTS as DIALECT_TABLE
from flyteapps_contract.cli import verify
from flyteapps_contract.deviations.deviations import of_dialect
from flyteapps_contract.explorations.registry import OF_DIALECT
from flyteapps_contract.profiles import PROFILES
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.detecting import Sign, describe_signs, find_leniency
from flyteapps_contract.targets.endpoint import Address, EndpointTarget
from flyteapps_fake import FakeControlPlane

DIALECTS = ["standard", "flyte-oss"]


@pytest.fixture
def planes() -> Iterator[dict[str, FakeControlPlane]]:
    """Return a plane of each dialect, in real time."""
    with (
        FakeControlPlane(clock="realtime") as standard,
        FakeControlPlane(clock="realtime", dialect="flyte-oss") as oss,
    ):
        yield {"standard": standard, "flyte-oss": oss}


@pytest.mark.parametrize("protocol", ["connect", "grpc"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_is_detected(
    dialect: str, protocol: str, planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str]
) -> None:
    """--detect names the plane's dialect, shows what it saw, ends with 0, and leaves nothing."""
    server = planes[dialect].serve()
    endpoint = server.grpc_target if protocol == "grpc" else server.url
    assert verify.main([endpoint, "--detect", "--protocol", protocol]) == 0
    said = capsys.readouterr().out
    assert f"it speaks {dialect}" in said and said.count(f"[{dialect}]") == 4
    assert planes[dialect].count() == 0


@pytest.mark.parametrize("kubernetes", ["none", "knative"])
def test_leniency_is_found_out(kubernetes: Literal["none", "knative"]) -> None:
    """A plane that takes a name which no cluster takes is lenient, and one whose cluster refuses it isn't."""
    with FakeControlPlane(clock="realtime", dialect="flyte-oss", kubernetes=kubernetes) as plane:
        target = EndpointTarget(Address.parse(plane.serve().url), dialect="flyte-oss")
        run = Run(prefix="fclen")
        found = find_leniency(target, run)
        assert (found.lenient, plane.count(), run.left) == (kubernetes == "none", 0, {})
        assert ("[no cluster" if found.lenient else "not run are checks that need a plane without such") in str(found)


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "INTERNAL", "RESOURCE_EXHAUSTED"])
def test_leniency_may_stay_unknown(code: str) -> None:
    """Without the right to write, or with another refusal, it is unknown, and said so; lenient checks are not run."""
    with FakeControlPlane(clock="realtime", dialect="flyte-oss") as plane:
        plane.faults.fail("Create", code=code, message="not by you")
        url = plane.serve().url
        found = find_leniency(EndpointTarget(Address.parse(url), dialect="flyte-oss"), Run(prefix="fclen"))
        assert found.lenient is None and "can't be found out" in str(found)


def test_a_run_says_what_it_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A run on a plane without a cluster asks what needs leniency, and says why it can."""
    with FakeControlPlane(clock="realtime", dialect="flyte-oss", kubernetes="none") as plane:
        arguments = [
            plane.serve().url,
            "--dialect",
            "flyte-oss",
            "--profile",
            "directed",
            "--only",
            "OSS-1",
            "--only",
            "OSS-38",
            "-v",
        ]
        assert verify.main(arguments) == 0
        said = capsys.readouterr().out
        assert "[no cluster behind the plane checks names, sizes and specs]" in said
        assert "what its own code takes" not in said


def test_signs_that_disagree_tell_nothing() -> None:
    """If signs name two dialects, or fewer than half name one, none is detected, and the known ones are named."""
    both = [Sign("a", "OK", "standard"), Sign("b", "OK", "flyte-oss"), Sign("c", "OK", "standard")]
    few = [Sign("a", "OK", "standard"), Sign("b", "?", ""), Sign("c", "?", ""), Sign("d", "?", "")]
    for found in (both, few, []):
        dialect, text = describe_signs(found)
        assert dialect == "" and "standard, flyte-oss" in text


def test_what_is_no_plane_has_no_dialect(
    planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has none of the methods: status 2, and what it answered; a port without a server: status 2."""
    url = planes["standard"].serve().url
    monkeypatch.setattr("flyteapps_contract.session.SERVICE", "nobody.knows.Service")
    assert verify.main([url, "--detect"]) == 2
    said = capsys.readouterr().out
    assert "can't be told" in said and "UNIMPLEMENTED" in said
    assert verify.main(["http://localhost:1", "--detect"]) == 2
    assert "is it running" in capsys.readouterr().err


def test_a_run_on_the_dialect(planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str]) -> None:
    """A known deviation is shown with what holds instead, which is judged, too; nothing is left; status 0."""
    arguments = [
        planes["flyte-oss"].serve().url,
        "--dialect",
        "flyte-oss",
        "--only",
        "CR-2",
        "--prefix",
        "fcoss",
        "--profile",
        "directed",
    ]
    assert verify.main(arguments) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 holds, 1 known deviation" in said and "instead OSS-7" in said
    assert planes["flyte-oss"].count() == 0


def test_a_deviation_that_is_gone_fails(
    planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str]
) -> None:
    """A plane that does not upsert breaks what is guaranteed instead of ALREADY_EXISTS."""
    url = planes["standard"].serve().url
    assert verify.main([url, "--dialect", "flyte-oss", "--only", "CR-2", "--profile", "directed"]) == 1
    assert "ALREADY_EXISTS" in capsys.readouterr().out


def test_the_wrong_dialect(planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str]) -> None:
    """A plane that has no List of an org is no standard one: status 2, and --detect is named; so are the dialects."""
    url = planes["flyte-oss"].serve().url
    assert verify.main([url, "--only", "CR-2"]) == 2
    assert "--detect" in capsys.readouterr().err
    assert verify.main([url, "--dialect", "nope"]) == 2
    assert "dialect must be one of standard, flyte-oss, not 'nope'" in capsys.readouterr().err
    assert verify.main([url, "--dialect", "flyte-oss@1.0"]) == 2
    assert "1.0 isn't known; known is 2.0.43, as in flyte-oss@2.0.43" in capsys.readouterr().err


def test_a_run_on_a_version(planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str]) -> None:
    """--dialect with a version judges by that one, of which there is a file of deviations."""
    url = planes["flyte-oss"].serve().url
    assert verify.main([url, "--dialect", "flyte-oss@2.0.43", "--only", "CR-2"]) == 0
    assert "instead OSS-7" in " ".join(capsys.readouterr().out.split())
    assert all(of_dialect("flyte-oss", version).deviations for version in DIALECT_TABLE["flyte-oss"].versions)


def test_what_a_run_left_is_removed(planes: dict[str, FakeControlPlane], capsys: pytest.CaptureFixture[str]) -> None:
    """--clean finds the apps of a prefix among all, removes those that run, too, and no others; a prefix is taken."""
    plane = planes["flyte-oss"]
    server = plane.serve()
    for prefix in ("fcold", "fcother"):
        target = EndpointTarget(Address.parse(server.url), dialect="flyte-oss")
        session = Session(target.plane(), Run(prefix=prefix))
        session.given()
        session._created.clear()  # pyright: ignore[reportPrivateUsage]  # as a run that was killed
        session.close()
    arguments = [server.url, "--dialect", "flyte-oss"]
    assert verify.main([*arguments, "--prefix", "fcold", "--only", "OSS-7"]) == 2
    assert "--clean fcold" in capsys.readouterr().err
    assert verify.main([*arguments, "--clean", "fcold"]) == 0
    left = plane.stub().list(rpc.ListRequest()).apps
    assert [app.metadata.id.name.partition("-")[0] for app in left] == ["fcother"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dry_run_says_what_is_drawn(dialect: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run lists the checks of the dialect, and what is drawn of it."""
    assert verify.main(["localhost:1", "--dialect", dialect, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert ("OSS-38" in said) == (dialect == "flyte-oss")
    assert [name for name in PROFILES["quick"].budgets if f"{name}: up to" in said] == list(OF_DIALECT[dialect])
