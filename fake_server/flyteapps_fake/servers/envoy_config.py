"""Envoy's configuration: pyvoy's, with our listener, limits and refusals. No processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from pyvoy import PyvoyServer

from flyteapps_fake.http.limits import KEEP_ALIVE_SECONDS, Limits
from flyteapps_fake.servers.config import ServeConfig
from flyteapps_fake.servers.listener import max_connections

TYPES = "type.googleapis.com/envoy.extensions"
LATE_SECONDS = 5.0
"""Time by which Envoy's own request timeout exceeds the front's, whose refusal is the better one."""
TAIL = "%[89abAB][0-9a-fA-F]"
UTF8_PATH = (
    "(?:[^%?]|%[0-7][0-9a-fA-F]"
    f"|%[cC][2-9a-fA-F]{TAIL}|%[dD][0-9a-fA-F]{TAIL}"
    f"|%[eE]0%[abAB][0-9a-fA-F]{TAIL}|%[eE][1-9a-cefA-CEF](?:{TAIL}){{2}}|%[eE][dD]%[89][0-9a-fA-F]{TAIL}"
    f"|%[fF]0%[9abAB][0-9a-fA-F](?:{TAIL}){{2}}|%[fF][1-3](?:{TAIL}){{3}}|%[fF]4%8[0-9a-fA-F](?:{TAIL}){{2}}"
    r")*(?:\?.*)?"
)
"""The paths that pyvoy can decode; it never answers a request with another one, and never frees it."""

MAX_REQUESTS_A_TURN = 100
"""Requests of one connection that Envoy reads before it turns to others; those reset meanwhile cost next to nothing."""
RUNTIME = {
    "re2": {"max_program_size": {"error_level": 500}},
    # a stream that lives less than a second is an attack to Envoy, and a wait for an app that is ready to us
    "overload": {"premature_reset_total_stream_count": 10_000_000},
    "http": {"max_requests_per_io_cycle": MAX_REQUESTS_A_TURN},
}
STREAM_WINDOW = 64 * 1024
"""Bytes that a stream may buffer of an unread request, or of an answer that its client doesn't read."""
CONNECTION_WINDOW = 4 * 1024 * 1024
CONNECTION_BUFFER = 1024 * 1024
"""Bytes that all streams of a connection may buffer. With a quarter of it an update to 500 watchers costs 18% more."""

CROWDED = 0.75
"""The part of the allowed connections, or of the machine's memory, from which idle connections are closed earlier."""
MIN_IDLE_SECONDS = 1.0
"""Time that a connection may stay open without a request where as many are open as are allowed."""

CONNECT = {"name": ":method", "string_match": {"exact": "CONNECT"}}
NO_SNIFF = {"header": {"key": "x-content-type-options", "value": "nosniff"}}
UPGRADE = {"name": "upgrade", "present_match": True}
NOT_WEBSOCKET = "[^wW].*"
"""Protocols whose upgrade is ignored, as HTTP allows; h2c's always is."""


