"""The metrics of a server, for Prometheus. Counting is a few dictionaries; its client is imported on a scrape."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

BOUNDS = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the buckets of seconds."""

Sources = dict[str, tuple[str, Callable[[], float]]]
"""Values that are read on a scrape: by name, the help text and the function that returns the value."""


class Metrics:
    """The counts of one server. `gauges`, `counters`: values that are read on a scrape, as name -> (help, value)."""

    def __init__(self, gauges: Sources, counters: Sources) -> None:
        self.started = time.time()
        self._gauges = gauges
        self._counters = counters
        self._calls: dict[tuple[str, str], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._registry: CollectorRegistry | None = None

    def count(self, path: str, code: str, seconds: float | None) -> None:
        """Count an answered call; `seconds` is None for a stream, whose duration says nothing about the server."""
        key = (path, code)
        self._calls[key] = self._calls.get(key, 0) + 1
        if seconds is None:
            return
        buckets = self._buckets.get(path)
        if buckets is None:
            buckets = self._buckets[path] = [0] * (len(BOUNDS) + 1)
            self._seconds[path] = 0.0
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[path] += seconds

    def exposition(self, accept: str) -> tuple[bytes, bytes]:
        """Return content type and text, in the form that the scraper's Accept header prefers."""
        from prometheus_client.exposition import choose_encoder

        encoder, content_type = choose_encoder(accept)
        return content_type.encode(), encoder(self._collected())

    def _collected(self) -> CollectorRegistry:
        if self._registry is None:
            from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

            self._registry = CollectorRegistry()
            self._registry.register(self)  # type: ignore[arg-type]  # its type asks for a subclass, its docs for this
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
            GCCollector(registry=self._registry)
        return self._registry

    def collect(self) -> Iterator[Any]:
        """Yield the metrics, as prometheus_client requires of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        labels = ("service", "method")
        calls = CounterMetricFamily("flyteapps_rpcs", "Answered calls, by code.", labels=(*labels, "code"))
        for (path, code), number in list(self._calls.items()):
            calls.add_metric((*_names(path), code), number)
        yield calls
        seconds = HistogramMetricFamily("flyteapps_rpc_seconds", "Time of a unary call in the server.", labels=labels)
        for path, buckets in list(self._buckets.items()):
            total, rows = 0, list[tuple[str, float]]()
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += number
                rows.append((bound, total))
            seconds.add_metric(_names(path), rows, self._seconds[path])
        yield seconds
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(name, text, value())
        for name, (text, value) in self._counters.items():
            yield CounterMetricFamily(name, text, value())


def _names(path: str) -> tuple[str, str]:
    service, _, method = path.strip("/").rpartition("/")
    return service, method
