"""Writers at once of flyte-oss on the clock realtime: how often they meet, beside a real cluster; and the client's.

Run with `make bench`; `--smoke` for a short form, which judges nothing. Four threads send raw calls that begin at once,
and the figures are the refusals by kind. They depend on the machine: the limits are wide, and only writers that never
meet, an unknown refusal or a failed write of the client exits 1.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from typing import Any

from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.core.tasks_pb2 import Container
from google.protobuf.message import Message

from flyteapps import Client, Error
from serving.server_process import ServerProcess

WRITERS = 4
KINDS = {
    "conflict": "the object has been modified",
    "exists": "already exists",
    "gone": "knative.dev",
    "replaced": "invalid object",
}
"""The kinds of INTERNAL, by words of theirs; the first that match in the order of ORDER."""
ORDER = ("replaced", "conflict", "exists", "gone")

Send = Callable[[int, int], tuple[str, Message]]
"""The request of a thread in a round: the name of its RPC, and the message."""


def app_of(name: str, image: str = "", *, stops: bool = False) -> App:
    """Return an app."""
    state = Spec.DESIRED_STATE_STOPPED if stops else Spec.DESIRED_STATE_ACTIVE
    app_id = Identifier(project="demo", domain="development", name=name)
    return App(metadata=Meta(id=app_id), spec=Spec(container=Container(image=image or "img:0"), desired_state=state))


def create(name: str, image: str) -> tuple[str, Message]:
    return "Create", rpc.CreateRequest(app=app_of(name, image))


def update(name: str, image: str) -> tuple[str, Message]:
    return "Update", rpc.UpdateRequest(app=app_of(name, image))


def stop(name: str) -> tuple[str, Message]:
    return "Update", rpc.UpdateRequest(app=app_of(name, stops=True))


def delete(name: str) -> tuple[str, Message]:
    return "Delete", rpc.DeleteRequest(app_id=app_of(name).metadata.id)


def updates(thread: int, number: int) -> tuple[str, Message]:
    """Update one id."""
    return update("one", f"img:{number}.{thread}")


def creates(thread: int, number: int) -> tuple[str, Message]:
    """Create one new id."""
    return create(f"new-{number}", f"img:{number}.{thread}")


def stops(thread: int, number: int) -> tuple[str, Message]:
    """Update in two threads, stop in two."""
    return stop("stopped") if thread % 2 else update("stopped", f"img:{number}.{thread}")


def deletes(thread: int, number: int) -> tuple[str, Message]:
    """Create, update and delete twice."""
    image = f"img:{number}.{thread}"
    return (create("gone", image), update("gone", image), delete("gone"), delete("gone"))[thread]


RACES: Sequence[tuple[str, Send, str]] = (
    ("updates of one id", updates, "109 conflict"),
    ("creates of one new id", creates, "103 exists, 9 conflict"),
    ("updates against stops", stops, "39 conflict"),
    ("Create, Update against Delete", deletes, "20-27 exists, 10-11 gone, 1-2 replaced, 1-26 NOT_FOUND"),
)


def kind_of(status: int, body: bytes) -> str:
    """Return what became of a call."""
    if status == 200:
        return "OK"
    text = body.decode()
    if status == 404:
        return "NOT_FOUND"
    return next((kind for kind in ORDER if KINDS[kind] in text), f"{status} {text[:100]}")


def race(port: int, send: Send, rounds: int) -> Counter[str]:
    """Return how often the calls of all rounds ended in which ways."""
    found = Counter[str]()
    barrier = threading.Barrier(WRITERS)

    def write(thread: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(rounds):
            method, request = send(thread, number)
            body = request.SerializeToString()
            barrier.wait()
            path = f"/flyteidl2.app.AppService/{method}"
            connection.request("POST", path, body, {"content-type": "application/proto"})
            response = connection.getresponse()
            found[kind_of(response.status, response.read())] += 1
        connection.close()

    together([lambda thread=thread: write(thread) for thread in range(WRITERS)])
    return found


def client_writes(port: int, writers: int, rounds: int) -> list[str]:
    """Return the errors of this project's client, whose writers replace one app in rounds that begin together."""
    errors: list[str] = []
    barrier = threading.Barrier(writers)
    endpoint = f"http://127.0.0.1:{port}"
    Client(endpoint, project="demo", domain="development").apps.create(app_of(f"client-{writers}"))

    def write(writer: int) -> None:
        client = Client(endpoint, project="demo", domain="development")
        for number in range(rounds):
            spec = app_of("", f"img:{number}.{writer}").spec
            barrier.wait()
            try:
                client.apps.replace(f"client-{writers}", spec, "a benchmark")
            except Error as error:
                errors.append(str(error))

    together([lambda writer=writer: write(writer) for writer in range(writers)])
    return errors


def together(calls: Sequence[Callable[[], Any]]) -> None:
    """Run the calls, each in a thread."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> int:
    """Print the table."""
    smoke = "--smoke" in sys.argv
    rounds, client_rounds = (2, 2) if smoke else (40, 25)
    wrong = 0
    with ServerProcess("--dialect", "flyte-oss", "--clock", "realtime") as server:
        print(f"{WRITERS} threads, {rounds} rounds; beside them a cluster's, of 40 rounds")
        for name, send, cluster in RACES:
            found = race(server.port, send, rounds)
            unknown = set(found) - {"OK", "NOT_FOUND", *ORDER}
            refused = WRITERS * rounds - found["OK"]
            wrong += bool(unknown) or not found["OK"] or not refused
            text = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
            print(f"{name:32} {text:60} cluster: {cluster}")
        for writers in (2, 4):
            errors = client_writes(server.port, writers, client_rounds)
            wrong += bool(errors)
            taken = writers * client_rounds - len(errors)
            print(f"the client, {writers} writers x {client_rounds} rounds: {taken} OK", *errors[:2])
    return 1 if wrong and not smoke else 0


if __name__ == "__main__":
    sys.exit(main())
