"""The table of probable causes: each row explains its recorded text, and no row before it does."""

from __future__ import annotations

import pytest
from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError

from flyteapps import Code
from flyteapps.transports.trouble import TABLE, Row, explain


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
