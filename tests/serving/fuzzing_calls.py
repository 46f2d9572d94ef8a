"""Random calls of a plane in this process: its RPCs by the direct transport, its control API, its Python objects."""

from __future__ import annotations

import datetime
import inspect
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.message import DecodeError, Message

from flyteapps_control.api import ControlError
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth, Client, User
from flyteapps_fake.control.service import ControlService, Row
from flyteapps_fake.core.operations import OPERATIONS, Operation

from .fuzzing import Requests, mutated
from .fuzzing_wires import CODES, OF_CREDENTIALS, OF_EVERY_RPC
from .messages import create, get
from .messages_of import NAMES

SHORT_SECONDS = 0.001
"""The timeout of a call, in which a fault may delay it."""
MAX_OPEN = 8
"""Open streams; the next one takes the place of another."""
A_BLOCK = 100
"""Calls, of which in every other block half drive the plane: by rules for faults, its clock, its keys."""
MAX_TIMERS = 50
"""Timers that one move of the clock fires: some scenarios have no end."""
OF_CONTROL = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED"}
OF_BACKEND = {"INTERNAL", "UNAVAILABLE"}
"""Codes of flyte-oss, whose backend leaves some requests unchecked, and fails by others: docs/flyte-oss.md."""
ACCESS = Auth(
    users=[User("ann", "contributor", projects=["p"]), User("vic", "viewer"), User("root", "admin")],
    clients=[Client("ci", "not-so-secret", "admin")],
)
OPERATED: dict[str, Any] = {"data_plane": "none", "pools": {"west": ["w1"]}}
"""Settings of a plane whose clusters come by the Lease RPC."""
SUBJECTS = ("ann", "vic", "root", "ci")
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
WORDS = (
    *("", "a", "b", "*", "p", "flyte", "Create", "Get", "Watch", "List", "UNAVAILABLE", "ACTIVE", "crash-loop"),
    *(
        "50rps",
        "root",
        "ci",
        "10s",
        "2m",
        "-1s",
        "1h30m",
        "1e9s",
        "[",
        "{a,b}",
        "a\0",
        "\ud800",
        "\u202e",
        "/",
        "../..",
    ),
    "x" * 2_000,
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 3.5, 2**31, 2**63, 1e300, float("nan"), float("inf"), b"a", NOW, NOW.date()),
    *([], ["a"], {}, {"a": 1}, {"name": "x", "steps": []}, {"scenarios": []}, (1, 2), ("1s", "2s"), object(), int),
)
"""Arguments of the Python objects besides texts."""
OF_RULES = ("app", "project", "domain", "code", "nth", "first", "after", "message", "applied", "probability", "caller")
"""Names of arguments of rules; those of other functions are in their signatures."""


def kind_of(operation: Operation) -> Any:
    """Return the method of an RPC, as generated clients have it."""
    return MethodInfo(
        name=operation.method,
        service_name=operation.service,
        input=operation.request,
        output=operation.response,
        idempotency_level=IdempotencyLevel.UNKNOWN,
    )


METHODS = [(operation, kind_of(operation)) for operation in OPERATIONS.values()]


