"""A plane somewhere: host and port, Connect or gRPC, plaintext or TLS. Others may use it, too."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.outcomes import CannotJudge
from flyteapps_contract.targets.open_streams import counted
from flyteapps_contract.targets.target import ADMIN, Capabilities, Link, Plane, Target
from flyteapps_contract.targets.wire import NAMES, Protocol, Wire

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a plane: `host` without brackets."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, text: str, insecure: bool = False) -> Address:
        """From `host:port`, `dns:///host:port`, `http://...` or `https://...`.

        Without a scheme it is TLS, unless `insecure` or the host is this machine. Raises CannotJudge.
        """
        scheme, bare = "", text.removeprefix("dns:///")
        if "://" in bare:
            scheme = bare.partition("://")[0]
        if scheme not in ("", "http", "https"):
            raise CannotJudge(f"endpoint {text!r}: {scheme}:// is not spoken here; give host:port, http:// or https://")
        try:
            parts = urlsplit(bare if scheme else f"//{bare}")
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise CannotJudge(f"endpoint {text!r}: {error}") from None
        if not host or any(character.isspace() for character in bare):
            raise CannotJudge(f"endpoint {text!r} names no host; give host:port, such as localhost:8090")
        if parts.path.strip("/") or parts.query:
            raise CannotJudge(f"endpoint {text!r} has a path; give it without {parts.path}")
        tls = scheme == "https" or (not scheme and not insecure and not _local(host))
        return cls(host, port or DEFAULT_PORTS["https" if tls else "http"], tls)

    @property
    def authority(self) -> str:
        """`host:port`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The access to a plane: headers of every call, and a file with the certificates to trust (None: the system's)."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    ca_cert: Path | None = None


class _SharedPlane(Plane):
    def __init__(self, capabilities: Capabilities, link: Link, token: str) -> None:
        self.capabilities = capabilities
        self.link = link
        self._token = token

    def token(self, caller: str, expires_in: float | None = None, **claims: object) -> str:
        """Return the token of the run; there is no other."""
        if caller != ADMIN or expires_in is not None or claims or not self._token:
            return super().token(caller, expires_in, **claims)
        return self._token

    def open_streams(self, project: str) -> int:
        """Return how many streams about a project are open, by the control API of a stand-in."""
        return counted(self.link, project)

    def close(self) -> None:
        self.link.close()


class EndpointTarget(Target):
    """One plane for all checks, with a link of its own each."""

    def __init__(
        self,
        address: Address,
        protocol: Protocol = "connect",
        access: Access | None = None,
        *,
        org: str = "",
        projects: bool = True,
        failing: Mapping[str, str] | None = None,
        dialect: str = STANDARD,
    ) -> None:
        self.name = f"{address.authority} over {NAMES[protocol]}{', TLS' if address.tls else ''}"
        self.protocol = protocol
        self.access = access or Access()
        self.wire = Wire(address.authority, address.tls, _read(self.access.ca_cert), protocol == "connect-http2")
        open_to_all = not self.access.headers
        self.capabilities = Capabilities(
            projects=projects,
            failing=dict(failing or {}),
            http=open_to_all and protocol != "grpc",
            raw_grpc=open_to_all,
            org=org,
            dialect=dialect,
            authenticated="authorization" in self.access.headers,
        )

    def be_lenient(self, lenient: bool) -> None:
        """Set whether no cluster checks what is written: it is found out by a call."""
        self.capabilities = replace(self.capabilities, lenient=lenient)

    def plane(self) -> Plane:
        """Return the plane, through a link of its own."""
        scheme, _, token = self.access.headers.get("authorization", "").partition(" ")
        return _SharedPlane(self.capabilities, self.link(), token if scheme.lower() == "bearer" else "")

    def link(self) -> Link:
        """Return a new link; the caller closes it."""
        link = self._grpc() if self.protocol == "grpc" else self._connect()
        link.wire = self.wire
        return link

    def _connect(self) -> Link:
        from connectrpc.protocol import ProtocolType
        from flyteidl2.app.app_service_connect import AppServiceClient

        from flyteapps_contract.targets.connect import ConnectLink

        spoken = ProtocolType.GRPC_WEB if self.protocol == "grpc-web" else ProtocolType.CONNECT
        client = AppServiceClient(self.wire.url, protocol=spoken, http_client=self.wire.client())
        return ConnectLink(client, self.access.headers)

    def _grpc(self) -> Link:
        channel = self.wire.channel()  # first: it says what to install
        from flyteapps_contract.targets.grpc_channel import GrpcLink

        return GrpcLink(channel, self.access.headers)


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError as error:
        raise CannotJudge(f"the file of certificates can't be read: {error}") from None
