"""JSON requests of the dialect of the open-source backend: the outcomes of Go's protojson, in its words."""

from __future__ import annotations

import pytest
from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest

from flyteapps_fake.flyte_oss.go_json import scalars
from flyteapps_fake.flyte_oss.go_json.decoder import TOO_DEEP, decode_json
from flyteapps_fake.flyte_oss.go_json.reader import GoJsonError

MEBIBYTE = 1024 * 1024


def error_of(document: bytes) -> str:
    """Return the error of a Get with that document, "" for none."""
    try:
        decode_json(document.decode(errors="surrogateescape"), GetRequest())
    except GoJsonError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"", "syntax error (line 1:1): unexpected token "),
        (b"{", "unexpected EOF"),
        (b"[]", "syntax error (line 1:1): unexpected token ["),
        (b"\xef\xbb\xbf{}", "syntax error (line 1:1): invalid value \ufeff"),
        (b"\xff{}", "syntax error (line 1:1): invalid value \ufffd"),
        (b'{"appId":{}}\n {}', "syntax error (line 2:2): unexpected token {"),
        (b'{"appId":{},}', "syntax error (line 1:13): unexpected token }"),
        (b'{"nope":[1 2]}', "syntax error (line 1:12): unexpected token 2"),
        (b'{"appId" 5}', 'syntax error (line 1:10): unexpected character 5, missing ":" after field name'),
        (b'{"appId":tru}', "syntax error (line 1:10): invalid value tru"),
        (b'{"nope":01}', "syntax error (line 1:9): invalid value 01"),
        (b'{"nope":NaN}', "syntax error (line 1:9): invalid value NaN"),
        (b'{"appId":{"name":"\t"}}', "syntax error (line 1:18): invalid character '\\t' in string"),
        (b'{"appId":{"name":"\xc3"}}', "syntax error (line 1:18): invalid UTF-8 in string"),
        (b'{"appId":{"name":"\\q"}}', 'syntax error (line 1:18): invalid escape code "\\\\q" in string'),
        (b'{"appId":{"name":"\\udc00x12345"}}', 'syntax error (line 1:18): invalid escape code "x12345" in string'),
        (b'{"appId":{"name":5}}', "(line 1:18): invalid value for string field name: 5"),
        (b'{"appId":5}', "syntax error (line 1:10): unexpected token 5"),
        (b'{"appId":{"name":"\\u00e9\\ud83d\\ude00\\n"}}', ""),
        (b'{"appId":{"name":null},"[a.b]":{"c":[]},"x":{"a":1,"a":2}}', ""),
    ],
)
def test_a_document_is_read_as_in_go(document: bytes, error: str) -> None:
    """Errors have the line and the column; unknown fields are only read."""
    assert error_of(document) == error


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("5", 5),
        ('"5"', 5),
        ("5.0", 5),
        ("0.5e1", 5),
        ("50e-1", 5),
        ("-0", 0),
        ("4294967295", 2**32 - 1),
        *(
            (bad, None)
            for bad in ("5.5", "-1", "4294967296", "1e20", "1e99999999999", '"+5"', '" 5"', '""', "true", "[]")
        ),
    ],
)
def test_a_whole_number_is_read_as_in_go(number: str, value: int | None) -> None:
    """With zeros after its point, with an exponent, and in a string; nothing that isn't whole or has too many bits."""
    request = ListRequest()
    document = f'{{"request":{{"limit":{number}}}}}'
    if value is None:
        with pytest.raises(GoJsonError, match="invalid value for uint32 field limit"):
            decode_json(document, request)
    else:
        decode_json(document, request)
        assert request.request.limit == value


def test_other_scalars_are_read_as_in_go() -> None:
    """Doubles, names of doubles, and bytes of either alphabet."""
    assert [scalars.floating(each, 64) for each in ("0.5", "1e400")] == [0.5, None]
    assert [scalars.floating(each, 32) for each in ("0.5", "1e39")] == [0.5, None]
    assert scalars.named_float("-Infinity") == float("-inf")
    good = ("-_8=", "-_8", "+/8=", "+/8", "")
    assert [scalars.octets(each) for each in good] == [b"\xfb\xff", b"\xfb\xff", b"\xfb\xff", b"\xfb\xff", b""]
    assert [scalars.octets(each) for each in ("+_8=", "a", "ab=", "!!!!")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:01Z", 1, 0),
        ("1970-01-01T1:00:00.5+01:00", 0, 500_000_000),
        ("9999-12-31T23:59:59.999999999Z", scalars.LAST_SECOND, 999_999_999),
        ("0001-01-01T00:00:00Z", scalars.FIRST_SECOND, 0),
        *(
            (bad, None, 0)
            for bad in ("0000-12-31T23:59:59Z", "2024-02-30T00:00:00Z", "2024-01-02", "10000-01-01T00:00:00Z")
        ),
        ("9999-12-31T23:59:59-00:01", None, 0),
    ],
)
def test_a_time_is_read_as_in_go(text: str, seconds: int | None, nanos: int) -> None:
    """Within the years 1 to 9999, with at most nine digits of a second."""
    app = App()
    document = f'{{"status":{{"createdAt":"{text}"}}}}'
    if seconds is None:
        with pytest.raises(GoJsonError, match=r"google\.protobuf\.Timestamp value"):
            decode_json(document, app)
    else:
        decode_json(document, app)
        assert (app.status.created_at.seconds, app.status.created_at.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.5s", (1, 500_000_000)),
        ("-0.5s", (0, -500_000_000)),
        ("+5s", (5, 0)),
        (".5s", (0, 500_000_000)),
        ("5.s", (5, 0)),
        *((bad, None) for bad in ("s", "-s", "5", "01s", "1.0000000001s", "99999999999999999999s", "1 s")),
    ],
)
def test_a_duration_is_read_as_in_go(text: str, found: tuple[int, int] | None) -> None:
    """Seconds with at most nine digits after the point."""
    assert scalars.duration(text) == found


def nested(levels: int) -> str:
    """Return a spec with a Struct of so many levels."""
    return '{"pod":{"podSpec":' + '{"a":' * levels + "{}" + "}" * levels + "}}"


def test_a_struct_is_as_deep_as_can_be_decoded_again() -> None:
    """A message that is taken has bytes that this process can read; a deeper one is refused."""
    deepest = 0
    for levels in range(25, 40):
        spec = Spec()
        try:
            decode_json(nested(levels), spec)
        except GoJsonError as error:
            assert str(error) == TOO_DEEP
            break
        deepest = levels
        assert Spec.FromString(spec.SerializeToString()) == spec
    assert 28 <= deepest < 39


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("\\n" * MEBIBYTE + '"}}', ""),
        ("\\n" * MEBIBYTE, "unexpected EOF"),
        ("\\n" * MEBIBYTE + "\n", "syntax error (line 1:18): invalid character '\\n' in string"),
        ("\\n" * MEBIBYTE + '\\q"}}', "syntax error (line 1:18): invalid escape code in string"),
    ],
)
def test_a_long_string_is_not_read_by_characters(content: str, error: str) -> None:
    """However many escapes it has, and whether it ends or not."""
    assert error_of(b'{"appId":{"name":"' + content.encode()) == error
