"""The tables of causes and of refusals: each row explains its recorded text, and no row before it does."""

from __future__ import annotations

import pytest
from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError

from flyteapps import AppNotFound, CallerError, Code
from flyteapps.transports.explanations import cluster_refusals
from flyteapps.transports.explanations.cluster_refusals import Refusal, refused
from flyteapps.transports.explanations.trouble import TABLE, Row, explain

NO_NAME = "failed to get KService a/b-demo-dev: invalid resource name \"a/b-demo-dev\": [may not contain '/']"
DELETED = 'failed to update KService a-demo-dev: services.serving.knative.dev "a-demo-dev" not found'
INVALID = 'failed to update KService a-demo-dev: Service.serving.knative.dev "a-demo-dev" is invalid: '
DENIED = 'failed to create KService a-demo-dev: admission webhook "any.example" denied the request: '

MEETINGS = ("another write came between", "another client created it meanwhile", "it was deleted meanwhile")
"""Notes of the refusals of a write that met another one; an Update of a deleted app isn't tried again."""


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.sample[14:60])
def test_a_row_explains_its_sample(row: Row) -> None:
    """The first row that matches the recorded text is the row itself; its message has no other fields than these."""
    endpoint = "http://h:1" if row.plaintext else "https://h:1"
    assert next(each for each in TABLE if each.matches(row.sample, endpoint)) is row
    message = row.message.format(endpoint=endpoint, detail="what happened", status=418)
    assert "{" not in message and ("h:1" in message or message.startswith("what happened"))


def test_a_row_for_plaintext_is_for_no_other_endpoint() -> None:
    """The advice to leave out `insecure=True` is not given for an endpoint with TLS."""
    for row in TABLE:
        if row.plaintext:
            assert not row.matches(row.sample, "https://h:1")


MESSAGES = ("app hello not found", "busy", "the revision doesn't match", "")


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("code", list(ConnectCode), ids=lambda code: code.name)
def test_an_error_of_the_plane_has_no_explanation(message: str, code: ConnectCode) -> None:
    """With any code the caller gets the plane's own message."""
    assert explain(ConnectError(code, message), Code.NOT_FOUND, "http://h:1") is None


@pytest.mark.parametrize("row", cluster_refusals.TABLE, ids=lambda row: row.sample[:60])
def test_a_row_explains_its_refusal(row: Refusal) -> None:
    """The first row that matches the message is the row itself, also in the words of the plane's outer service."""
    rpc = row.rpcs[0] if row.rpcs else "Create"
    for message in (row.sample, f"internal: {row.sample}"):
        assert next(each for each in cluster_refusals.TABLE if each.matches(message, rpc)) is row
        explanation = refused(message, rpc)
        assert explanation is not None and not explanation.reached and explanation.kind is row.kind
        assert explanation.collided is (row.note in MEETINGS and row.kind is None)
        assert explanation.message == f"{message} ({row.note}; nothing was written)"


def test_a_refused_read_is_not_said_to_have_written_nothing() -> None:
    """The words on writes are for writes alone."""
    explanation = refused(NO_NAME, "Get")
    assert explanation is not None and "written" not in explanation.message


def test_an_app_that_is_deleted_while_it_is_written() -> None:
    """Of an Update it is an AppNotFound, which is not tried again; of a Create it is a failure that may pass."""
    kinds = {rpc: explanation.kind for rpc in ("Update", "Create") if (explanation := refused(DELETED, rpc))}
    assert kinds == {"Update": AppNotFound, "Create": None}


@pytest.mark.parametrize(
    "quoted", ['services.serving.knative.dev "x" already exists', "Operation cannot be fulfilled on it"]
)
def test_what_a_refusal_quotes_is_not_read(quoted: str) -> None:
    """A value of the caller that reads like another refusal is still refused for what it is."""
    for opening in (INVALID, DENIED):
        explanation = refused(f"{opening}spec.x: Invalid value: {quoted}", "Create")
        assert explanation is not None and explanation.kind is not None and issubclass(explanation.kind, CallerError)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "failed to create KService hello-demo-dev",
        "failed to create KService hello-demo-dev: etcdserver: request timed out",
        "failed to create KService hello-demo-dev: Internal error occurred: failed calling webhook "
        '"validation.webhook.serving.knative.dev": the webhook denied nothing',
        "failed to get KService hello-demo-dev: context deadline exceeded",
        "failed to list KServices for demo/dev: the server is currently unable to handle the request",
        'services.serving.knative.dev "hello-demo-dev" already exists',
        'failed to update KService hello-demo-dev: secrets "hello" not found',
    ],
)
@pytest.mark.parametrize("rpc", ["Create", "Update", "Delete", "List"])
def test_a_failure_of_the_cluster_is_no_refusal(message: str, rpc: str) -> None:
    """After an outage of the cluster the write may have been made."""
    assert refused(message, rpc) is None
