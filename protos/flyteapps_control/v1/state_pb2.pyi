from flyteapps_control.v1 import control_pb2 as _control_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlaneState(_message.Message):
    __slots__ = ("format", "dialect", "written_by", "time", "scenarios", "scenario_uses", "fault_rules", "loads", "last_ids", "standard_plane", "standard_apps", "deleted_ids", "flyte_oss_services", "flyte_oss_answers", "flyte_oss_cluster", "secrets", "tasks", "projects", "credentials", "revocations", "refresh_tokens", "authorization_codes", "device_codes")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_BY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_USES_FIELD_NUMBER: _ClassVar[int]
    FAULT_RULES_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    LAST_IDS_FIELD_NUMBER: _ClassVar[int]
    STANDARD_PLANE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_APPS_FIELD_NUMBER: _ClassVar[int]
    DELETED_IDS_FIELD_NUMBER: _ClassVar[int]
    FLYTE_OSS_SERVICES_FIELD_NUMBER: _ClassVar[int]
    FLYTE_OSS_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    FLYTE_OSS_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    PROJECTS_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKENS_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_CODES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_CODES_FIELD_NUMBER: _ClassVar[int]
    format: int
    dialect: str
    written_by: str
    time: PlaneTime
    scenarios: _containers.RepeatedCompositeFieldContainer[AddedScenario]
    scenario_uses: _containers.RepeatedCompositeFieldContainer[ScenarioUseState]
    fault_rules: _containers.RepeatedCompositeFieldContainer[FaultRule]
    loads: _containers.RepeatedCompositeFieldContainer[DeclaredLoad]
    last_ids: LastIds
    standard_plane: StandardPlane
    standard_apps: _containers.RepeatedCompositeFieldContainer[StandardApp]
    deleted_ids: _containers.RepeatedCompositeFieldContainer[DeletedIds]
    flyte_oss_services: _containers.RepeatedCompositeFieldContainer[OssService]
    flyte_oss_answers: _containers.RepeatedCompositeFieldContainer[CachedAnswer]
    flyte_oss_cluster: OssCluster
    secrets: _containers.RepeatedCompositeFieldContainer[StoredMessage]
    tasks: _containers.RepeatedCompositeFieldContainer[StoredMessage]
    projects: _containers.RepeatedCompositeFieldContainer[StoredMessage]
    credentials: Credentials
    revocations: _containers.RepeatedCompositeFieldContainer[Revocation]
    refresh_tokens: _containers.RepeatedCompositeFieldContainer[RefreshToken]
    authorization_codes: _containers.RepeatedCompositeFieldContainer[AuthorizationCode]
    device_codes: _containers.RepeatedCompositeFieldContainer[DeviceCode]
    def __init__(self, format: _Optional[int] = ..., dialect: _Optional[str] = ..., written_by: _Optional[str] = ..., time: _Optional[_Union[PlaneTime, _Mapping]] = ..., scenarios: _Optional[_Iterable[_Union[AddedScenario, _Mapping]]] = ..., scenario_uses: _Optional[_Iterable[_Union[ScenarioUseState, _Mapping]]] = ..., fault_rules: _Optional[_Iterable[_Union[FaultRule, _Mapping]]] = ..., loads: _Optional[_Iterable[_Union[DeclaredLoad, _Mapping]]] = ..., last_ids: _Optional[_Union[LastIds, _Mapping]] = ..., standard_plane: _Optional[_Union[StandardPlane, _Mapping]] = ..., standard_apps: _Optional[_Iterable[_Union[StandardApp, _Mapping]]] = ..., deleted_ids: _Optional[_Iterable[_Union[DeletedIds, _Mapping]]] = ..., flyte_oss_services: _Optional[_Iterable[_Union[OssService, _Mapping]]] = ..., flyte_oss_answers: _Optional[_Iterable[_Union[CachedAnswer, _Mapping]]] = ..., flyte_oss_cluster: _Optional[_Union[OssCluster, _Mapping]] = ..., secrets: _Optional[_Iterable[_Union[StoredMessage, _Mapping]]] = ..., tasks: _Optional[_Iterable[_Union[StoredMessage, _Mapping]]] = ..., projects: _Optional[_Iterable[_Union[StoredMessage, _Mapping]]] = ..., credentials: _Optional[_Union[Credentials, _Mapping]] = ..., revocations: _Optional[_Iterable[_Union[Revocation, _Mapping]]] = ..., refresh_tokens: _Optional[_Iterable[_Union[RefreshToken, _Mapping]]] = ..., authorization_codes: _Optional[_Iterable[_Union[AuthorizationCode, _Mapping]]] = ..., device_codes: _Optional[_Iterable[_Union[DeviceCode, _Mapping]]] = ...) -> None: ...

