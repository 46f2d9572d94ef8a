"""The public names: exact, resolvable, and the only ones that README, docs and examples import."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

import pytest
from import_graph import ROOT

PUBLIC_MODULES = {
    *("flyteapps", "flyteapps.auth", "flyteapps.testing", "flyteapps.testing.faults"),
    *("flyteapps_fake", "flyteapps_fake.auth", "flyteapps_fake.pytest_plugin", "flyteapps_contract"),
}

FAKE = {"Code", "FakeControlPlane", "LeakedStreams", "RpcError", "Settings"}
AUTH = {
    *(
        "ApiKey",
        "Auth",
        "ClientSecret",
        "DeviceFlow",
        "ExternalCommand",
        "Passthrough",
        "Pkce",
        "StaticToken",
        "TokenFunction",
    ),
    "auth_metadata",
}
TESTING = {
    *("SILENCE", "Call", "FaultyTransport", "MockServer", "MockTransport", "faults"),
    *("CallsDiffer", "Control", "ControlError", "connect_control"),
}
RULES = {
    "Fault",
    "answer",
    "cut",
    "delay",
    "fail",
    "reorder",
    "repeat",
    "reset",
    "stale",
    "stall",
    "steal_lease",
    "withhold",
}
PLUGIN = {"flyte_plane", "flyte_plane_endpoint", "make_flyte_plane", "plane", "plane_endpoint"}
CONTRACT = {
    *("contract_tests", "client_tests"),
    *("Target", "Capabilities", "PlanesTarget", "EndpointTarget"),
    *("ClientFactory", "ClientUnderTest", "HandleUnderTest", "Kind", "NotOffered", "blocking"),
    *("FLYTE_OSS_RECORDING", "Recorder", "Rules", "load_recording", "replay", "replay_file", "save_recording"),
}
"""These lists are the promise of docs/compatibility.md, as is that of tests/client/test_public.py for the client."""

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("flyteapps_fake", FAKE),
        ("flyteapps.auth", AUTH),
        ("flyteapps_fake.auth", {"Auth", "Client", "User"}),
        ("flyteapps.testing", TESTING),
        ("flyteapps.testing.faults", RULES),
        ("flyteapps_contract", CONTRACT),
    ],
)
def test_a_package_exports_exactly_its_public_names(package: str, names: set[str]) -> None:
    """`__all__` holds no more and no fewer; each name can be imported, and anything else is an AttributeError."""
    module = importlib.import_module(package)
    assert set(module.__all__) == names
    assert len(module.__all__) == len(names)
    for name in names:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing


def test_the_plugin_exports_its_fixtures() -> None:
    """The pytest plugin has its fixtures, with the old names of two, and says so."""
    from flyteapps_fake import pytest_plugin

    assert set(pytest_plugin.__all__) == PLUGIN


def test_the_docs_and_examples_import_public_names_alone() -> None:
    """An import of ours in README, docs or an example is of a public module, and of a name that it exports."""
    private = [f"{where}: {name}" for where, name in _imported() if not _is_public(name)]
    assert private == []


def _imported() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            yield from ((page.name, name) for name in _imports_of(block))
    for example in EXAMPLES:
        yield from ((example.name, name) for name in _imports_of(example.read_text(encoding="utf-8")))


def _imports_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}:{each.name}" for each in node.names)


def _is_public(imported: str) -> bool:
    module, _, name = imported.partition(":")
    if module.partition(".")[0] not in ("flyteapps", "flyteapps_fake", "flyteapps_contract"):
        return True
    return module in PUBLIC_MODULES and (not name or name in importlib.import_module(module).__all__)
