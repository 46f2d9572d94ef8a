"""Fixtures for people's own tests, registered by an entry point. Nothing heavy is imported until one is used.

What the end of a run reports travels in the reports of tests, so that it arrives from the workers of pytest-xdist, too.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

__all__ = ["flyte_plane", "flyte_plane_endpoint", "make_flyte_plane", "plane", "plane_endpoint"]

MARKER = "flyte_plane"
STRICT = "strict_faults"
"""The argument of the marker that is no setting of a plane."""

_FAILED = pytest.StashKey[bool]()
"""Of a test: whether its own code failed."""
_UNAPPLIED = pytest.StashKey[list[str]]()
"""Of a test: the rules for faults that no call got."""
_RENAMED = pytest.StashKey[bool]()
"""Of a test: whether it uses a fixture by an old name."""
_UNAPPLIED_IN_REPORT, _RENAMED_IN_REPORT = "flyteapps_unapplied", "flyteapps_renamed"
"""The same two, as attributes of a test's report."""


@pytest.fixture
def flyte_plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """Return a fresh stand-in control plane on the auto clock; it fails a test that leaves a stream open.

    Its settings are those of the marker: `@pytest.mark.flyte_plane(clock="manual", org="acme")`.
    """
    with _opened(request.node, _settings(request.node), f"@pytest.mark.{MARKER}") as fresh:
        yield fresh


@pytest.fixture
def flyte_plane_endpoint(flyte_plane: FakeControlPlane) -> str:
    """Return that plane's URL, such as "http://localhost:43210": Connect, gRPC-Web and gRPC, until the test ends.

    By name: of http://127.0.0.1:43210 the Flyte SDK would make the org "127".
    """
    return f"http://localhost:{flyte_plane.serve().port}"


@pytest.fixture
def make_flyte_plane(request: pytest.FixtureRequest) -> Iterator[Callable[..., FakeControlPlane]]:
    """Return a function that makes a plane with the settings given; all are closed at the test's end, the last first.

    The marker's settings are for `flyte_plane` alone.
    """
    with contextlib.ExitStack() as planes:

        def make(**settings: Any) -> FakeControlPlane:
            __tracebackhide__ = True
            return planes.enter_context(_opened(request.node, settings, "make_flyte_plane"))

        yield make


@pytest.fixture
def plane(request: pytest.FixtureRequest, flyte_plane: FakeControlPlane) -> FakeControlPlane:
    """Return `flyte_plane`. Deprecated: use that name."""
    request.node.stash[_RENAMED] = True
    return flyte_plane


@pytest.fixture
def plane_endpoint(request: pytest.FixtureRequest, plane: FakeControlPlane) -> str:
    """Return the URL of `plane`. Deprecated: use `flyte_plane_endpoint`."""
    request.node.stash[_RENAMED] = True
    return f"http://localhost:{plane.serve().port}"


@pytest.fixture(autouse=True)
def _flyteapps_default_client() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    """Restore the default client of `flyteapps.init` after a test; the one of a wider fixture stays."""
    before = getattr(sys.modules.get("flyteapps.default"), "_client", None)
    yield
    if (module := sys.modules.get("flyteapps.default")) is not None:
        module.use(before)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): settings of the fixture {MARKER}, such as clock='manual'; "
        f"{STRICT}=True: a rule for faults that no call got is an error",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the marker of a test that doesn't use the fixture, too."""
    if MARKER not in getattr(item, "fixturenames", ()) and (settings := _settings(item)):
        _made(settings, f"@pytest.mark.{MARKER}").close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the end of the run reports into the last report of a test."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    if report.when == "teardown":
        if rules := item.stash.get(_UNAPPLIED, None):
            setattr(report, _UNAPPLIED_IN_REPORT, rules)
        if item.stash.get(_RENAMED, False):
            setattr(report, _RENAMED_IN_REPORT, True)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the rules for faults that no call got, and the old names of fixtures."""
    reports = [each for category in terminalreporter.stats.values() for each in category]
    lines = [f"{report.nodeid}: {rule}" for report in reports for rule in getattr(report, _UNAPPLIED_IN_REPORT, ())]
    if lines:
        terminalreporter.section("flyteapps: faults that no call got", yellow=True)
        for line in lines:
            terminalreporter.line(line)
        terminalreporter.line(f"@pytest.mark.{MARKER}({STRICT}=True) makes it an error of the test.")
    if count := len({report.nodeid for report in reports if getattr(report, _RENAMED_IN_REPORT, False)}):
        terminalreporter.section("flyteapps: old names of fixtures", yellow=True)
        terminalreporter.line(
            f"{count} test(s) use the fixture plane or plane_endpoint: the names are flyte_plane and "
            "flyte_plane_endpoint by now, and the old ones go with version 1.0"
        )


def _settings(item: pytest.Item) -> dict[str, Any]:
    """Return the arguments of the markers of a test; the nearest wins. Fails the test for a positional one."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers(MARKER))):
        if marker.args:
            pytest.fail(
                f"@pytest.mark.{MARKER} takes settings by name, such as clock='manual', not {marker.args[0]!r}",
                pytrace=False,
            )
        settings |= marker.kwargs
    if not isinstance(settings.get(STRICT, False), bool):
        pytest.fail(f"@pytest.mark.{MARKER}: {STRICT} must be True or False, not {settings[STRICT]!r}", pytrace=False)
    return settings


def _made(settings: dict[str, Any], where: str) -> FakeControlPlane:
    """Return a plane, or fail the test with what is wrong. `where`: the place of the settings."""
    fields = {name: value for name, value in settings.items() if name != STRICT}
    try:
        from flyteapps_fake.control_plane import FakeControlPlane
        from flyteapps_fake.core.settings import CALLS

        fields.setdefault("call_log", CALLS)
        return FakeControlPlane(**fields)
    except ModuleNotFoundError as missing:
        message = str(missing)
    except (TypeError, ValueError) as wrong:
        message = f"{where}: {wrong}"
    pytest.fail(message, pytrace=False)  # outside of the handler: the error's own text stands in the message


@contextlib.contextmanager
def _opened(item: pytest.Item, settings: dict[str, Any], where: str) -> Generator[FakeControlPlane]:
    """Make a plane for a test; close it at the test's end, and note the rules for faults that no call got."""
    unused: list[str] = []
    with _made(settings, where) as made:
        try:
            yield made
        finally:
            if rules := [each for each in made.list_faults() if not each.applied]:
                from flyteapps_fake.control.rule_text import text_of

                unused += map(text_of, rules)
                item.stash.setdefault(_UNAPPLIED, []).extend(unused)
    strict = _settings(item).get(STRICT, False)
    if unused and strict and not item.stash.get(_FAILED, False):
        pytest.fail("\n  ".join(("no call got these faults:", *unused)), pytrace=False)
