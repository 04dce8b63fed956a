"""What Prometheus may ask: by adapter, and for every registered version, whether anybody asked it yet or not (F30)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.safety.guard.action import Acted
from hatrack.serving.request import Finished
from hatrack.serving.service import ModelService

__all__ = ["Meters", "Totals"]

_LABELS = ("adapter", "version")
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass
class Totals:
    """What one version did since the server began. ``first_token``: mean seconds until it; None where there was none."""

    requests: int = 0
    tokens: int = 0
    first_token: float | None = None


class Meters:
    """Counters of one server; each server has its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of the page, for a time that nobody asks for
        self._registry = CollectorRegistry()
        self._requests = Counter("hatrack_requests", "Answers given, by how they ended.", (*_LABELS, "outcome"), registry=self._registry)
        self._tokens = Counter("hatrack_tokens", "Tokens, by kind.", (*_LABELS, "kind"), registry=self._registry)
        self._cost = Counter(
            "hatrack_cost", "What hosted models cost, in the currency of the stated prices.", _LABELS, registry=self._registry
        )
        self._first = self._histogram("hatrack_first_token_seconds", "From the request to the first token of its answer.")
        self._queued = self._histogram("hatrack_queue_seconds", "From the request to the begin of work on it.")
        self._whole = self._histogram("hatrack_answer_seconds", "From the request to the end of its answer.")
        self._guard = Counter(
            "hatrack_guard_actions", "What guard-rails did, by rule.", ("adapter", "rule", "action"), registry=self._registry
        )
        self._rewrites = Counter(
            "hatrack_rewrites", "Questions rewritten for a search: used, or why not.", ("adapter", "outcome"), registry=self._registry
        )
        self._http = Counter("hatrack_http_responses", "Responses, by route and status.", ("route", "status"), registry=self._registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, _LABELS, buckets=_SECONDS, registry=self._registry)

    def finished(self, manifest: Manifest | None, end: Finished) -> None:
        """An answer is over."""
        labels = _labels(manifest)
        self._requests.labels(*labels, end.reason).inc()
        for kind, count in (("prompt", end.prompt_tokens), ("cached", end.cached_tokens), ("completion", end.completion_tokens)):
            self._tokens.labels(*labels, kind).inc(count)
        if end.cost is not None:
            self._cost.labels(*labels).inc(end.cost)
        self._queued.labels(*labels).observe(end.queued)
        if end.completion_tokens:
            self._first.labels(*labels).observe(end.first_token)
        self._whole.labels(*labels).observe(end.seconds)

    def failed(self, manifest: Manifest | None) -> None:
        """An answer could not be given."""
        self._requests.labels(*_labels(manifest), "failed").inc()

    def called(self, manifest: Manifest | None, outcome: str, tokens: int, seconds: float) -> None:
        """Texts were embedded or labelled."""
        labels = _labels(manifest)
        self._requests.labels(*labels, outcome).inc()
        self._tokens.labels(*labels, "prompt").inc(tokens)
        self._whole.labels(*labels).observe(seconds)

    def guarded(self, adapter: str, acted: Acted) -> None:
        """A guard-rail acted on a question or an answer."""
        self._guard.labels(adapter, acted.rule, acted.action).inc()

    def rewrote(self, adapter: str, outcome: str) -> None:
        """A question was rewritten as a search query; ``outcome``: used, or why it was not."""
        self._rewrites.labels(adapter, outcome).inc()

    def responded(self, route: str, status: int) -> None:
        """A response was sent."""
        self._http.labels(route, str(status)).inc()

    def text(self, service: ModelService) -> bytes:
        """All figures in Prometheus' text form. Reads the registry: not for the event loop."""
        states = _States(service)
        for labels in states.labels:
            self._touch(labels)
        return generate_latest(self._registry) + generate_latest(_of(states))

    def totals(self) -> dict[tuple[str, str], Totals]:
        """By adapter and version, for people; tokens are those of answers. Who was never asked is not there."""
        found: dict[tuple[str, str], Totals] = {}
        for sample in (sample for meter in (self._requests, self._tokens) for metric in meter.collect() for sample in metric.samples):
            totals = found.setdefault((sample.labels["adapter"], sample.labels["version"]), Totals())
            if sample.name == "hatrack_requests_total":
                totals.requests += int(sample.value)
            elif sample.labels["kind"] == "completion":
                totals.tokens += int(sample.value)
        seconds = {(s.name, s.labels["adapter"], s.labels["version"]): s.value for metric in self._first.collect() for s in metric.samples}
        for key, totals in found.items():
            count = seconds.get(("hatrack_first_token_seconds_count", *key))
            if count:
                totals.first_token = seconds["hatrack_first_token_seconds_sum", *key] / count
        return found

    def _touch(self, labels: tuple[str, str]) -> None:
        """A version nobody asked yet stands there with zeros."""
        self._requests.labels(*labels, "stop")
        for kind in ("prompt", "cached", "completion"):
            self._tokens.labels(*labels, kind)
        for histogram in (self._first, self._queued, self._whole):
            histogram.labels(*labels)


class _States(Collector):
    """Where each version is now, from the service itself."""

    def __init__(self, service: ModelService) -> None:
        self._service = service
        self._states = service.states()
        self.labels = [_labels(None), *(_labels(state.manifest) for state in self._states)]

    def collect(self) -> Iterator[Metric]:
        gauges = {
            "resident": GaugeMetricFamily("hatrack_resident", "1 while the version's weights are in memory.", labels=_LABELS),
            "pinned": GaugeMetricFamily("hatrack_pinned", "1 while the version may not be evicted.", labels=_LABELS),
            "running": GaugeMetricFamily("hatrack_running", "Answers being made.", labels=_LABELS),
            "waiting": GaugeMetricFamily("hatrack_waiting", "Requests in the queue.", labels=_LABELS),
        }
        loads = CounterMetricFamily("hatrack_loads", "How often the version was loaded.", labels=_LABELS)
        evictions = CounterMetricFamily("hatrack_evictions", "How often it made room for another.", labels=_LABELS)
        for labels, state in zip(self.labels[1:], self._states, strict=True):
            for name, value in (
                ("resident", state.state == "resident"),
                ("pinned", state.pinned),
                ("running", state.running),
                ("waiting", state.waiting),
            ):
                gauges[name].add_metric(labels, float(value))
            loads.add_metric(labels, state.loads)
            evictions.add_metric(labels, state.evictions)
        yield from (*gauges.values(), loads, evictions, *self._engines())

    def _engines(self) -> Iterator[Metric]:
        steps = CounterMetricFamily("hatrack_engine_steps", "Forward passes.", labels=("engine",))
        tokens = CounterMetricFamily("hatrack_engine_tokens", "Tokens that went through them.", labels=("engine",))
        busy = CounterMetricFamily("hatrack_engine_busy_seconds", "Time spent in them.", labels=("engine",))
        for name, engine in (("mixed", self._service.engine), ("groups", self._service.groups)):
            if engine is not None:
                steps.add_metric((name,), engine.statistics.steps)
                tokens.add_metric((name,), engine.statistics.tokens)
                busy.add_metric((name,), engine.statistics.busy_seconds)
        servers = GaugeMetricFamily("hatrack_engine_server_up", "1 while a server behind the engine answers.", labels=("server",))
        if self._service.engine is not None:
            for url, up in self._service.engine.residence().servers.items():
                servers.add_metric((url,), float(up))
        yield from (steps, tokens, busy, servers)


def _of(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def _labels(manifest: Manifest | None) -> tuple[str, str]:
    return (manifest.name, manifest.version) if manifest else (BASE, "")