class Messages(Requests):
    """Draws messages of any type."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__({}, rng, filled=0.2)

    def of(self, kind: type[Message]) -> Message:
        """Return a message; one with an app often has what could be stored, one in four is mutated in its bytes."""
        message: Any = self._message(cast("Any", kind).DESCRIPTOR, 4)
        if isinstance(getattr(message, "app", None), App) and self._rng.random() < 0.6:
            self._make_storable(message.app)
        if self._rng.random() < 0.2:
            try:
                return kind.FromString(mutated(self._rng, message.SerializeToString()))
            except DecodeError:
                pass
        return message

    def _make_storable(self, app: Any) -> None:
        rng = self._rng
        app.CopyFrom(create(rng.choice(NAMES), stopped=rng.random() < 0.3).app)
        app.metadata.id.project, app.metadata.id.domain = "p", "d"
        app.metadata.revision = rng.choice((0, 0, 1, 2, 3))
        app.spec.container.image = rng.choice(("image:1", "image:2", "image:3"))
        app.status.assigned_cluster = rng.choice(("", "simulated", "w1"))
        if rng.random() < 0.3:
            app.spec.MergeFrom(self._message(app.spec.DESCRIPTOR, 3))
        if rng.random() < 0.3:
            app.status.MergeFrom(self._message(app.status.DESCRIPTOR, 3))


class RandomCalls:
    """Calls one plane at random, and judges each outcome; `codes` counts them.

    Odd seeds make planes that need credentials.
    """

    def __init__(self, seed: int, dialect: str) -> None:
        rng = self._rng = random.Random(seed)
        self._messages = Messages(rng)
        clock: Any = rng.choice(("manual", "manual", "auto", "realtime"))
        self._auth = ACCESS if seed % 2 else None
        self.plane = FakeControlPlane(
            org=rng.choice((None, "flyte")),
            dialect=dialect,
            clock=clock,
            speed=1_000.0 if clock == "realtime" else 1.0,
            auth=self._auth,
            call_log=rng.choice((0, 50)),
            seed=seed,
            **(OPERATED if dialect == "standard" and rng.random() < 0.4 else {}),
        )
        self._direct = self.plane.transport()
        self._rows = list(self.plane.companion(ControlService).handlers.items())
        self._dialect = dialect
        self._tokens: list[str] = []
        self._streams: list[Any] = []
        self._driven = False
        self.codes: Counter[str] = Counter()
        self._objects = self._functions()

    async def run(self, count: int) -> None:
        """Make so many calls; fail for the first whose outcome is outside of the contract."""
        for start in range(0, count, A_BLOCK):
            self._driven = not self._driven
            for _ in range(min(A_BLOCK, count - start)):
                if self._driven and self._rng.random() < 0.5:
                    self._control(*self._rng.choice(self._rows)) if self._rng.random() < 0.5 else self._object()
                elif self._rng.random() < 0.4 and self._streams:
                    await self._read()
                else:
                    await self._call(*self._rng.choice(METHODS))
            self._close_streams()
            self.plane.faults.clear()
            if self._rng.random() < 0.2:
                self.plane.reset()

    def _close_streams(self) -> None:
        while self._streams:
            self._streams.pop().close()
        assert self.plane.open_streams() == 0

    def close(self) -> None:
        """End the streams; check that the plane still works, and that nothing of the calls is left in it."""
        self.plane.reset()
        if self._auth is None and self.plane.org == "flyte":
            stub = self.plane.stub()
            stub.create(create("canary"))
            assert stub.get(get("canary")).app.metadata.id.name == "canary"
        self.plane.close()

    # ---- RPCs

    def _headers(self) -> dict[str, str] | None:
        rng = self._rng
        if self._auth is not None and rng.random() < 0.9:
            if not self._tokens or rng.random() < 0.05:
                self._tokens.append(self.plane.token(rng.choice(SUBJECTS)))
            token = rng.choice(self._tokens[-10:])
            if rng.random() < 0.1:
                token = mutated(rng, token.encode()).decode("latin-1")
            return {rng.choice(("authorization", "Authorization")): f"Bearer {token}"}
        if rng.random() < 0.9:
            return None
        return {
            rng.choice(("authorization", "x", "", "ä", "X-Request-Id")): rng.choice(("", "Bearer", "Basic x", "\0"))
        }

    async def _call(self, operation: Operation, method: Any) -> None:
        rng = self._rng
        request, headers = self._messages.of(operation.request), self._headers()
        awaits = rng.random() < 0.5
        try:
            if operation.streaming:
                opened = self._direct.async_stream if awaits else self._direct.stream
                self._keep(opened(method, request, rng.choice((None, 60.0, SHORT_SECONDS)), headers))
            elif awaits:
                await self._direct.async_unary(method, request, SHORT_SECONDS, headers)
            else:
                self._direct.unary(method, request, SHORT_SECONDS, headers)
        except ConnectError as error:
            self._judge(operation.method, error.code, f"{error.message}: {request}")
        else:
            self.codes["OK"] += 1

    def _keep(self, stream: Any) -> None:
        self._streams.append(stream)
        if len(self._streams) > MAX_OPEN:
            left = self._streams.pop(self._rng.randrange(MAX_OPEN))
            if self._rng.random() < 0.5:
                left.close()

    async def _read(self) -> None:
        """Read a few messages of a stream."""
        if not self._streams:
            return
        stream = self._rng.choice(self._streams)
        try:
            for _ in range(self._rng.randrange(5)):
                received = stream.receive(0)
                if hasattr(received, "__await__"):
                    await received
                self.codes["message"] += 1
        except TimeoutError:
            pass
        except (EOFError, ConnectError) as error:
            self._streams.remove(stream)
            if isinstance(error, ConnectError):
                self._judge("a stream", error.code, error.message)

    def _judge(self, method: str, code: Code, text: str) -> None:
        name = code.name
        self.codes[name] += 1
        if self._driven or (self._dialect != "standard" and name in OF_BACKEND):
            return
        fitting = OF_EVERY_RPC | CODES.get(method, {"NOT_FOUND", "UNAVAILABLE"})
        assert name in (fitting | OF_CREDENTIALS if self._auth else fitting), f"{method} {name}: {text}"

    # ---- the control API

    def _control(self, name: str, row: Row) -> None:
        request: Any = self._messages.of(row.request)
        if name == "AdvanceClock":
            request.max_timers = self._rng.choice((1, MAX_TIMERS, MAX_TIMERS, -1))
        try:
            self.plane.control._api.call(name, request, row.response)  # pyright: ignore[reportPrivateUsage]  # every RPC of it
        except ControlError as error:
            assert error.code in OF_CONTROL, f"{name} {error.code}: {error}: {request}"
            self.codes[f"control {error.code}"] += 1
        else:
            self.codes["control OK"] += 1

    def _functions(self) -> list[Callable[..., Any]]:
        control = self.plane.control
        groups = (control.faults, control.calls, control.scenarios, control.loads)
        found = [getattr(group, name) for group in groups for name in dir(type(group)) if not name.startswith("_")]
        found += [control.clock.why, control.drop_streams, self.plane.reset, self.plane.token, self.plane.api_key]
        found += [self.plane.revoke_token, self.plane.rotate_keys, control.tokens.skew, control.tokens.rotate_keys]
        return found

    def _object(self) -> None:
        """Call a Python function of the plane or its control API with random arguments."""
        rng = self._rng
        function = rng.choice(self._objects)
        parameters = inspect.signature(function).parameters.values()
        names = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
        most = len([each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.VAR_POSITIONAL)])

        def value() -> Any:
            return rng.choice(WORDS if rng.random() < 0.7 else VALUES)

        arguments = [value() for _ in range(rng.choice((0, 1, 1, 1, 2)) if rng.random() < 0.1 else most)]
        named = {rng.choice(names or OF_RULES): value() for _ in range(rng.choice((0, 0, 1, 2)))}
        try:
            function(*arguments, **named)
        except (TypeError, ValueError) as error:
            self.codes[f"object {type(error).__name__}"] += 1
        except OSError:
            assert function == self.plane.scenarios.add, (function, arguments, named)  # of a file
        except RuntimeError as error:
            assert "plane answers everyone" in str(error), (function, arguments, named)
        except AssertionError:
            assert function.__name__ == "verify", (function, arguments, named)
        else:
            self.codes["object OK"] += 1
