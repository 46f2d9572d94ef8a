"""The rules of a container's probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, below, errors_of
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import MAX_INT32, forbidden, invalid, one_of, out_of_bounds

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_HANDLERS_IN_ERRORS = {"grpc": "gRPC"}
_DEFAULTS = {"successThreshold": 1}
_DEFAULTS_OF_A_PERIOD = {"failureThreshold": 3, "timeoutSeconds": 1}


class Probe(NamedTuple):
    """A probe of the container that serves the port of that name; `numbers`: with Knative's defaults."""

    fields: Json
    port_name: str
    numbers: Json

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handlers that it names."""
        return tuple(_HANDLERS_IN_ERRORS.get(each, each) for each in _HANDLERS if each in self.fields)

    def number(self, field: str) -> int:
        """Return a number, 0 where it isn't set."""
        return self.numbers.get(field, 0)


def _port(probe: Probe, handler: str) -> str:
    """Return the port that a handler names by its name, "" where it has a number."""
    port = probe.fields.get(handler, {}).get("port")
    return port if isinstance(port, str) else ""


HANDLERS: tuple[Rule[Probe], ...] = (
    Rule(
        "a probe that names no handler, or several",
        lambda probe: len(probe.handlers) != 1,
        lambda probe: one_of(probe.handlers or _HANDLERS, len(probe.handlers)),
    ),
    *(
        Rule[Probe](
            f"a probe's {handler} whose port is named otherwise than the container's",
            lambda probe, handler=handler: _port(probe, handler) not in ("", probe.port_name),
            lambda probe, handler=handler: invalid(
                _port(probe, handler), f"{handler}.port", "Probe port must match container port"
            ),
        )
        for handler in ("httpGet", "tcpSocket")
    ),
)
READINESS: tuple[Rule[Probe], ...] = (
    *(
        Rule[Probe](
            f"a negative {field} of a readiness probe",
            lambda probe, field=field: probe.number(field) < 0,
            lambda probe, field=field: out_of_bounds(0, probe.number(field), MAX_INT32, field),
        )
        for field in ("periodSeconds", "initialDelaySeconds")
    ),
    Rule(
        "a readiness probe's successThreshold under 1",
        lambda probe: probe.number("successThreshold") < 1,
        lambda probe: out_of_bounds(1, probe.number("successThreshold"), MAX_INT32, "successThreshold"),
    ),
    *(
        Rule[Probe](
            f"a readiness probe's {field} without periodSeconds",
            lambda probe, field=field: not probe.number("periodSeconds") and probe.number(field) != 0,
            lambda _, field=field: FieldError(f"{field} is disallowed when periodSeconds is zero", (field,)),
        )
        for field in ("failureThreshold", "timeoutSeconds")
    ),
    *(
        Rule[Probe](
            f"a readiness probe's {field} under 1",
            lambda probe, field=field: probe.number("periodSeconds") != 0 and probe.number(field) < 1,
            lambda probe, field=field: out_of_bounds(1, probe.number(field), MAX_INT32, field),
        )
        for field in ("timeoutSeconds", "failureThreshold")
    ),
)


def errors_of_probes(container: Json, port_name: str, *, sidecar: bool) -> Iterator[FieldError]:
    """Yield the errors of a container's probes, with paths from the container; a sidecar may have none."""
    for name in PROBES:
        fields = container.get(name)
        if sidecar:
            if fields is not None and (fields or name == "readinessProbe"):
                yield from below(name, [forbidden(*_set(name, fields))])
        elif name == "readinessProbe":
            yield from below(name, _errors_of_readiness(fields or {}, port_name))
        elif fields is not None:
            yield from below(name, errors_of(HANDLERS, Probe(fields, port_name, fields)))


def _errors_of_readiness(fields: Json, port_name: str) -> Iterator[FieldError]:
    if not any(each in fields for each in _HANDLERS):
        fields = {**fields, "tcpSocket": {}}
    probe = Probe(fields, port_name, _with_defaults(fields))
    yield from errors_of(HANDLERS, probe)
    yield from errors_of(READINESS, probe)


def _with_defaults(fields: Json) -> Json:
    """Return a readiness probe with the numbers that Knative sets where they are missing."""
    return {**_DEFAULTS, **(_DEFAULTS_OF_A_PERIOD if fields.get("periodSeconds") else {}), **fields}


def _set(name: str, fields: Json) -> list[str]:
    """Return the fields of a probe that are set; its handlers count as the probe itself."""
    found = _with_defaults(fields) if name == "readinessProbe" else fields
    return list(dict.fromkeys("" if each in _HANDLERS else each for each in found))
