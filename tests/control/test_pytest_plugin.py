"""The pytest plugin as another project sees it: markers, the factory, what the end of a run reports, xdist, asyncio."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flyteapps_control import faults
from flyteapps_fake.control.rule_text import text_of

THEIRS = """
import flyteapps
import pytest
from flyteapps import App, Client, new_app

pytestmark = pytest.mark.flyte_plane(org="acme", seed=7)


def client_of(plane):
    return Client(transport=plane.transport(), project="demo", domain="development")


def test_settings_of_the_module(flyte_plane):
    assert (flyte_plane.settings.org, flyte_plane.settings.seed, flyte_plane.settings.clock) == ("acme", 7, "auto")


@pytest.mark.flyte_plane(clock="manual", seed=8)
def test_the_nearest_marker_wins(flyte_plane):
    assert (flyte_plane.settings.org, flyte_plane.settings.seed, flyte_plane.settings.clock) == ("acme", 8, "manual")


def test_the_endpoint_is_by_name(flyte_plane, flyte_plane_endpoint):
    assert flyte_plane_endpoint.startswith("http://localhost:")
    with Client(flyte_plane_endpoint, project="demo", domain="development") as client:
        client.apps.create(new_app("hello", image="x"))
    assert flyte_plane.count() == 1


CLOSED = []


@pytest.fixture
def order():
    yield
    assert CLOSED == ["blue", "red"]


def test_a_factory(order, make_flyte_plane):
    planes = [make_flyte_plane(org=org, clock="manual") for org in ("red", "blue")]
    for plane in planes:
        client_of(plane).apps.create(new_app("hello", image="x"))
        plane.close = lambda plane=plane, close=plane.close: (CLOSED.append(plane.settings.org), close())
    assert [each.settings.seed for each in planes] == [0, 0]


def test_a_factory_refuses(make_flyte_plane):
    make_flyte_plane(clok="manual")


@pytest.mark.flyte_plane(clok="manual")
def test_an_unknown_setting(flyte_plane):
    pass


@pytest.mark.flyte_plane(speed=-1)
def test_a_wrong_setting_without_the_fixture():
    pass


@pytest.mark.flyte_plane("manual")
def test_a_positional_setting(flyte_plane):
    pass


@pytest.mark.flyte_plane(strict_faults="yes")
def test_a_wrong_strictness(flyte_plane):
    pass


def test_an_unapplied_rule(flyte_plane):
    flyte_plane.faults.fail("Create", code="UNAVAILABLE", app="helo", nth=2)
    flyte_plane.faults.fail("Get", code="ABORTED")
    with pytest.raises(flyteapps.Conflict):
        client_of(flyte_plane).apps.get("hello")


@pytest.mark.flyte_plane(strict_faults=True)
def test_a_strict_one(flyte_plane):
    flyte_plane.faults.cut("Watch", after=1)


@pytest.mark.flyte_plane(strict_faults=True)
def test_a_failure_comes_alone(flyte_plane):
    flyte_plane.faults.cut("Watch", after=3)
    assert False


@pytest.fixture(scope="module")
def wide():
    return flyteapps.init("wide.invalid:443")


def test_a_default_client(flyte_plane):
    flyteapps.init(transport=flyte_plane.transport(), project="demo", domain="development")
    assert list(App.listall()) == []


def test_no_default_client():
    with pytest.raises(flyteapps.ConfigError, match="no default client"):
        App.get("hello")


@pytest.mark.parametrize("own", [False, True, False])
def test_the_default_client_of_a_module(wide, own, flyte_plane):
    from flyteapps.default import default_client
    assert default_client() is wide
    if own:
        flyteapps.init(transport=flyte_plane.transport())


def test_the_old_names(plane, plane_endpoint):
    assert plane.settings.org == "acme" and plane_endpoint.startswith("http://localhost:")
"""
ASYNC = """
import asyncio
import pytest
from flyteapps import Client, new_app


@pytest.mark.flyte_plane(org="acme")
async def test_in_process(flyte_plane):
    client = Client(transport=flyte_plane.transport(), project="demo", domain="development")
    app = await client.apps.create.aio(new_app("hello", image="x"))
    assert (await app.watch.aio(timeout=60)).is_active()
    flyte_plane.faults.fail("Delete", code="ABORTED")


async def test_over_a_socket(flyte_plane_endpoint):
    async with Client(flyte_plane_endpoint, project="demo", domain="development") as client:
        app = await client.apps.create.aio(new_app("hello", image="x"))
        assert (await app.watch.aio(timeout=60)).is_active()


async def test_a_cancelled_reader_is_no_leak(make_flyte_plane):
    client = Client(transport=make_flyte_plane().transport(), project="demo", domain="development")
    app = await client.apps.create.aio(new_app("hello", image="x"))
    async def read():
        async with app.events() as events:
            async for _ in events:
                pass
    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
"""


def run(folder: Path, *options: str) -> str:
    """Return what pytest prints about the tests of a folder; warnings are errors."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "--strict-markers", "-p", "no:cacheprovider"]
    command += ["-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run(
        [*command, *options, "."], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("options", [("-p", "no:xdist"), ("-n", "2", "--dist", "loadfile")], ids=["alone", "xdist"])
def test_a_project_of_another(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Markers, the factory, the reset of the default client and the report of unused rules, with and without xdist."""
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    printed = run(tmp_path, *options)
    assert re.search(r"\n2 failed, \d+ passed, 5 errors in", printed), printed
    for line in (
        r"@pytest.mark.flyte_plane: .*unexpected keyword argument 'clok': did you mean clock\?",
        r"make_flyte_plane: .*unexpected keyword argument 'clok': did you mean clock\?",
        r"@pytest.mark.flyte_plane: speed must be over 0",
        r"@pytest.mark.flyte_plane takes settings by name, such as clock='manual', not 'manual'",
        r"@pytest.mark.flyte_plane: strict_faults must be True or False, not 'yes'",
        r"no call got these faults:\n  f1: cut\('Watch', after=1, code='UNAVAILABLE'\): no call matched",
        r"=+ flyteapps: faults that no call got =+",
        r"test_theirs.py::test_an_unapplied_rule: f1: fail\('Create', code='UNAVAILABLE', app='helo', nth=2\): no call",
        r"test_theirs.py::test_a_failure_comes_alone: f1: cut\('Watch', after=3",
        r"=+ flyteapps: old names of fixtures =+\n1 test\(s\) use the fixture plane or plane_endpoint",
    ):
        assert re.search(line, printed), line + printed
    assert "ABORTED" not in printed and "another exception" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_async_tests(tmp_path: Path, mode: str) -> None:
    """Async tests use the same fixtures in both modes of pytest-asyncio."""
    marked = "import pytest\npytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
    (tmp_path / "test_theirs.py").write_text(marked + ASYNC)
    printed = run(tmp_path, "-o", f"asyncio_mode={mode}", "-n", "2")
    assert "3 passed" in printed, printed
    assert "test_in_process: f1: fail('Delete', code='ABORTED'): no call matched" in printed


def test_a_rule_in_one_line() -> None:
    """The text of a rule is the call that adds it, with what came of it."""
    rule = faults.answer("Get", status=429, retry_after=7, app="a*", project="p", first=2)
    rule.id, rule.matched = "f3", 4
    assert text_of(rule) == (
        "f3: answer('Get', status=429, headers={'retry-after': '7'}, project='p', app='a*', first=2): "
        "4 matched, 0 had it"
    )
