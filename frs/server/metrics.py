"""What the service measures, for Prometheus: counters of the edge, and the rooms' own figures read at each scrape.

Labels are methods, codes, gradings and pack names: never people, watchlists or cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frs.audit.witness_state import WitnessState
from frs.match.tally import StreamCounts
from frs.review.waiting import WaitingWork
from frs.server.workers import Workers

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """The rooms' figures at one moment."""

    provider: str
    """ONNX Runtime execution provider in use."""
    model: str
    """``pack@version``."""
    batches: int
    batched_faces: int
    queued_faces: int
    refused_batches: int
    index_templates: int
    index_bytes: int
    watchlists_indexed: int
    log_events: int
    rebuild_seconds: float
    witness: WitnessState | None = None
    """None when the log has no witness."""
    waiting: WaitingWork | None = None
    """What waits for people; None where it was not asked for."""


class Metrics:
    """One registry; nothing global, so that tests can have several."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody asked for
        self.registry = CollectorRegistry()
        self.requests = Counter("frs_requests_total", "Requests answered.", ["method", "code"], registry=self.registry)
        self.latency = Histogram(
            "frs_request_seconds",
            "Time to answer a unary request.",
            ["method"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.streams = Gauge("frs_streams_open", "Streams open now.", ["method"], registry=self.registry)
        self.pending = Gauge("frs_pool_pending", "Calls that run or wait in a pool.", ["pool"], registry=self.registry)
        self._live = {
            field.name: Counter(f"frs_live_{field.name}_total", f"Live: {field.name}.", registry=self.registry)
            for field in fields(StreamCounts)
        }

    def watch_pool(self, pool: Workers) -> None:
        """Show how many calls run or wait in a pool."""
        self.pending.labels(pool.name).set_function(lambda: pool.pending)

    def count_live(self, before: StreamCounts, after: StreamCounts) -> None:
        """Add what a stream counted since the last call."""
        for name, counter in self._live.items():
            counter.inc(getattr(after, name) - getattr(before, name))

    def read_from(self, figures: Callable[[], Figures]) -> None:
        """Have each scrape read the rooms' figures."""
        self.registry.register(_Rooms(figures))

    def text(self) -> bytes:
        """Return everything in the exposition format."""
        return generate_latest(self.registry)


class _Rooms(Collector):
    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        return ()  # registering reads nothing

    def collect(self) -> Iterable[Metric]:
        now = self._figures()
        provider = GaugeMetricFamily(
            "frs_provider_info", "The execution provider and model in use; always 1.", labels=["provider", "model"]
        )
        provider.add_metric([now.provider, now.model], 1)
        yield provider
        yield CounterMetricFamily("frs_recogniser_batches", "Calls of the recogniser.", value=now.batches)
        yield CounterMetricFamily("frs_recogniser_faces", "Faces embedded in them.", value=now.batched_faces)
        yield CounterMetricFamily(
            "frs_recogniser_refused", "Requests refused because its queue was full.", value=now.refused_batches
        )
        yield GaugeMetricFamily("frs_recogniser_queue_faces", "Faces that wait for it.", value=now.queued_faces)
        yield GaugeMetricFamily("frs_index_templates", "Templates in the index.", value=now.index_templates)
        yield GaugeMetricFamily("frs_index_bytes", "Memory of the index.", value=now.index_bytes)
        yield GaugeMetricFamily("frs_index_watchlists", "Watchlists in the index.", value=now.watchlists_indexed)
        yield GaugeMetricFamily("frs_log_events", "Events in the log.", value=now.log_events)
        yield GaugeMetricFamily(
            "frs_index_rebuild_seconds", "Time the last rebuild of the index took.", value=now.rebuild_seconds
        )
        if now.witness is not None:
            yield from _witness(now.witness)
        if now.waiting is not None:
            yield from _waiting(now.waiting)


def _waiting(work: WaitingWork) -> Iterable[Metric]:
    for name, text in (
        ("pending", "Cases that wait for a reviewer."),
        ("claimed", "Cases that a reviewer holds."),
        ("escalated", "Open cases that nobody took in time."),
        ("oldest_seconds", "How long the oldest open case has waited for a decision."),
    ):
        family = GaugeMetricFamily(f"frs_cases_{name}", text, labels=["grading"])
        for grading, waiting in work.by_grading.items():
            family.add_metric([grading], getattr(waiting, name))
        yield family
    yield GaugeMetricFamily(
        "frs_operator_outcomes_overdue", "Outcomes of searches that are owed too long.", value=work.outcomes_overdue
    )


def _witness(state: WitnessState) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "frs_witness_up",
        "1 when the last attempt to have the log witnessed succeeded.",
        value=float(state.failure is None),
    )
    yield GaugeMetricFamily("frs_witness_events", "Events that the witness has cosigned.", value=state.cosigned)
    yield GaugeMetricFamily("frs_witness_erasures", "Destroyed keys that the witness has.", value=state.erasures)
    yield GaugeMetricFamily(
        "frs_witness_lag_seconds",
        "How long the oldest of what waits for the witness has waited.",
        value=state.lag_seconds,
    )
