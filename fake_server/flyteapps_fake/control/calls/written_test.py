"""A test in Python that repeats recorded calls against a plane of its own, and compares their codes.

Each call is made at its time, on a manual clock. A fault that it had is one of that call alone: rules count from when
they were added, and a test that repeats a part of a history would count otherwise.
"""

from __future__ import annotations

import ast
import datetime
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields

from flyteapps_control.durations import text_of
from flyteapps_control.v1.control_pb2 import Fault
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.control.calls.given_lines import GivenLines
from flyteapps_fake.control.calls.message_code import Imports, code_of, literal
from flyteapps_fake.core.operations import APP_LOGS_SERVICE, APP_SERVICE, WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.clock import EPOCH, MILLISECOND, SECOND

STUBS = {APP_SERVICE: "stub", APP_LOGS_SERVICE: "logs_stub"}
"""The methods of a plane that return a stub, by service."""
SETTINGS = (
    "dialect", "org", "seed", "start_time", "subject", "watch_buffer", "data_plane", "pools", "lease_seconds",
    "report_seconds", "kubernetes", "write_seconds", "missing_secrets", "artifacts", "run_outputs",
)  # fmt: skip
"""The settings that a test gets where they aren't the default: those that decide how a call ends."""
NOT_REPEATED = ("delay", "stale")
"""Effects that depend on when a rule was added, or on time that passes during a call."""
MAX_CHARACTERS = 4 * 1024 * 1024
"""Characters of a test: clients accept answers of 4 MiB."""
CODE_OF = '''
def code_of(call: Callable[[], object]) -> str:
    """Return the code with which a call ends."""
    try:
        call()
    except ConnectError as error:
        return error.code.name
    return "OK"


'''


def write_test(records: Sequence[Record], settings: Settings, forgotten: int, given: GivenLines) -> str:
    """Return the source of a test that repeats the calls. `forgotten`: how many older ones there were.

    `given`: the lines about the scenarios and loads of its apps. Raises ValueError where it would be too long.
    """
    imports = Imports()
    start = _start(records, settings)
    body: list[str] = []
    services = dict.fromkeys(STUBS[each.operation.service] for each in records if each.operation.service in STUBS)
    body += [f"{service} = flyte_plane.{service}()" for service in services]
    body += ["start = flyte_plane.now_ns()", ""]
    body += ["def at(seconds: float) -> None:"]
    body += ["    flyte_plane.advance(max(0.0, seconds - (flyte_plane.now_ns() - start) / 1e9))", ""]
    now = start
    streams: list[Record] = []

    def move(time_ns: int) -> None:
        nonlocal now
        if time_ns - now >= MILLISECOND:
            body.append(f"at({text_of_seconds(time_ns - start)})")
            now = time_ns

    size = 0
    for index, record in enumerate(records):
        for time_ns, line in given.loads_before(record.number, record.time_ns):
            move(time_ns)
            body.append(line)
        move(record.time_ns)
        body += given.scenarios_of(record)
        lines = list(_call(record, imports, streams))
        body += lines
        size += sum(map(len, lines))
        if size > MAX_CHARACTERS:
            raise ValueError(
                f"the test would have more than {MAX_CHARACTERS:,} characters with {index + 1} of these {len(records)} "
                "calls: select fewer, such as those of one app"
            )
    for record in streams:
        last = _last_message_ns(record, records)
        for time_ns, line in given.loads_before(sys.maxsize, last):
            move(time_ns)
            body.append(line)
        move(last)
        body += _end(record)
    head = ['"""The calls of a plane, repeated: written by plane.calls.as_test()."""', ""]
    head += [f"# {forgotten} older call(s) were forgotten, and are not repeated."] if forgotten else []
    head += [*given.warnings, "from collections.abc import Callable"]
    head += ["from functools import partial"] if any("partial(" in line for line in body) else []
    head += ["", "import pytest", "from connectrpc.errors import ConnectError"]
    head += [*imports.lines(), "", "from flyteapps_fake import FakeControlPlane", "", CODE_OF]
    lines = [*head, *_marker(settings), "def test_recorded_calls(flyte_plane: FakeControlPlane) -> None:"]
    lines.append('    """Each call ends with the code that was recorded."""')
    lines += [f"    {line}" if line else "" for part in body for line in part.split("\n")]
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)) + "\n"


