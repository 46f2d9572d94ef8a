import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import any_pb2 as _any_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppSelector(_message.Message):
    __slots__ = ("project", "domain", "name")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    project: str
    domain: str
    name: str
    def __init__(self, project: _Optional[str] = ..., domain: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("id", "rpc", "app", "caller", "headers", "nth", "first", "every", "probability", "times", "lifetime", "fail", "delay", "reset", "http", "cut", "stall", "repeat", "withhold", "reorder", "stale", "steal_lease", "matched", "applied")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class Fail(_message.Message):
        __slots__ = ("code", "message", "details", "applied")
        CODE_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        DETAILS_FIELD_NUMBER: _ClassVar[int]
        APPLIED_FIELD_NUMBER: _ClassVar[int]
        code: str
        message: str
        details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
        applied: bool
        def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ..., applied: bool = ...) -> None: ...
    class Delay(_message.Message):
        __slots__ = ("fixed", "uniform", "log_normal", "real")
        FIXED_FIELD_NUMBER: _ClassVar[int]
        UNIFORM_FIELD_NUMBER: _ClassVar[int]
        LOG_NORMAL_FIELD_NUMBER: _ClassVar[int]
        REAL_FIELD_NUMBER: _ClassVar[int]
        fixed: _duration_pb2.Duration
        uniform: Fault.Uniform
        log_normal: Fault.LogNormal
        real: bool
        def __init__(self, fixed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., uniform: _Optional[_Union[Fault.Uniform, _Mapping]] = ..., log_normal: _Optional[_Union[Fault.LogNormal, _Mapping]] = ..., real: bool = ...) -> None: ...
    class Uniform(_message.Message):
        __slots__ = ("min", "max")
        MIN_FIELD_NUMBER: _ClassVar[int]
        MAX_FIELD_NUMBER: _ClassVar[int]
        min: _duration_pb2.Duration
        max: _duration_pb2.Duration
        def __init__(self, min: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class LogNormal(_message.Message):
        __slots__ = ("median", "sigma")
        MEDIAN_FIELD_NUMBER: _ClassVar[int]
        SIGMA_FIELD_NUMBER: _ClassVar[int]
        median: _duration_pb2.Duration
        sigma: float
        def __init__(self, median: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., sigma: _Optional[float] = ...) -> None: ...
    class Reset(_message.Message):
        __slots__ = ("applied",)
        APPLIED_FIELD_NUMBER: _ClassVar[int]
        applied: bool
        def __init__(self, applied: bool = ...) -> None: ...
    class HttpAnswer(_message.Message):
        __slots__ = ("status", "headers", "body", "applied")
        class HeadersEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        STATUS_FIELD_NUMBER: _ClassVar[int]
        HEADERS_FIELD_NUMBER: _ClassVar[int]
        BODY_FIELD_NUMBER: _ClassVar[int]
        APPLIED_FIELD_NUMBER: _ClassVar[int]
        status: int
        headers: _containers.ScalarMap[str, str]
        body: bytes
        applied: bool
        def __init__(self, status: _Optional[int] = ..., headers: _Optional[_Mapping[str, str]] = ..., body: _Optional[bytes] = ..., applied: bool = ...) -> None: ...
    class Cut(_message.Message):
        __slots__ = ("after", "code")
        AFTER_FIELD_NUMBER: _ClassVar[int]
        CODE_FIELD_NUMBER: _ClassVar[int]
        after: int
        code: str
        def __init__(self, after: _Optional[int] = ..., code: _Optional[str] = ...) -> None: ...
    class Stall(_message.Message):
        __slots__ = ("after", "duration")
        AFTER_FIELD_NUMBER: _ClassVar[int]
        DURATION_FIELD_NUMBER: _ClassVar[int]
        after: int
        duration: _duration_pb2.Duration
        def __init__(self, after: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class Rearrange(_message.Message):
        __slots__ = ("message",)
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        message: int
        def __init__(self, message: _Optional[int] = ...) -> None: ...
    class Stale(_message.Message):
        __slots__ = ("age",)
        AGE_FIELD_NUMBER: _ClassVar[int]
        age: _duration_pb2.Duration
        def __init__(self, age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class StealLease(_message.Message):
        __slots__ = ("cluster",)
        CLUSTER_FIELD_NUMBER: _ClassVar[int]
        cluster: str
        def __init__(self, cluster: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    RPC_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    NTH_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    EVERY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    FAIL_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    HTTP_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    STALL_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    WITHHOLD_FIELD_NUMBER: _ClassVar[int]
    REORDER_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    STEAL_LEASE_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    id: str
    rpc: str
    app: AppSelector
    caller: str
    headers: _containers.ScalarMap[str, str]
    nth: int
    first: int
    every: int
    probability: float
    times: int
    lifetime: _duration_pb2.Duration
    fail: Fault.Fail
    delay: Fault.Delay
    reset: Fault.Reset
    http: Fault.HttpAnswer
    cut: Fault.Cut
    stall: Fault.Stall
    repeat: Fault.Rearrange
    withhold: Fault.Rearrange
    reorder: Fault.Rearrange
    stale: Fault.Stale
    steal_lease: Fault.StealLease
    matched: int
    applied: int
    def __init__(self, id: _Optional[str] = ..., rpc: _Optional[str] = ..., app: _Optional[_Union[AppSelector, _Mapping]] = ..., caller: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., nth: _Optional[int] = ..., first: _Optional[int] = ..., every: _Optional[int] = ..., probability: _Optional[float] = ..., times: _Optional[int] = ..., lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., fail: _Optional[_Union[Fault.Fail, _Mapping]] = ..., delay: _Optional[_Union[Fault.Delay, _Mapping]] = ..., reset: _Optional[_Union[Fault.Reset, _Mapping]] = ..., http: _Optional[_Union[Fault.HttpAnswer, _Mapping]] = ..., cut: _Optional[_Union[Fault.Cut, _Mapping]] = ..., stall: _Optional[_Union[Fault.Stall, _Mapping]] = ..., repeat: _Optional[_Union[Fault.Rearrange, _Mapping]] = ..., withhold: _Optional[_Union[Fault.Rearrange, _Mapping]] = ..., reorder: _Optional[_Union[Fault.Rearrange, _Mapping]] = ..., stale: _Optional[_Union[Fault.Stale, _Mapping]] = ..., steal_lease: _Optional[_Union[Fault.StealLease, _Mapping]] = ..., matched: _Optional[int] = ..., applied: _Optional[int] = ...) -> None: ...

class AddFaultsRequest(_message.Message):
    __slots__ = ("faults",)
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class AddFaultsResponse(_message.Message):
    __slots__ = ("faults",)
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class ListFaultsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFaultsResponse(_message.Message):
    __slots__ = ("faults",)
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class RemoveFaultsRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RemoveFaultsResponse(_message.Message):
    __slots__ = ("faults",)
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class GetClockRequest(_message.Message):
    __slots__ = ("max_timers",)
    MAX_TIMERS_FIELD_NUMBER: _ClassVar[int]
    max_timers: int
    def __init__(self, max_timers: _Optional[int] = ...) -> None: ...

class GetClockResponse(_message.Message):
    __slots__ = ("mode", "now", "speed", "timers", "timer_count")
    MODE_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    TIMER_COUNT_FIELD_NUMBER: _ClassVar[int]
    mode: str
    now: _timestamp_pb2.Timestamp
    speed: float
    timers: _containers.RepeatedCompositeFieldContainer[Timer]
    timer_count: int
    def __init__(self, mode: _Optional[str] = ..., now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., speed: _Optional[float] = ..., timers: _Optional[_Iterable[_Union[Timer, _Mapping]]] = ..., timer_count: _Optional[int] = ...) -> None: ...

class Timer(_message.Message):
    __slots__ = ("due", "owner", "reason")
    DUE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    due: _timestamp_pb2.Timestamp
    owner: str
    reason: str
    def __init__(self, due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owner: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AdvanceClockRequest(_message.Message):
    __slots__ = ("duration", "next_timer", "until", "max_timers")
    class Until(_message.Message):
        __slots__ = ("app", "status", "limit")
        APP_FIELD_NUMBER: _ClassVar[int]
        STATUS_FIELD_NUMBER: _ClassVar[int]
        LIMIT_FIELD_NUMBER: _ClassVar[int]
        app: AppSelector
        status: str
        limit: _duration_pb2.Duration
        def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ..., status: _Optional[str] = ..., limit: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    DURATION_FIELD_NUMBER: _ClassVar[int]
    NEXT_TIMER_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MAX_TIMERS_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    next_timer: bool
    until: AdvanceClockRequest.Until
    max_timers: int
    def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., next_timer: bool = ..., until: _Optional[_Union[AdvanceClockRequest.Until, _Mapping]] = ..., max_timers: _Optional[int] = ...) -> None: ...

class AdvanceClockResponse(_message.Message):
    __slots__ = ("now", "fired", "rest")
    NOW_FIELD_NUMBER: _ClassVar[int]
    FIRED_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    now: _timestamp_pb2.Timestamp
    fired: int
    rest: AdvanceClockRequest
    def __init__(self, now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fired: _Optional[int] = ..., rest: _Optional[_Union[AdvanceClockRequest, _Mapping]] = ...) -> None: ...

class ExplainWaitsRequest(_message.Message):
    __slots__ = ("app", "max_waits")
    APP_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITS_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    max_waits: int
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ..., max_waits: _Optional[int] = ...) -> None: ...

class ExplainWaitsResponse(_message.Message):
    __slots__ = ("clock", "now", "waits", "wait_count", "otherwise")
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    WAIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    OTHERWISE_FIELD_NUMBER: _ClassVar[int]
    clock: str
    now: _timestamp_pb2.Timestamp
    waits: _containers.RepeatedCompositeFieldContainer[Wait]
    wait_count: int
    otherwise: str
    def __init__(self, clock: _Optional[str] = ..., now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., waits: _Optional[_Iterable[_Union[Wait, _Mapping]]] = ..., wait_count: _Optional[int] = ..., otherwise: _Optional[str] = ...) -> None: ...

class Wait(_message.Message):
    __slots__ = ("rpc", "subject", "caller", "protocol", "since", "awaited", "timer", "reason", "text", "status")
    RPC_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    rpc: str
    subject: str
    caller: str
    protocol: str
    since: _timestamp_pb2.Timestamp
    awaited: str
    timer: Timer
    reason: str
    text: str
    status: str
    def __init__(self, rpc: _Optional[str] = ..., subject: _Optional[str] = ..., caller: _Optional[str] = ..., protocol: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., awaited: _Optional[str] = ..., timer: _Optional[_Union[Timer, _Mapping]] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., status: _Optional[str] = ...) -> None: ...

class CallSelector(_message.Message):
    __slots__ = ("rpc", "app", "where", "code", "since", "until")
    class WhereEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...
    RPC_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    rpc: str
    app: AppSelector
    where: _containers.MessageMap[str, _struct_pb2.Value]
    code: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, rpc: _Optional[str] = ..., app: _Optional[_Union[AppSelector, _Mapping]] = ..., where: _Optional[_Mapping[str, _struct_pb2.Value]] = ..., code: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordedCall(_message.Message):
    __slots__ = ("number", "rpc", "caller", "protocol", "time", "real_time", "request", "responses", "messages", "code", "message", "faults", "app", "causes", "effects")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RPC_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    REAL_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    number: int
    rpc: str
    caller: str
    protocol: str
    time: _timestamp_pb2.Timestamp
    real_time: _timestamp_pb2.Timestamp
    request: _any_pb2.Any
    responses: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    messages: int
    code: str
    message: str
    faults: _containers.RepeatedScalarFieldContainer[str]
    app: str
    causes: _containers.RepeatedCompositeFieldContainer[Cause]
    effects: _containers.RepeatedCompositeFieldContainer[Effect]
    def __init__(self, number: _Optional[int] = ..., rpc: _Optional[str] = ..., caller: _Optional[str] = ..., protocol: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., real_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request: _Optional[_Union[_any_pb2.Any, _Mapping]] = ..., responses: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ..., messages: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., faults: _Optional[_Iterable[str]] = ..., app: _Optional[str] = ..., causes: _Optional[_Iterable[_Union[Cause, _Mapping]]] = ..., effects: _Optional[_Iterable[_Union[Effect, _Mapping]]] = ...) -> None: ...

class Cause(_message.Message):
    __slots__ = ("call", "timer", "fault", "other")
    CALL_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    call: int
    timer: str
    fault: str
    other: str
    def __init__(self, call: _Optional[int] = ..., timer: _Optional[str] = ..., fault: _Optional[str] = ..., other: _Optional[str] = ...) -> None: ...

class Effect(_message.Message):
    __slots__ = ("time", "app", "change", "stream", "message", "cause")
    TIME_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    app: str
    change: str
    stream: int
    message: int
    cause: Cause
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., app: _Optional[str] = ..., change: _Optional[str] = ..., stream: _Optional[int] = ..., message: _Optional[int] = ..., cause: _Optional[_Union[Cause, _Mapping]] = ...) -> None: ...

class Upload(_message.Message):
    __slots__ = ("method", "path", "bytes")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    method: str
    path: str
    bytes: int
    def __init__(self, method: _Optional[str] = ..., path: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class UploadAnswer(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: int
    def __init__(self, status: _Optional[int] = ...) -> None: ...

class ListCallsRequest(_message.Message):
    __slots__ = ("select", "limit", "after", "also")
    SELECT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ALSO_FIELD_NUMBER: _ClassVar[int]
    select: CallSelector
    limit: int
    after: int
    also: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, select: _Optional[_Union[CallSelector, _Mapping]] = ..., limit: _Optional[int] = ..., after: _Optional[int] = ..., also: _Optional[_Iterable[int]] = ...) -> None: ...

class ListCallsResponse(_message.Message):
    __slots__ = ("calls", "forgotten")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[RecordedCall]
    forgotten: int
    def __init__(self, calls: _Optional[_Iterable[_Union[RecordedCall, _Mapping]]] = ..., forgotten: _Optional[int] = ...) -> None: ...

class VerifyCallsRequest(_message.Message):
    __slots__ = ("select", "times")
    SELECT_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    select: CallSelector
    times: int
    def __init__(self, select: _Optional[_Union[CallSelector, _Mapping]] = ..., times: _Optional[int] = ...) -> None: ...

class VerifyCallsResponse(_message.Message):
    __slots__ = ("holds", "found", "explanation")
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    holds: bool
    found: int
    explanation: str
    def __init__(self, holds: bool = ..., found: _Optional[int] = ..., explanation: _Optional[str] = ...) -> None: ...

class WriteTestRequest(_message.Message):
    __slots__ = ("select",)
    SELECT_FIELD_NUMBER: _ClassVar[int]
    select: CallSelector
    def __init__(self, select: _Optional[_Union[CallSelector, _Mapping]] = ...) -> None: ...

class WriteTestResponse(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    def __init__(self, source: _Optional[str] = ...) -> None: ...

class ClearCallsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClearCallsResponse(_message.Message):
    __slots__ = ("cleared",)
    CLEARED_FIELD_NUMBER: _ClassVar[int]
    cleared: int
    def __init__(self, cleared: _Optional[int] = ...) -> None: ...

class Load(_message.Message):
    __slots__ = ("app", "requests_per_second", "concurrent_requests")
    APP_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    requests_per_second: float
    concurrent_requests: float
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ..., requests_per_second: _Optional[float] = ..., concurrent_requests: _Optional[float] = ...) -> None: ...

class SetLoadRequest(_message.Message):
    __slots__ = ("load",)
    LOAD_FIELD_NUMBER: _ClassVar[int]
    load: Load
    def __init__(self, load: _Optional[_Union[Load, _Mapping]] = ...) -> None: ...

class SetLoadResponse(_message.Message):
    __slots__ = ("apps",)
    APPS_FIELD_NUMBER: _ClassVar[int]
    apps: int
    def __init__(self, apps: _Optional[int] = ...) -> None: ...

class ListLoadsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListLoadsResponse(_message.Message):
    __slots__ = ("loads",)
    LOADS_FIELD_NUMBER: _ClassVar[int]
    loads: _containers.RepeatedCompositeFieldContainer[Load]
    def __init__(self, loads: _Optional[_Iterable[_Union[Load, _Mapping]]] = ...) -> None: ...

class ClearLoadsRequest(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ...) -> None: ...

class ClearLoadsResponse(_message.Message):
    __slots__ = ("loads",)
    LOADS_FIELD_NUMBER: _ClassVar[int]
    loads: _containers.RepeatedCompositeFieldContainer[Load]
    def __init__(self, loads: _Optional[_Iterable[_Union[Load, _Mapping]]] = ...) -> None: ...

class RotateKeysRequest(_message.Message):
    __slots__ = ("drop",)
    DROP_FIELD_NUMBER: _ClassVar[int]
    drop: bool
    def __init__(self, drop: bool = ...) -> None: ...

class RotateKeysResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SkewTokensRequest(_message.Message):
    __slots__ = ("ahead", "behind")
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    ahead: _duration_pb2.Duration
    behind: _duration_pb2.Duration
    def __init__(self, ahead: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., behind: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SkewTokensResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DropStreamsRequest(_message.Message):
    __slots__ = ("app", "code")
    APP_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    code: str
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ..., code: _Optional[str] = ...) -> None: ...

class DropStreamsResponse(_message.Message):
    __slots__ = ("dropped",)
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    dropped: int
    def __init__(self, dropped: _Optional[int] = ...) -> None: ...

class ResetRequest(_message.Message):
    __slots__ = ("app", "seed")
    APP_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    seed: int
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ..., seed: _Optional[int] = ...) -> None: ...

class ResetResponse(_message.Message):
    __slots__ = ("removed",)
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    removed: int
    def __init__(self, removed: _Optional[int] = ...) -> None: ...

class TakeSnapshotRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class TakeSnapshotResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RestoreSnapshotRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RestoreSnapshotResponse(_message.Message):
    __slots__ = ("apps",)
    APPS_FIELD_NUMBER: _ClassVar[int]
    apps: int
    def __init__(self, apps: _Optional[int] = ...) -> None: ...

class ListSnapshotsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSnapshotsResponse(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class DropSnapshotsRequest(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class DropSnapshotsResponse(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class ExportStateRequest(_message.Message):
    __slots__ = ("id", "offset")
    ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    id: str
    offset: int
    def __init__(self, id: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class ExportStateResponse(_message.Message):
    __slots__ = ("id", "part", "size")
    ID_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    id: str
    part: bytes
    size: int
    def __init__(self, id: _Optional[str] = ..., part: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class LoadStateRequest(_message.Message):
    __slots__ = ("id", "offset", "part", "size", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    offset: int
    part: bytes
    size: int
    name: str
    def __init__(self, id: _Optional[str] = ..., offset: _Optional[int] = ..., part: _Optional[bytes] = ..., size: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class LoadStateResponse(_message.Message):
    __slots__ = ("id", "apps")
    ID_FIELD_NUMBER: _ClassVar[int]
    APPS_FIELD_NUMBER: _ClassVar[int]
    id: str
    apps: int
    def __init__(self, id: _Optional[str] = ..., apps: _Optional[int] = ...) -> None: ...

class Scenario(_message.Message):
    __slots__ = ("name", "summary", "origin", "place")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    summary: str
    origin: str
    place: str
    def __init__(self, name: _Optional[str] = ..., summary: _Optional[str] = ..., origin: _Optional[str] = ..., place: _Optional[str] = ...) -> None: ...

class ScenarioUse(_message.Message):
    __slots__ = ("id", "scenario", "app", "times", "applied")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    id: str
    scenario: str
    app: AppSelector
    times: int
    applied: int
    def __init__(self, id: _Optional[str] = ..., scenario: _Optional[str] = ..., app: _Optional[_Union[AppSelector, _Mapping]] = ..., times: _Optional[int] = ..., applied: _Optional[int] = ...) -> None: ...

class AddScenariosRequest(_message.Message):
    __slots__ = ("text", "content", "name")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    text: str
    content: _struct_pb2.Struct
    name: str
    def __init__(self, text: _Optional[str] = ..., content: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class AddScenariosResponse(_message.Message):
    __slots__ = ("scenarios",)
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    scenarios: _containers.RepeatedCompositeFieldContainer[Scenario]
    def __init__(self, scenarios: _Optional[_Iterable[_Union[Scenario, _Mapping]]] = ...) -> None: ...

class ListScenariosRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListScenariosResponse(_message.Message):
    __slots__ = ("scenarios", "uses")
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    scenarios: _containers.RepeatedCompositeFieldContainer[Scenario]
    uses: _containers.RepeatedCompositeFieldContainer[ScenarioUse]
    def __init__(self, scenarios: _Optional[_Iterable[_Union[Scenario, _Mapping]]] = ..., uses: _Optional[_Iterable[_Union[ScenarioUse, _Mapping]]] = ...) -> None: ...

class RemoveScenariosRequest(_message.Message):
    __slots__ = ("names", "uses")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    uses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ..., uses: _Optional[_Iterable[str]] = ...) -> None: ...

class RemoveScenariosResponse(_message.Message):
    __slots__ = ("scenarios", "uses")
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    scenarios: _containers.RepeatedCompositeFieldContainer[Scenario]
    uses: _containers.RepeatedCompositeFieldContainer[ScenarioUse]
    def __init__(self, scenarios: _Optional[_Iterable[_Union[Scenario, _Mapping]]] = ..., uses: _Optional[_Iterable[_Union[ScenarioUse, _Mapping]]] = ...) -> None: ...

class UseScenarioRequest(_message.Message):
    __slots__ = ("scenario", "app", "times")
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    scenario: str
    app: AppSelector
    times: int
    def __init__(self, scenario: _Optional[str] = ..., app: _Optional[_Union[AppSelector, _Mapping]] = ..., times: _Optional[int] = ...) -> None: ...

class UseScenarioResponse(_message.Message):
    __slots__ = ("use",)
    USE_FIELD_NUMBER: _ClassVar[int]
    use: ScenarioUse
    def __init__(self, use: _Optional[_Union[ScenarioUse, _Mapping]] = ...) -> None: ...

class AppScenario(_message.Message):
    __slots__ = ("app", "scenario", "reason", "detail")
    APP_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    app: str
    scenario: str
    reason: str
    detail: str
    def __init__(self, app: _Optional[str] = ..., scenario: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class ListAppScenariosRequest(_message.Message):
    __slots__ = ("app", "limit")
    APP_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    limit: int
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class ListAppScenariosResponse(_message.Message):
    __slots__ = ("scenarios", "count")
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    scenarios: _containers.RepeatedCompositeFieldContainer[AppScenario]
    count: int
    def __init__(self, scenarios: _Optional[_Iterable[_Union[AppScenario, _Mapping]]] = ..., count: _Optional[int] = ...) -> None: ...

class AppUsage(_message.Message):
    __slots__ = ("app", "since", "replicas", "loads", "requests")
    class ReplicaCount(_message.Message):
        __slots__ = ("time", "replicas")
        TIME_FIELD_NUMBER: _ClassVar[int]
        REPLICAS_FIELD_NUMBER: _ClassVar[int]
        time: _timestamp_pb2.Timestamp
        replicas: int
        def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., replicas: _Optional[int] = ...) -> None: ...
    class DeclaredLoad(_message.Message):
        __slots__ = ("time", "load")
        TIME_FIELD_NUMBER: _ClassVar[int]
        LOAD_FIELD_NUMBER: _ClassVar[int]
        time: _timestamp_pb2.Timestamp
        load: Load
        def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., load: _Optional[_Union[Load, _Mapping]] = ...) -> None: ...
    class RequestCount(_message.Message):
        __slots__ = ("time", "span", "requests")
        TIME_FIELD_NUMBER: _ClassVar[int]
        SPAN_FIELD_NUMBER: _ClassVar[int]
        REQUESTS_FIELD_NUMBER: _ClassVar[int]
        time: _timestamp_pb2.Timestamp
        span: _duration_pb2.Duration
        requests: int
        def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., span: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., requests: _Optional[int] = ...) -> None: ...
    APP_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    app: str
    since: _timestamp_pb2.Timestamp
    replicas: _containers.RepeatedCompositeFieldContainer[AppUsage.ReplicaCount]
    loads: _containers.RepeatedCompositeFieldContainer[AppUsage.DeclaredLoad]
    requests: _containers.RepeatedCompositeFieldContainer[AppUsage.RequestCount]
    def __init__(self, app: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., replicas: _Optional[_Iterable[_Union[AppUsage.ReplicaCount, _Mapping]]] = ..., loads: _Optional[_Iterable[_Union[AppUsage.DeclaredLoad, _Mapping]]] = ..., requests: _Optional[_Iterable[_Union[AppUsage.RequestCount, _Mapping]]] = ...) -> None: ...

class ListAppUsageRequest(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: AppSelector
    def __init__(self, app: _Optional[_Union[AppSelector, _Mapping]] = ...) -> None: ...

class ListAppUsageResponse(_message.Message):
    __slots__ = ("apps", "app_count")
    APPS_FIELD_NUMBER: _ClassVar[int]
    APP_COUNT_FIELD_NUMBER: _ClassVar[int]
    apps: _containers.RepeatedCompositeFieldContainer[AppUsage]
    app_count: int
    def __init__(self, apps: _Optional[_Iterable[_Union[AppUsage, _Mapping]]] = ..., app_count: _Optional[int] = ...) -> None: ...
