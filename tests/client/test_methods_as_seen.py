"""The view of `inspect`, `help`, `unittest.mock`, decorators and subclasses on methods: as of a plain class."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import pydoc
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from flyteidl2.app import app_definition_pb2 as definition

import flyteapps
from client.conftest import Run, client_of
from flyteapps import App, Client, DeploymentFailed
from flyteapps.client import Apps
from flyteapps.default import use
from flyteapps.drivers.binding import Call, Iteration
from flyteapps.options import ClientOptions
from flyteapps_fake.control_plane import FakeControlPlane

dialect = "standard"


@pytest.fixture
def client() -> Iterator[Client]:
    """The default client, of a plane with the app `hello`, active."""
    with FakeControlPlane() as plane:
        made = use(client_of(plane, "direct"))
        made.apps.create(message("hello")).watch()
        yield made
        use(None)


def message(name: str) -> definition.App:
    """Return an app to create."""
    return flyteapps.new_app(name, image="example.org/hello:1")


GET = "(name: 'str', project: 'str | None' = None, domain: 'str | None' = None) -> 'App'"
WATCH = "(wait_for: 'WaitFor' = 'activated', timeout: 'float | None' = None) -> 'App'"
SEEN: dict[str, tuple[Any, str]] = {
    "App.get": (App.get, GET),
    "App.get.aio": (App.get.aio, GET),
    "Apps.get of a client": (Client("http://h").apps.get, GET),
    "app.watch": (App(message("a")).watch, WATCH),
    "app.watch.aio": (App(message("a")).watch.aio, WATCH),
    "App.watch": (App.watch, "(self, " + WATCH[1:]),
    "app.events": (App(message("a")).events, "(timeout: 'float | None' = None) -> 'Items[Change]'"),
    "app.events.aio": (App(message("a")).events.aio, "(timeout: 'float | None' = None) -> 'AsyncItems[Change]'"),
    "App.delete": (App.delete, GET.replace("'App'", "'None'")),
}

OPTIONS: dict[str, Any] = {
    **dict.fromkeys(ClientOptions.__annotations__),
    "timeout": 30.0,
    "protocol": "connect",
    "insecure_skip_verify": False,
}
"""The options of a client, with their defaults."""


@pytest.mark.parametrize("name", SEEN)
def test_signatures_are_the_callers(name: str) -> None:
    """No `self` where none is passed, and the result that the caller gets, not the flow that the library runs."""
    method, signature = SEEN[name]
    assert str(inspect.signature(method)) == signature


def test_help_shows_methods() -> None:
    """`help(App)` lists them among its methods, with signature and docstring; so does `help` of one."""
    text = pydoc.plain(pydoc.render_doc(App))
    methods = text.split("Methods defined here:")[1].split("Readonly properties")[0]
    for name in ("get", "create", "listall", "watch", "events", "show_logs"):
        assert f" |  {name}(" in methods
        doc = inspect.getdoc(getattr(App, name))
        assert doc and doc.splitlines()[0] in methods
    assert inspect.isroutine(App.get) and inspect.isroutine(App.watch) and inspect.isroutine(App(message("a")).watch)
    assert inspect.iscoroutinefunction(App.get.aio) and not inspect.iscoroutinefunction(App.listall.aio)
    assert "get(" in pydoc.plain(pydoc.render_doc(App.get)) and App.get.__name__ == "get"


@pytest.mark.parametrize("function", [Client, Client.__init__, flyteapps.init, flyteapps.init.aio])
def test_signatures_list_the_options(function: Any) -> None:
    """Each option of a client stands in the signature as a keyword with its annotation and its default."""
    options = list(inspect.signature(function).parameters.values())[-len(OPTIONS) :]
    assert {each.name: each.default for each in options} == OPTIONS
    assert {each.kind for each in options} == {inspect.Parameter.KEYWORD_ONLY}
    assert next(each.annotation for each in options if each.name == "retries") == "int | Retries | None"


def test_help_lists_the_options() -> None:
    """`help` of the class and of `init` shows the options; the defaults shown are those that a client uses."""
    for function in (Client, flyteapps.init):
        assert "timeout: 'float | None' = 30.0" in pydoc.plain(pydoc.render_doc(function))
    assert Client("http://h").settings.timeout == OPTIONS["timeout"]


def test_doctest_finds_the_docstrings() -> None:
    """Examples in a subclass's or a library's docstrings are found as those of functions are."""
    found = {each.name for each in doctest.DocTestFinder(exclude_empty=False).find(App, "App")}
    assert {"App.watch", "App.activate", "App.events"} <= found


PATCHED: list[tuple[Any, str, tuple[Any, ...]]] = [
    (App, "get", ("hello",)),
    (App, "create", (message("a"),)),
    (App, "listall", ()),
    (App, "delete", ("hello",)),
    (App, "watch", ()),
    (App, "activate", (True,)),
    (App, "events", ()),
    (Apps, "get", ("hello",)),
]


@pytest.mark.parametrize(("owner", "name", "args"), PATCHED, ids=lambda each: str(each))
def test_a_patch_with_autospec_has_both_forms_and_the_signature(owner: Any, name: str, args: Any) -> None:
    """Called as the method is, through the class or an object, blocking and by `aio`; what it can't take is refused."""
    by_class = owner is App and name in vars(Apps)
    with mock.patch.object(owner, name, autospec=True) as patched:
        target: Any = owner if by_class else App(message("a")) if owner is App else Client("http://h").apps
        patched.return_value = "blocking"
        assert getattr(target, name)(*args) == "blocking"
        patched.assert_called_once_with(*args)
        if name in ("listall", "events"):
            patched.aio.return_value = "awaiting"
            assert getattr(target, name).aio(*args) == "awaiting"
        else:
            patched.aio.return_value = "awaiting"
            assert asyncio.run(getattr(target, name).aio(*args)) == "awaiting"
        for call in (getattr(target, name), getattr(target, name).aio):
            with pytest.raises(TypeError, match=r"unexpected|too many|missing"):
                call(*args, nothing=1)
    assert "mock" not in repr(getattr(owner, name)).lower()