def text_of_seconds(nanoseconds: int) -> str:
    """Return seconds as a number without needless digits."""
    return f"{nanoseconds // SECOND}.{nanoseconds % SECOND:09d}".rstrip("0").rstrip(".")


def _start(records: Sequence[Record], settings: Settings) -> int:
    """Return the time at which the plane of the calls began, that of the first call where it isn't known."""
    known = settings.start
    if known is not None:
        return known
    return records[0].time_ns if settings.clock == "realtime" else EPOCH


def _marker(settings: Settings) -> Iterator[str]:
    """Yield the marker with the settings, and comments for those that can't be written down."""
    found = {"clock": '"manual"'}
    for field in fields(Settings):
        value = getattr(settings, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name not in SETTINGS or value == default:
            continue
        text = literal(value.isoformat() if isinstance(value, datetime.datetime) else value)
        if _is_literal(text):
            found[field.name] = text
        else:
            yield f"# The setting {field.name} can't be written down: {type(value).__name__}."
    yield f"@pytest.mark.flyte_plane({', '.join(f'{name}={value}' for name, value in found.items())})"


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _call(record: Record, imports: Imports, streams: list[Record]) -> Iterator[str]:
    operation = record.operation
    if operation.service not in STUBS:
        yield f"# #{record.number} {operation.rpc} {record.code or 'open'}: a plane in process has no stub of it"
        return
    if record.abandoned or not (record.code or record.opened):
        why = "its client left" if record.abandoned else "it was not over"
        yield f"# #{record.number} {operation.method} is not repeated: it was delayed, and {why}"
        return
    yield from _faults(record)
    method = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation.method).lower()
    called = f"{STUBS[operation.service]}.{method}"
    request = operation.request.FromString(record.request)
    if operation.streaming and record.opened:
        streams.append(record)
        yield f"stream_{record.number} = {called}(  # #{record.number}"
        yield f"    {code_of(request, imports, 4)},"
        yield "    timeout_ms=10_000,"
        yield ")"
    else:
        yield f"request = {code_of(request, imports)}"
        yield f'assert code_of(lambda: {called}(request)) == "{record.code}"  # #{record.number}'


def _faults(record: Record) -> Iterator[str]:
    for fault in record.fault_rules:
        effect = str(fault.WhichOneof("effect"))
        if effect in NOT_REPEATED:
            yield f"# {fault.id}, {effect} of #{record.number}, is not repeated"
        else:
            arguments = ", ".join((f'"{record.operation.method}"', *_arguments(fault, effect), "times=1"))
            yield f"flyte_plane.faults.{'answer' if effect == 'http' else effect}({arguments})"


def _arguments(fault: Fault, effect: str) -> Iterable[str]:
    """Yield the keywords of the method of `Faults` for an effect."""
    for field, value in getattr(fault, effect).ListFields():
        if field.name == "duration":
            yield f'seconds="{text_of(value.ToNanoseconds())}"'
        elif field.name == "headers":
            yield f"headers_sent={literal(value)}"
        elif field.name != "details":
            yield f"{field.name}={literal(value)}"
    if effect == "cut" and not fault.cut.code:
        yield 'code=""'
    if effect in ("cut", "stall") and not getattr(fault, effect).after:
        yield "after=0"


def _last_message_ns(record: Record, records: Iterable[Record]) -> int:
    """Return the plane's time of a stream's last message, as far as the calls that led to it are among the records."""
    times = (each.time_ns for call in records for each in call.deliveries if each.stream == record.number)
    return max(times, default=record.time_ns)


def _end(record: Record) -> Iterator[str]:
    """Yield the lines that read what a stream has sent, and its end, if the plane ended it."""
    name = f"stream_{record.number}"
    count = record.messages if record.operation is WATCH else min(record.messages, 1)
    if count:
        yield f"for _ in range({count}):"
        yield f"    next({name})"
    if record.fault_rules and record.code not in ("", "CANCELED"):
        if record.code == "OK":
            yield f"assert next({name}, None) is None"
        else:
            yield f'assert code_of(partial(next, {name})) == "{record.code}"'
    elif record.code not in ("", "CANCELED", "OK"):
        yield f"# it ended with {record.code}: {' '.join(record.message.split())}"
    yield f"del {name}"
