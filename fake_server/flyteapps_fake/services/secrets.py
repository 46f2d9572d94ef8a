"""SecretService: creates, updates, gets, lists and deletes secrets. Values are kept only where apps really run."""

from __future__ import annotations

from flyteidl2.secret.definition_pb2 import OverallStatus, Secret, SecretIdentifier, SecretPresenceStatus, SecretSpec
from flyteidl2.secret.payload_pb2 import (
    CreateSecretRequest,
    CreateSecretResponse,
    DeleteSecretRequest,
    DeleteSecretResponse,
    GetSecretRequest,
    GetSecretResponse,
    ListSecretsRequest,
    ListSecretsResponse,
    UpdateSecretRequest,
    UpdateSecretResponse,
)

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.secrets import SecretKey
from flyteapps_fake.core.settings import SIMULATED
from flyteapps_fake.core.time.clock import set_timestamp
from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.support.name_lengths import MAX_NAME, check_length, check_scope
from flyteapps_fake.services.support.paging import page

SERVICE = "flyteidl2.secret.SecretService"


class SecretStore:
    """The secrets of one plane, as clients see them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._secrets = host.secrets.created

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service."""
        return (
            Method(SERVICE, "CreateSecret", CreateSecretRequest, CreateSecretResponse, self._create, access="write"),
            Method(SERVICE, "UpdateSecret", UpdateSecretRequest, UpdateSecretResponse, self._update, access="write"),
            Method(SERVICE, "GetSecret", GetSecretRequest, GetSecretResponse, self._get),
            Method(SERVICE, "ListSecrets", ListSecretsRequest, ListSecretsResponse, self._list),
            Method(SERVICE, "DeleteSecret", DeleteSecretRequest, DeleteSecretResponse, self._delete, access="write"),
        )

    def _create(self, request: CreateSecretRequest, origin: str) -> CreateSecretResponse:
        key = _key(request.id)
        if not self._secrets.add(key, self._secret(key, request.secret_spec)):
            raise RpcError(Code.ALREADY_EXISTS, f"secret {key.name} already exists")
        self._host.secrets.keep(key, _value(request.secret_spec))
        return CreateSecretResponse()

    def _update(self, request: UpdateSecretRequest, origin: str) -> UpdateSecretResponse:
        key = _key(request.id)
        if not self._secrets.replace(key, self._secret(key, request.secret_spec)):
            raise _not_found(key)
        self._host.secrets.keep(key, _value(request.secret_spec))
        return UpdateSecretResponse()

    def _get(self, request: GetSecretRequest, origin: str) -> GetSecretResponse:
        key = _key(request.id)
        found = self._secrets.get(key)
        if found is None:
            raise _not_found(key)
        return GetSecretResponse(secret=Secret.FromString(found))

    def _list(self, request: ListSecretsRequest, origin: str) -> ListSecretsResponse:
        """Return the secrets of exactly that scope; without a project, those that belong to all projects."""
        check_scope(request.project, request.domain)
        scope = (request.project, request.domain)
        found = [Secret.FromString(encoded) for key, encoded in self._secrets.items() if key[:2] == scope]
        found.sort(key=lambda secret: secret.id.name)
        secrets, token = page(found, request.limit, request.token)
        return ListSecretsResponse(secrets=secrets, token=token)

    def _delete(self, request: DeleteSecretRequest, origin: str) -> DeleteSecretResponse:
        key = _key(request.id)
        if not self._secrets.remove(key):
            raise _not_found(key)
        self._host.secrets.forget(key)
        return DeleteSecretResponse()

    def _secret(self, key: SecretKey, spec: SecretSpec) -> Secret:
        if spec.WhichOneof("value") is None:
            raise RpcError(Code.INVALID_ARGUMENT, "secret_spec: set string_value or binary_value")
        name = SecretIdentifier(name=key.name, project=key.project, domain=key.domain, organization=self._host.org)
        secret = Secret(id=name)
        metadata = secret.secret_metadata
        metadata.type = spec.type
        set_timestamp(metadata.created_time, self._host.now_ns())
        metadata.secret_status.overall_status = OverallStatus.FULLY_PRESENT
        where = metadata.secret_status.cluster_status.add(presence_status=SecretPresenceStatus.PRESENT)
        where.cluster.organization, where.cluster.name = self._host.org, self._host.settings.own_cluster or SIMULATED
        return secret


def _value(spec: SecretSpec) -> bytes:
    return spec.string_value.encode() if spec.WhichOneof("value") == "string_value" else spec.binary_value


def _key(identifier: SecretIdentifier) -> SecretKey:
    check_scope(identifier.project, identifier.domain)
    check_length("id.name", identifier.name, MAX_NAME)
    return SecretKey(identifier.project, identifier.domain, identifier.name)


def _not_found(key: SecretKey) -> RpcError:
    scope = f" of {key.project or '*'}/{key.domain or '*'}" if key.project or key.domain else ""
    return RpcError(Code.NOT_FOUND, f"secret {key.name}{scope} not found")
