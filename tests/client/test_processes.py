"""Errors and handles cross processes: pickled, copied, and given back by a worker of a pool."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition
from google.protobuf.any_pb2 import Any as AnyMessage

import flyteapps
from client.conftest import SCOPE, client_of
from flyteapps import App, Change, ChangeKind, Client, DeploymentStatus, errors
from flyteapps.default import use
from flyteapps.errors import Error, Violation
from flyteapps.flows.verdicts import Baseline
from flyteapps.settings import Settings
from flyteapps_fake.control_plane import FakeControlPlane

COPIES: dict[str, Callable[[Any], Any]] = {
    **{
        f"pickle {protocol}": (lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol)))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def message(name: str = "hello") -> definition.App:
    """Return an app with a condition."""
    app = flyteapps.new_app(name, image="example.org/hello:1", project="demo", domain="development")
    app.status.conditions.add(deployment_status=DeploymentStatus(99), message="odd")
    return app


def kinds() -> list[type[Error]]:
    """Return every class of errors, those that are added later included."""
    everywhere = [*vars(errors).values(), *(getattr(flyteapps, name) for name in flyteapps.__all__)]
    raised = {each for each in everywhere if isinstance(each, type) and issubclass(each, Exception)}
    found = [each for each in raised if issubclass(each, Error)]
    assert len(found) == len(raised)
    return sorted(found, key=lambda each: each.__name__)


def made(kind: type[Error]) -> Error:
    """Return an error of that class with all that it can have."""
    detail = AnyMessage(type_url="type.example.org/unknown", value=b"x")
    options: dict[str, Any] = {"code": errors.Code.ABORTED, "violations": [Violation("a", "b", "c")], "app": "p/d/n"}
    if issubclass(kind, errors.WaitError):
        options["last"] = App(message())
    if issubclass(kind, errors.DeploymentFailed):
        options |= {"substate": flyteapps.Substate(77), "reason": "odd", "log_lines": ["one", "two"]}
    error = kind(
        "what", details=[message(), detail], request_id="id", endpoint="http://h", maybe_applied=True, **options
    )
    error.seconds = 1.5
    error.add_note("a note")
    return error


def state(error: Error) -> dict[str, Any]:
    """Return the attributes of an error, in a form that compares."""
    found = {**vars(error)}
    last = found.pop("last", None)
    return {**found, "last": last.pb2 if isinstance(last, App) else last, "args": error.args, "text": str(error)}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_keeps_what_it_has(kind: type[Error]) -> None:
    """By every protocol of pickle and by both copies: class, attributes, arguments, notes."""
    plain, full = kind("x"), made(kind)
    for name, across in COPIES.items():
        for error in (plain, full):
            again = across(error)
            assert type(again) is kind and state(again) == state(error), name
    assert "a note" in copy.copy(full).__notes__


class Mine(errors.WaitTimeout, errors.AppNotFound):
    """An error of a user, with another constructor."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.two = two


def test_an_error_of_a_user_keeps_what_it_has() -> None:
    """With any constructor, and with any built-in exceptions among its bases."""
    for across in COPIES.values():
        again = across(Mine(1, 2))
        assert type(again) is Mine and again.two == 2 and again.message == "1 and 2" and isinstance(again, OSError)


def fail(name: str) -> None:
    """Raise, in a worker, the error of that class."""
    raise made({each.__name__: each for each in kinds()}[name])


def test_a_pool_gives_errors_back() -> None:
    """A worker's error is raised by the future, and the pool goes on, whatever the class."""
    names = [each.__name__ for each in kinds()]
    with ProcessPoolExecutor(2, multiprocessing.get_context("forkserver")) as pool:
        futures = [pool.submit(fail, name) for name in names]
        for name, future in zip(names, futures, strict=True):
            error = future.exception(timeout=60)
            assert type(error).__name__ == name and isinstance(error, Error) and error.request_id == "id"