class Configuration(PyvoyServer):
    """pyvoy's server, used for its configuration alone: one owner of the port, idle streams allowed, none that hang."""

    def __init__(self, config: ServeConfig, admin: Path, app: str = "flyteapps_fake.servers.child:app") -> None:
        """Take the Unix socket of Envoy's administration as `admin`: no web page and no other user can reach it."""
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - it takes any kind of path
            app,
            address=config.addresses[0],
            port=config.port,
            lifespan=True,
            tls_cert=Path(config.tls_cert) if config.tls_cert else None,
            tls_key=Path(config.tls_key) if config.tls_key else None,
            tls_enable_http3=False,
        )
        self._config = config
        self._limits = Limits(**config.limits)
        self._admin = admin

    def get_envoy_config(self) -> dict[str, Any]:
        """Return the configuration."""
        found = cast("dict[str, Any]", super().get_envoy_config())  # pyright: ignore[reportUnknownMemberType] - a bare dict
        for listener in found["static_resources"]["listeners"]:
            self._tune(listener)
        found["admin"] = {
            "address": {"pipe": {"path": str(self._admin), "mode": 0o600}},
            "allow_paths": [{"exact": "/ready"}],
        }
        found["layered_runtime"] = {"layers": [{"name": "flyteapps", "static_layer": RUNTIME}]}
        # memory that was filled for clients that don't read returns to the system once they are gone
        found["memory_allocator_manager"] = {"bytes_to_release": 32 * 1024 * 1024, "memory_release_interval": "1s"}
        found["overload_manager"] = _overload()
        return found

    def _tune(self, listener: dict[str, Any]) -> None:
        listener["enable_reuse_port"] = False
        listener["per_connection_buffer_limit_bytes"] = CONNECTION_BUFFER
        if self._config.addresses[0] == "::":
            listener["address"]["socket_address"]["ipv4_compat"] = True
        listener["additional_addresses"] = [
            {"address": {"socket_address": {"address": address, "port_value": self._config.port}}}
            for address in self._config.addresses[1:]
        ]
        # a connection that sends nothing, or half a greeting of TLS, waits here for the first bytes, and no longer
        inspector = {"@type": f"{TYPES}.filters.listener.tls_inspector.v3.TlsInspector"}
        listener["listener_filters"] = [{"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}]
        listener["listener_filters_timeout"] = f"{self._limits.head_seconds:g}s"
        for chain in listener["filter_chains"]:
            chain["transport_socket_connect_timeout"] = f"{self._limits.head_seconds:g}s"
            for part in chain["filters"]:
                if part["typed_config"]["@type"].endswith("HttpConnectionManager"):
                    self._tune_http(part["typed_config"])

    def _tune_http(self, http: dict[str, Any]) -> None:
        limits = self._limits
        http["stream_idle_timeout"] = "0s"
        http["drain_timeout"] = f"{MIN_IDLE_SECONDS:g}s"
        http["stream_flush_timeout"] = f"{limits.head_seconds:g}s"
        http["request_headers_timeout"] = f"{limits.head_seconds:g}s"
        # the front's own refusal comes first
        http["request_timeout"] = f"{limits.request_seconds + LATE_SECONDS:g}s"
        http["common_http_protocol_options"] = {"idle_timeout": f"{KEEP_ALIVE_SECONDS:g}s"}
        http["http_protocol_options"] = {
            "accept_http_10": True,
            "default_host_for_http_10": "localhost",
            "ignore_http_11_upgrade": [{"safe_regex": {"regex": NOT_WEBSOCKET}}],
        }
        http["http2_protocol_options"] = {
            "max_concurrent_streams": limits.http2_streams,
            "initial_stream_window_size": STREAM_WINDOW,
            "initial_connection_window_size": CONNECTION_WINDOW,
            "use_oghttp2_codec": True,
        }
        http["http_filters"].insert(0, _refusals())
        http["local_reply_config"] = {
            "mappers": [
                _mapper(405, "CONNECT is not offered: this is no proxy\n", CONNECT),
                _mapper(403, "WebSocket is not offered\n", UPGRADE),
                _mapper(404, "the path is no percent-encoded UTF-8\n"),
                {"filter": _status("GE", 400), "headers_to_add": [NO_SNIFF]},
            ]
        }


def _overload() -> dict[str, Any]:
    """Return the limit of connections, and the shorter time for idle ones and unread answers before it is reached."""
    monitors = f"{TYPES}.resource_monitors"
    limits = {
        "global_downstream_max_connections": {
            "@type": f"{monitors}.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": min(max_connections(), 2**31),
        },
        # without a monitor of this kind, Envoy never looks at the other one
        "fixed_heap": {
            "@type": f"{monitors}.fixed_heap.v3.FixedHeapConfig",
            "max_heap_size_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        },
    }
    scaled = {"scaling_threshold": CROWDED, "saturation_threshold": 1.0}
    timers = ["HTTP_DOWNSTREAM_CONNECTION_IDLE", "HTTP_DOWNSTREAM_STREAM_FLUSH"]
    reduced = {
        "@type": "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
        "timer_scale_factors": [{"timer": timer, "min_timeout": f"{MIN_IDLE_SECONDS:g}s"} for timer in timers],
    }
    return {
        "refresh_interval": "0.5s",
        "resource_monitors": [
            {"name": f"envoy.resource_monitors.{name}", "typed_config": limit} for name, limit in limits.items()
        ],
        "actions": [
            {
                "name": "envoy.overload_actions.reduce_timeouts",
                "triggers": [{"name": f"envoy.resource_monitors.{name}", "scaled": scaled} for name in limits],
                "typed_config": reduced,
            }
        ],
    }


def _refusals() -> dict[str, Any]:
    """Return Envoy's filter that refuses what pyvoy would never answer: some paths, tunnels."""
    escaped = {"name": ":path", "string_match": {"contains": "%"}}
    wrong = {"name": ":path", "string_match": {"safe_regex": {"regex": UTF8_PATH}}, "invert_match": True}
    path = {"and_rules": {"rules": [{"header": escaped}, {"header": wrong}]}}
    policy = {"permissions": [path, {"header": CONNECT}, {"header": UPGRADE}], "principals": [{"any": True}]}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": f"{TYPES}.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"unanswerable": policy}},
        },
    }


def _mapper(status: int, text: str, header: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the rule for the answer instead of the filter's 403, to requests with that header."""
    found = _status("EQ", 403)
    if header is not None:
        found = {"and_filter": {"filters": [found, {"header_filter": {"header": header}}]}}
    return {"filter": found, "status_code": status, "body": {"inline_string": text}, "headers_to_add": [NO_SNIFF]}


def _status(operator: str, status: int) -> dict[str, Any]:
    """Return the filter of answers whose status compares so."""
    value = {"default_value": status, "runtime_key": f"flyteapps.status_{status}"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}