def test_a_mock_of_the_class() -> None:
    """create_autospec(App) and its instances have every method, both ways, with the signatures."""
    kind = mock.create_autospec(App)
    kind.get.return_value.name = "mocked"
    assert kind.get("hello").name == "mocked"
    kind.get.aio.return_value = 7
    assert asyncio.run(kind.get.aio("hello")) == 7
    with pytest.raises(TypeError):
        kind.get()
    one = mock.create_autospec(App, instance=True)
    one.watch()
    one.watch("deactivated", timeout=3)
    one.is_active.return_value = True
    assert one.is_active()
    with pytest.raises(TypeError):
        one.watch(nothing=1)
    one.watch.aio.return_value = one
    assert asyncio.run(one.watch.aio(timeout=1)) is one
    one.events.return_value = [1, 2]
    assert list(one.events()) == [1, 2]
    listed = mock.create_autospec(Client("http://h").apps)
    listed.listall.return_value = []
    assert listed.listall(limit=3) == []


def test_a_patch_of_one_object(client: Client) -> None:
    """A method of a handle or of a client's apps can be replaced, and is there again afterwards."""
    app = App.get("hello")
    with mock.patch.object(app, "watch", autospec=True) as watch, mock.patch.object(client.apps, "get") as get:
        app.watch(timeout=1)
        client.apps.get("x")
    watch.assert_called_once_with(timeout=1)
    get.assert_called_once_with("x")
    assert isinstance(app.watch, Call) and client.apps.get("hello").name == "hello"


def test_unbound_methods_take_the_handle(client: Client) -> None:
    """`App.activate(app)`, as of any class, blocking and awaiting; `map` takes methods."""
    app = App.get("hello")
    assert App.deactivate(app, wait=True) is app and app.is_deactivated()
    assert asyncio.run(App.activate.aio(app, wait=True)) is app and app.is_active()
    assert Apps.get(client.apps, "hello").name == "hello"
    assert [each.message for each in App.logs(app, follow=False)]
    assert [each.name for each in map(App.get, ["hello"])] == ["hello"]