class Special(App):
    """A subclass with attributes of its own, one of them in a slot."""

    __slots__ = ("slotted",)

    def __init__(self, pb2: definition.App, client: Client | None = None) -> None:
        super().__init__(pb2, client)
        self.slotted = "s"
        self.tags = ["a"]


@pytest.mark.parametrize("kind", [App, Special])
@pytest.mark.parametrize("name", COPIES)
def test_a_handle_keeps_what_it_has(name: str, kind: type[App]) -> None:
    """Class, message, how its last wait ended, which write it waits for; a pickled one is of the default client."""
    client = Client("http://127.0.0.1:1", **SCOPE)
    app = kind(message(), client)
    app.waited = flyteapps.Waited("observed", False, 1.0)
    vars(app)["_baseline"] = Baseline(revision=3)  # what a write leaves
    if name.startswith("pickle") and int(name.split()[1]) < 2 and kind is Special:
        return  # these protocols know no slots
    again = COPIES[name](app)
    assert type(again) is kind and again.pb2 == app.pb2 and again.waited == app.waited
    assert vars(again)["_baseline"] == vars(app)["_baseline"]
    if isinstance(again, Special):
        assert again.slotted == "s" and again.tags == ["a"]
    if name.startswith("pickle"):
        use(None)
        with pytest.raises(errors.ConfigError, match="default client"):
            _ = again.client
    else:
        assert again.client is client
        assert (again.pb2 is app.pb2) == (name == "copy")


VALUES: list[Any] = [
    Change(ChangeKind.UPDATED, App(message()), App(message("other"))),
    flyteapps.LogLine("text", datetime(2026, 1, 1, tzinfo=UTC), "USER", "r"),
    Settings("http://h", "o", "p", "d", 3.0, {"a": "b"}, flyteapps.Retries(seed=3), flyteapps.Waits(stall=2)),
    flyteapps.Config(endpoint="h:1", insecure=True),
    flyteapps.Retries(attempts=2, initial=0.1, maximum=0.5, seed=7),
    flyteapps.Retries(),
    flyteapps.Waits(timeout=5),
    flyteapps.Waited("settled", True, 0.5),
    flyteapps.Console("h:1"),
    DeploymentStatus(99),
    flyteapps.Code.ABORTED,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_equal_on_the_other_side(value: Any) -> None:
    """Results and arguments of the client cross, too."""
    for name, across in COPIES.items():
        again = across(value)
        assert type(again) is type(value), name
        if isinstance(value, Change):
            assert value.old and [again.app.pb2, again.old.pb2] == [value.app.pb2, value.old.pb2]
            assert again.kind is value.kind
        elif isinstance(value, flyteapps.Console):
            assert again.app_url("p", "d", "n") == value.app_url("p", "d", "n")
        else:
            assert again == value, name
    if isinstance(value, flyteapps.Retries):
        assert 0 <= copy.copy(value).pause(1) <= value.maximum


def test_a_client_says_why_it_does_not_cross() -> None:
    """One sentence, and what to do instead; also where it is part of something else."""
    client = Client("http://127.0.0.1:1", **SCOPE)
    for across in COPIES.values():
        for value in (client, [client], client.apps):
            if across is copy.copy and value is not client:
                continue  # shares what it holds
            with pytest.raises(TypeError, match=r"can be neither pickled nor copied.*make one in each process"):
                across(value)


def test_methods_cross_as_methods_do() -> None:
    """`pool.map(App.get, names)`: a method of a class by its name, one of a handle with the handle."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for method in (App.get, Special.listall, App.watch, flyteapps.init):
            assert repr(pickle.loads(pickle.dumps(method, protocol))) == repr(method)
        bound = pickle.loads(pickle.dumps(App(message()).watch, protocol))
        assert bound.__self__.name == "hello" and bound.__name__ == "watch"


def test_a_write_is_waited_for_by_a_copy() -> None:
    """The copy of a handle that has written waits for that write, as the handle itself would."""
    with FakeControlPlane() as plane:
        client = client_of(plane, "direct")
        app = client.apps.create(message()).watch()
        app.deactivate()
        assert copy.copy(app).watch("deactivated").is_deactivated()