class PlaneTime(_message.Message):
    __slots__ = ("now", "wall", "scheduled", "seed", "calls")
    NOW_FIELD_NUMBER: _ClassVar[int]
    WALL_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    now: int
    wall: int
    scheduled: int
    seed: str
    calls: int
    def __init__(self, now: _Optional[int] = ..., wall: _Optional[int] = ..., scheduled: _Optional[int] = ..., seed: _Optional[str] = ..., calls: _Optional[int] = ...) -> None: ...

class AddedScenario(_message.Message):
    __slots__ = ("name", "data", "bytes", "place", "then_place")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    THEN_PLACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    data: str
    bytes: int
    place: str
    then_place: str
    def __init__(self, name: _Optional[str] = ..., data: _Optional[str] = ..., bytes: _Optional[int] = ..., place: _Optional[str] = ..., then_place: _Optional[str] = ...) -> None: ...

class ScenarioUseState(_message.Message):
    __slots__ = ("use",)
    USE_FIELD_NUMBER: _ClassVar[int]
    use: _control_pb2.ScenarioUse
    def __init__(self, use: _Optional[_Union[_control_pb2.ScenarioUse, _Mapping]] = ...) -> None: ...

class FaultRule(_message.Message):
    __slots__ = ("fault", "until", "draws")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    fault: _control_pb2.Fault
    until: int
    draws: Draws
    def __init__(self, fault: _Optional[_Union[_control_pb2.Fault, _Mapping]] = ..., until: _Optional[int] = ..., draws: _Optional[_Union[Draws, _Mapping]] = ...) -> None: ...

class Draws(_message.Message):
    __slots__ = ("words", "left")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    words: bytes
    left: float
    def __init__(self, words: _Optional[bytes] = ..., left: _Optional[float] = ...) -> None: ...