class Mine(App):
    """A subclass with something of its own."""

    @property
    def title(self) -> str:
        """The name, to be shown."""
        return self.name.title()


def test_a_subclass_gets_its_own(client: Client, run: Run) -> None:
    """Class methods, handles' methods, changes, contexts and errors of a subclass give that subclass."""
    made = run(Mine.create, message("mine"))
    assert type(made) is Mine and made.title == "Mine"
    assert run(made.watch) is made
    got = run(Mine.get, "mine")
    assert type(got) is Mine and got.client is client
    assert {type(each) for each in run.items(Mine.listall)} == {Mine}
    spec = definition.Spec()
    spec.CopyFrom(got.pb2.spec)
    spec.container.image = "example.org/hello:2"
    replaced = run(Mine.replace, "mine", spec, "another image")
    assert type(replaced) is Mine and type(run(replaced.watch)) is Mine
    changed = definition.App()
    changed.CopyFrom(replaced.pb2)
    changed.metadata.labels["a"] = "b"
    assert type(run(Mine.update, changed, "a label")) is Mine
    App.get("mine").deactivate(wait=True)
    [change] = run.items(got.events, timeout=60, most=1)
    assert type(change.app) is Mine and type(change.old) is Mine
    run.within(got.ephemeral_ctx_sync, got.ephemeral_ctx, lambda: None)
    assert repr(got).startswith("Mine(") and type(App.get("mine")) is App
    failing = message("failing")
    failing.metadata.labels["flyteapps.dev/scenario"] = "crash-loop"
    broken = run(Mine.create, failing)
    with pytest.raises(DeploymentFailed) as caught:
        run(broken.watch)
    assert type(caught.value.last) is Mine


class Careful(App):
    """A subclass that overrides methods, and calls those that it overrides."""

    asked: int = 0

    def watch(self, wait_for: Any = "activated", timeout: float | None = None) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]  # what the test is about
        """Do the same, counted."""
        self.asked += 1
        return super().watch(wait_for, timeout)

    @classmethod
    def get(cls, name: str, project: str | None = None, domain: str | None = None) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the same, in lower case."""
        return super().get(name.lower(), project, domain)


def test_a_subclass_may_override(client: Client) -> None:
    """`super()` finds the methods, and they still give the subclass."""
    app = Careful.get("HELLO")
    assert type(app) is Careful and app.watch() is app and app.asked == 1


def test_contexts_decorate(client: Client) -> None:
    """`ephemeral_ctx_sync()` decorates functions and `ephemeral_ctx()` coroutine functions, for as many calls."""
    app = App.get("hello").deactivate(wait=True)

    @app.ephemeral_ctx_sync(timeout=60)
    def blocking(number: int) -> int:
        """Return the number if the app runs."""
        return number if app.is_active() else -1

    @app.ephemeral_ctx(timeout=60)
    async def awaiting(number: int) -> int:
        return number if app.is_active() else -1

    for number in range(2):
        assert blocking(number) == number and app.is_deactivated()
        assert asyncio.run(awaiting(number)) == number and app.is_deactivated()
    assert blocking.__name__ == "blocking" and blocking.__doc__ == "Return the number if the app runs."
    with pytest.raises(flyteapps.InvalidArgument, match=r"use @app\.ephemeral_ctx\(\)"):
        app.ephemeral_ctx_sync()(awaiting)
    with pytest.raises(flyteapps.InvalidArgument, match=r"use @app\.ephemeral_ctx_sync\(\)"):
        app.ephemeral_ctx()(blocking)  # pyright: ignore[reportArgumentType]


def test_what_a_method_is(client: Client) -> None:
    """Its repr says of what it is a method, without a call; an unknown attribute is one."""
    use(None)
    assert repr(App.get) == f"<Call Apps.get of {App!r}>"
    assert isinstance(Mine.listall, Iteration) and "Mine" in repr(Mine.listall)
    assert not hasattr(App.get, "nothing")
    with pytest.raises(flyteapps.ConfigError, match="no default client"):
        App.get("hello")
