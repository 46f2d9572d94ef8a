"""The sections of the state of a plane of the dialect flyte-oss: its services, their version, and answers to Get."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar

from flyteidl2.app.app_definition_pb2 import Identifier

from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_fake.core.state.numbers import check_counts
from flyteapps_fake.core.state.sections import Section
from flyteapps_fake.flyte_oss.answers import FLYTE_OSS_ANSWERS, Answers, CachedAnswer, CacheKey
from flyteapps_fake.flyte_oss.cluster import FLYTE_OSS_CLUSTER, FLYTE_OSS_SERVICES, Cluster
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.simulation.operator import OperatedService, Operator
from flyteapps_fake.flyte_oss.state.service_checks import check_answers, check_services
from flyteapps_fake.flyte_oss.state.service_messages import (
    ServiceImage,
    answer_image,
    answer_message,
    service_image,
    service_message,
)


class OssServices(Section):
    """The services by resource name, each with what the operator has of it."""

    name: ClassVar[str] = FLYTE_OSS_SERVICES

    def __init__(self, cluster: Cluster, operator: Operator) -> None:
        self._cluster = cluster
        self._operator = operator

    def keys(self) -> Iterable[str]:
        return [service.resource for service in self._cluster.services.listed("", "")]

    def image(self, key: str) -> ServiceImage | None:
        service = self._cluster.services.get(key)
        if service is None:
            return None
        return ServiceImage(service, self._cluster.timers.get(key), self._operator.image(key))

    def put(self, key: str, image: ServiceImage | None) -> None:
        services, old = self._cluster.services, self._cluster.services.get(key)
        if image is not None:
            services.put(image.service)
        elif old is not None:
            services.remove(old)
        self._cluster.timers.put(key, image.timer if image is not None else None)
        self._operator.put(key, image.operated if image is not None else OperatedService())

    def encode(self, key: str, image: ServiceImage) -> pb.OssService:
        return service_message(image)

    def decode(self, message: pb.OssService) -> tuple[str, ServiceImage]:
        return service_image(message)

    def check(self, pieces: Mapping[str, ServiceImage]) -> None:
        check_services(pieces)

    def stored_key(self, key: str) -> bytes:
        return key.encode()

    def project_of(self, key: str) -> str | None:
        service = self._cluster.services.get(key)
        return service.project if service is not None else None


class OssCluster(Section):
    """The version of the cluster; there is none before the first change."""

    name: ClassVar[str] = FLYTE_OSS_CLUSTER

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def keys(self) -> Iterable[str]:
        return [""] if self._cluster.pages.version else []

    def image(self, key: str) -> int | None:
        return self._cluster.pages.version or None

    def put(self, key: str, image: int | None) -> None:
        self._cluster.pages.version = image or 0

    def encode(self, key: str, image: int) -> pb.OssCluster:
        return pb.OssCluster(version=image)

    def decode(self, message: pb.OssCluster) -> tuple[str, int]:
        check_counts(version=message.version)
        return "", message.version

    def stored_key(self, key: str) -> bytes:
        return key.encode()


class CachedAnswers(Section):
    """The cached answers to Get. One is of the project that its id names, and of the one that its service is in."""

    name: ClassVar[str] = FLYTE_OSS_ANSWERS

    def __init__(self, cluster: Cluster, answers: Answers) -> None:
        self._cluster = cluster
        self._answers = answers

    def keys(self) -> Iterable[CacheKey]:
        return sorted(self._answers.encoded)

    def image(self, key: CacheKey) -> CachedAnswer | None:
        return self._answers.image(key)

    def put(self, key: CacheKey, image: CachedAnswer | None) -> None:
        self._answers.put(key, image)

    def encode(self, key: CacheKey, image: CachedAnswer) -> pb.CachedAnswer:
        return answer_message(key, image)

    def decode(self, message: pb.CachedAnswer) -> tuple[CacheKey, CachedAnswer]:
        return answer_image(message)

    def check(self, pieces: Mapping[CacheKey, CachedAnswer]) -> None:
        check_answers(pieces)

    def stored_key(self, key: CacheKey) -> bytes:
        return json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()

    def project_of(self, key: CacheKey) -> str:
        return key[1]

    def within(self, project: str) -> list[CacheKey]:
        return [key for key in self._answers.encoded if project in (key[1], self._project_of_service(key))]

    def _project_of_service(self, key: CacheKey) -> str:
        _, project, domain, name = key
        service = self._cluster.services.get(resource_name(Identifier(project=project, domain=domain, name=name)))
        return service.project if service is not None else ""