class StoredMessage(_message.Message):
    __slots__ = ("key", "message", "number", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    message: bytes
    number: int
    value: bytes
    def __init__(self, key: _Optional[_Iterable[str]] = ..., message: _Optional[bytes] = ..., number: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...

class Credentials(_message.Message):
    __slots__ = ("keys", "issuers", "skew")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ISSUERS_FIELD_NUMBER: _ClassVar[int]
    SKEW_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    issuers: _containers.RepeatedScalarFieldContainer[str]
    skew: float
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., issuers: _Optional[_Iterable[str]] = ..., skew: _Optional[float] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("name", "number")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    name: str
    number: int
    def __init__(self, name: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("client_id", "subject", "scope", "session", "nonce")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    subject: str
    scope: str
    session: str
    nonce: str
    def __init__(self, client_id: _Optional[str] = ..., subject: _Optional[str] = ..., scope: _Optional[str] = ..., session: _Optional[str] = ..., nonce: _Optional[str] = ...) -> None: ...

class RefreshToken(_message.Message):
    __slots__ = ("key", "number", "grant", "expires", "used")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    key: str
    number: int
    grant: Grant
    expires: float
    used: bool
    def __init__(self, key: _Optional[str] = ..., number: _Optional[int] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., expires: _Optional[float] = ..., used: bool = ...) -> None: ...

class AuthorizationCode(_message.Message):
    __slots__ = ("key", "number", "grant", "expires", "used", "redirect_uri", "code_challenge", "code_challenge_method")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URI_FIELD_NUMBER: _ClassVar[int]
    CODE_CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    CODE_CHALLENGE_METHOD_FIELD_NUMBER: _ClassVar[int]
    key: str
    number: int
    grant: Grant
    expires: float
    used: bool
    redirect_uri: str
    code_challenge: str
    code_challenge_method: str
    def __init__(self, key: _Optional[str] = ..., number: _Optional[int] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., expires: _Optional[float] = ..., used: bool = ..., redirect_uri: _Optional[str] = ..., code_challenge: _Optional[str] = ..., code_challenge_method: _Optional[str] = ...) -> None: ...

class DeviceCode(_message.Message):
    __slots__ = ("key", "number", "client_id", "scope", "user_code", "expires", "interval", "subject", "denied", "used", "polled")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    USER_CODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    POLLED_FIELD_NUMBER: _ClassVar[int]
    key: str
    number: int
    client_id: str
    scope: str
    user_code: str
    expires: float
    interval: float
    subject: str
    denied: bool
    used: bool
    polled: float
    def __init__(self, key: _Optional[str] = ..., number: _Optional[int] = ..., client_id: _Optional[str] = ..., scope: _Optional[str] = ..., user_code: _Optional[str] = ..., expires: _Optional[float] = ..., interval: _Optional[float] = ..., subject: _Optional[str] = ..., denied: bool = ..., used: bool = ..., polled: _Optional[float] = ...) -> None: ...

class DeclaredLoad(_message.Message):
    __slots__ = ("load", "number")
    LOAD_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    load: _control_pb2.Load
    number: int
    def __init__(self, load: _Optional[_Union[_control_pb2.Load, _Mapping]] = ..., number: _Optional[int] = ...) -> None: ...

class LastIds(_message.Message):
    __slots__ = ("fault_rules", "scenario_uses")
    FAULT_RULES_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_USES_FIELD_NUMBER: _ClassVar[int]
    fault_rules: int
    scenario_uses: int
    def __init__(self, fault_rules: _Optional[int] = ..., scenario_uses: _Optional[int] = ...) -> None: ...

class StandardPlane(_message.Message):
    __slots__ = ("org", "clusters", "lapses")
    class LapsesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ORG_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    LAPSES_FIELD_NUMBER: _ClassVar[int]
    org: str
    clusters: _containers.RepeatedScalarFieldContainer[str]
    lapses: _containers.ScalarMap[str, int]
    def __init__(self, org: _Optional[str] = ..., clusters: _Optional[_Iterable[str]] = ..., lapses: _Optional[_Mapping[str, int]] = ...) -> None: ...

class DeletedIds(_message.Message):
    __slots__ = ("digest", "incarnation")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    incarnation: int
    def __init__(self, digest: _Optional[bytes] = ..., incarnation: _Optional[int] = ...) -> None: ...

class StandardApp(_message.Message):
    __slots__ = ("org", "project", "domain", "name", "incarnation", "app", "status", "conditions", "condition_count", "last_condition_bytes", "deployment_status", "substate", "counter", "changed_at", "deployment", "desired_state", "revision", "created_at", "updated_at", "cluster", "lease", "replicas", "wanted_kind", "wanted_name", "hosts", "replica_history", "timers", "run", "start", "step_logs", "played_cluster")
    ORG_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_CONDITION_BYTES_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_STATUS_FIELD_NUMBER: _ClassVar[int]
    SUBSTATE_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    DESIRED_STATE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    WANTED_KIND_FIELD_NUMBER: _ClassVar[int]
    WANTED_NAME_FIELD_NUMBER: _ClassVar[int]
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_HISTORY_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STEP_LOGS_FIELD_NUMBER: _ClassVar[int]
    PLAYED_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    org: str
    project: str
    domain: str
    name: str
    incarnation: int
    app: bytes
    status: bytes
    conditions: bytes
    condition_count: int
    last_condition_bytes: int
    deployment_status: int
    substate: int
    counter: int
    changed_at: int
    deployment: str
    desired_state: int
    revision: int
    created_at: int
    updated_at: int
    cluster: str
    lease: int
    replicas: int
    wanted_kind: str
    wanted_name: str
    hosts: AppHosts
    replica_history: ReplicaHistory
    timers: _containers.RepeatedCompositeFieldContainer[TimerState]
    run: Run
    start: ScenarioStart
    step_logs: _containers.RepeatedCompositeFieldContainer[StepLogState]
    played_cluster: str
    def __init__(self, org: _Optional[str] = ..., project: _Optional[str] = ..., domain: _Optional[str] = ..., name: _Optional[str] = ..., incarnation: _Optional[int] = ..., app: _Optional[bytes] = ..., status: _Optional[bytes] = ..., conditions: _Optional[bytes] = ..., condition_count: _Optional[int] = ..., last_condition_bytes: _Optional[int] = ..., deployment_status: _Optional[int] = ..., substate: _Optional[int] = ..., counter: _Optional[int] = ..., changed_at: _Optional[int] = ..., deployment: _Optional[str] = ..., desired_state: _Optional[int] = ..., revision: _Optional[int] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., cluster: _Optional[str] = ..., lease: _Optional[int] = ..., replicas: _Optional[int] = ..., wanted_kind: _Optional[str] = ..., wanted_name: _Optional[str] = ..., hosts: _Optional[_Union[AppHosts, _Mapping]] = ..., replica_history: _Optional[_Union[ReplicaHistory, _Mapping]] = ..., timers: _Optional[_Iterable[_Union[TimerState, _Mapping]]] = ..., run: _Optional[_Union[Run, _Mapping]] = ..., start: _Optional[_Union[ScenarioStart, _Mapping]] = ..., step_logs: _Optional[_Iterable[_Union[StepLogState, _Mapping]]] = ..., played_cluster: _Optional[str] = ...) -> None: ...

class AppHosts(_message.Message):
    __slots__ = ("hosts", "subdomain", "port")
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    SUBDOMAIN_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    hosts: _containers.RepeatedScalarFieldContainer[str]
    subdomain: str
    port: int
    def __init__(self, hosts: _Optional[_Iterable[str]] = ..., subdomain: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class ReplicaHistory(_message.Message):
    __slots__ = ("begun", "live", "ended")
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    begun: int
    live: _containers.RepeatedCompositeFieldContainer[ReplicaLife]
    ended: _containers.RepeatedCompositeFieldContainer[ReplicaLife]
    def __init__(self, begun: _Optional[int] = ..., live: _Optional[_Iterable[_Union[ReplicaLife, _Mapping]]] = ..., ended: _Optional[_Iterable[_Union[ReplicaLife, _Mapping]]] = ...) -> None: ...

class ReplicaLife(_message.Message):
    __slots__ = ("number", "revision", "began", "ended")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    BEGAN_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    number: int
    revision: int
    began: int
    ended: int
    def __init__(self, number: _Optional[int] = ..., revision: _Optional[int] = ..., began: _Optional[int] = ..., ended: _Optional[int] = ...) -> None: ...

class TimerState(_message.Message):
    __slots__ = ("kind", "due", "sequence", "progress", "last", "call", "incarnation", "revision", "cluster", "step", "report", "generation", "operator_report")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_REPORT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    due: int
    sequence: int
    progress: bool
    last: bool
    call: int
    incarnation: int
    revision: int
    cluster: str
    step: StepState
    report: ReportState
    generation: int
    operator_report: OperatorReport
    def __init__(self, kind: _Optional[str] = ..., due: _Optional[int] = ..., sequence: _Optional[int] = ..., progress: bool = ..., last: bool = ..., call: _Optional[int] = ..., incarnation: _Optional[int] = ..., revision: _Optional[int] = ..., cluster: _Optional[str] = ..., step: _Optional[_Union[StepState, _Mapping]] = ..., report: _Optional[_Union[ReportState, _Mapping]] = ..., generation: _Optional[int] = ..., operator_report: _Optional[_Union[OperatorReport, _Mapping]] = ...) -> None: ...

class ReportState(_message.Message):
    __slots__ = ("cluster", "status", "substate", "message", "replicas", "namespace")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUBSTATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    status: int
    substate: int
    message: str
    replicas: int
    namespace: str
    def __init__(self, cluster: _Optional[str] = ..., status: _Optional[int] = ..., substate: _Optional[int] = ..., message: _Optional[str] = ..., replicas: _Optional[int] = ..., namespace: _Optional[str] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("revision", "incarnation", "place", "materialized", "written", "reason", "counter", "drawn", "requested_at", "loaded", "fresh", "reached", "bounds")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    MATERIALIZED_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    DRAWN_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    incarnation: int
    place: Place
    materialized: bytes
    written: int
    reason: str
    counter: int
    drawn: int
    requested_at: int
    loaded: bool
    fresh: bool
    reached: bool
    bounds: ReplicaBounds
    def __init__(self, revision: _Optional[int] = ..., incarnation: _Optional[int] = ..., place: _Optional[_Union[Place, _Mapping]] = ..., materialized: _Optional[bytes] = ..., written: _Optional[int] = ..., reason: _Optional[str] = ..., counter: _Optional[int] = ..., drawn: _Optional[int] = ..., requested_at: _Optional[int] = ..., loaded: bool = ..., fresh: bool = ..., reached: bool = ..., bounds: _Optional[_Union[ReplicaBounds, _Mapping]] = ...) -> None: ...

class ReplicaBounds(_message.Message):
    __slots__ = ("minimum", "maximum", "scaledown", "target")
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    SCALEDOWN_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    minimum: int
    maximum: int
    scaledown: int
    target: int
    def __init__(self, minimum: _Optional[int] = ..., maximum: _Optional[int] = ..., scaledown: _Optional[int] = ..., target: _Optional[int] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("steps", "frames", "draws")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    steps: bytes
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    draws: int
    def __init__(self, steps: _Optional[bytes] = ..., frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ..., draws: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("index", "round", "branch")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    index: int
    round: int
    branch: int
    def __init__(self, index: _Optional[int] = ..., round: _Optional[int] = ..., branch: _Optional[int] = ...) -> None: ...

class StepList(_message.Message):
    __slots__ = ("blocks",)
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedCompositeFieldContainer[StepBlock]
    def __init__(self, blocks: _Optional[_Iterable[_Union[StepBlock, _Mapping]]] = ...) -> None: ...

class StepBlock(_message.Message):
    __slots__ = ("step", "loop", "choice")
    STEP_FIELD_NUMBER: _ClassVar[int]
    LOOP_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    step: StepState
    loop: LoopState
    choice: ChoiceState
    def __init__(self, step: _Optional[_Union[StepState, _Mapping]] = ..., loop: _Optional[_Union[LoopState, _Mapping]] = ..., choice: _Optional[_Union[ChoiceState, _Mapping]] = ...) -> None: ...

class StepState(_message.Message):
    __slots__ = ("status", "substate", "message", "delay", "jitter", "size", "trip", "background", "logs")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SUBSTATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TRIP_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    status: int
    substate: int
    message: str
    delay: int
    jitter: int
    size: str
    trip: str
    background: bool
    logs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[int] = ..., substate: _Optional[int] = ..., message: _Optional[str] = ..., delay: _Optional[int] = ..., jitter: _Optional[int] = ..., size: _Optional[str] = ..., trip: _Optional[str] = ..., background: bool = ..., logs: _Optional[_Iterable[str]] = ...) -> None: ...

class LoopState(_message.Message):
    __slots__ = ("steps", "times", "first", "longest")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LONGEST_FIELD_NUMBER: _ClassVar[int]
    steps: StepList
    times: int
    first: int
    longest: int
    def __init__(self, steps: _Optional[_Union[StepList, _Mapping]] = ..., times: _Optional[int] = ..., first: _Optional[int] = ..., longest: _Optional[int] = ...) -> None: ...

class ChoiceState(_message.Message):
    __slots__ = ("branches",)
    BRANCHES_FIELD_NUMBER: _ClassVar[int]
    branches: _containers.RepeatedCompositeFieldContainer[BranchState]
    def __init__(self, branches: _Optional[_Iterable[_Union[BranchState, _Mapping]]] = ...) -> None: ...

class BranchState(_message.Message):
    __slots__ = ("weight", "steps")
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    weight: float
    steps: StepList
    def __init__(self, weight: _Optional[float] = ..., steps: _Optional[_Union[StepList, _Mapping]] = ...) -> None: ...

class ScenarioStart(_message.Message):
    __slots__ = ("number", "version", "base", "scenario", "reason", "detail", "own", "known", "app")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    number: int
    version: _containers.RepeatedScalarFieldContainer[int]
    base: str
    scenario: str
    reason: str
    detail: str
    own: bool
    known: bool
    app: AppRef
    def __init__(self, number: _Optional[int] = ..., version: _Optional[_Iterable[int]] = ..., base: _Optional[str] = ..., scenario: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., own: bool = ..., known: bool = ..., app: _Optional[_Union[AppRef, _Mapping]] = ...) -> None: ...

class AppRef(_message.Message):
    __slots__ = ("project", "domain", "name")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    project: str
    domain: str
    name: str
    def __init__(self, project: _Optional[str] = ..., domain: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class StepLogState(_message.Message):
    __slots__ = ("at", "replicas", "lines", "condition")
    AT_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    at: int
    replicas: _containers.RepeatedScalarFieldContainer[str]
    lines: _containers.RepeatedScalarFieldContainer[str]
    condition: int
    def __init__(self, at: _Optional[int] = ..., replicas: _Optional[_Iterable[str]] = ..., lines: _Optional[_Iterable[str]] = ..., condition: _Optional[int] = ...) -> None: ...

class OssService(_message.Message):
    __slots__ = ("org", "project", "domain", "name", "spec", "stopped", "generation", "conditions", "ready", "replicas", "created_at", "written_at", "new", "timer", "rollout", "pods", "start", "step_logs", "map_order", "specs_hashed")
    ORG_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_AT_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STEP_LOGS_FIELD_NUMBER: _ClassVar[int]
    MAP_ORDER_FIELD_NUMBER: _ClassVar[int]
    SPECS_HASHED_FIELD_NUMBER: _ClassVar[int]
    org: str
    project: str
    domain: str
    name: str
    spec: bytes
    stopped: bool
    generation: int
    conditions: _containers.RepeatedCompositeFieldContainer[OssCondition]
    ready: int
    replicas: int
    created_at: int
    written_at: int
    new: bool
    timer: TimerState
    rollout: Rollout
    pods: _containers.RepeatedCompositeFieldContainer[Pod]
    start: ScenarioStart
    step_logs: _containers.RepeatedCompositeFieldContainer[StepLogState]
    map_order: bytes
    specs_hashed: int
    def __init__(self, org: _Optional[str] = ..., project: _Optional[str] = ..., domain: _Optional[str] = ..., name: _Optional[str] = ..., spec: _Optional[bytes] = ..., stopped: bool = ..., generation: _Optional[int] = ..., conditions: _Optional[_Iterable[_Union[OssCondition, _Mapping]]] = ..., ready: _Optional[int] = ..., replicas: _Optional[int] = ..., created_at: _Optional[int] = ..., written_at: _Optional[int] = ..., new: bool = ..., timer: _Optional[_Union[TimerState, _Mapping]] = ..., rollout: _Optional[_Union[Rollout, _Mapping]] = ..., pods: _Optional[_Iterable[_Union[Pod, _Mapping]]] = ..., start: _Optional[_Union[ScenarioStart, _Mapping]] = ..., step_logs: _Optional[_Iterable[_Union[StepLogState, _Mapping]]] = ..., map_order: _Optional[bytes] = ..., specs_hashed: _Optional[int] = ...) -> None: ...

class OssCondition(_message.Message):
    __slots__ = ("type", "holds", "reason", "message", "since")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    type: str
    holds: bool
    reason: str
    message: str
    since: int
    def __init__(self, type: _Optional[str] = ..., holds: bool = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., since: _Optional[int] = ...) -> None: ...

class Rollout(_message.Message):
    __slots__ = ("generation", "written", "bounds", "place", "observed", "served", "failed", "routes", "runs", "conflicts", "reason", "first", "reached", "delays_drawn", "requested_at", "loaded", "pods_started")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    DELAYS_DRAWN_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    PODS_STARTED_FIELD_NUMBER: _ClassVar[int]
    generation: int
    written: int
    bounds: ReplicaBounds
    place: Place
    observed: bool
    served: bool
    failed: bool
    routes: OperatorReport
    runs: str
    conflicts: int
    reason: str
    first: bool
    reached: bool
    delays_drawn: int
    requested_at: int
    loaded: bool
    pods_started: int
    def __init__(self, generation: _Optional[int] = ..., written: _Optional[int] = ..., bounds: _Optional[_Union[ReplicaBounds, _Mapping]] = ..., place: _Optional[_Union[Place, _Mapping]] = ..., observed: bool = ..., served: bool = ..., failed: bool = ..., routes: _Optional[_Union[OperatorReport, _Mapping]] = ..., runs: _Optional[str] = ..., conflicts: _Optional[int] = ..., reason: _Optional[str] = ..., first: bool = ..., reached: bool = ..., delays_drawn: _Optional[int] = ..., requested_at: _Optional[int] = ..., loaded: bool = ..., pods_started: _Optional[int] = ...) -> None: ...

class OperatorReport(_message.Message):
    __slots__ = ("phase", "delay", "jitter", "size", "message", "background", "logs")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    phase: str
    delay: int
    jitter: int
    size: str
    message: str
    background: bool
    logs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, phase: _Optional[str] = ..., delay: _Optional[int] = ..., jitter: _Optional[int] = ..., size: _Optional[str] = ..., message: _Optional[str] = ..., background: bool = ..., logs: _Optional[_Iterable[str]] = ...) -> None: ...

class Pod(_message.Message):
    __slots__ = ("name", "generation", "began", "seed", "runs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    BEGAN_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    name: str
    generation: int
    began: int
    seed: bytes
    runs: str
    def __init__(self, name: _Optional[str] = ..., generation: _Optional[int] = ..., began: _Optional[int] = ..., seed: _Optional[bytes] = ..., runs: _Optional[str] = ...) -> None: ...

class CachedAnswer(_message.Message):
    __slots__ = ("project", "domain", "name", "app", "timer")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIELD_NUMBER: _ClassVar[int]
    project: str
    domain: str
    name: str
    app: bytes
    timer: TimerState
    def __init__(self, project: _Optional[str] = ..., domain: _Optional[str] = ..., name: _Optional[str] = ..., app: _Optional[bytes] = ..., timer: _Optional[_Union[TimerState, _Mapping]] = ...) -> None: ...

class OssCluster(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...
