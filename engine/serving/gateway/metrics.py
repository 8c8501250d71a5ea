"""Figures for Prometheus: calls by the names of go-grpc-prometheus, and how busy the server is.

Knows counts and server info; no socket. Nothing is kept here: each scrape is made of what is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from contrapose.v1 import server_info_pb2
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from engine.serving.calls import BOUNDS_S, CallFigures, CallKind

CONTENT_TYPE = CONTENT_TYPE_LATEST
LABELS = ("door", "grpc_type", "grpc_service", "grpc_method")


def metrics_text(
    calls: Mapping[CallKind, CallFigures], info: server_info_pb2.GetServerInfoResponse
) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Scrape([*_of_calls(calls), *_of_server(info)]))
    return generate_latest(registry)


class _Scrape(Collector):
    """Families that are known already, in the shape that prometheus_client wants."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _of_calls(calls: Mapping[CallKind, CallFigures]) -> Iterator[Metric]:
    started = CounterMetricFamily("grpc_server_started", "Calls that began.", labels=LABELS)
    handled = CounterMetricFamily(
        "grpc_server_handled", "Calls that ended, by status.", labels=(*LABELS, "grpc_code")
    )
    received = CounterMetricFamily(
        "grpc_server_msg_received", "Messages of clients.", labels=LABELS
    )
    sent = CounterMetricFamily("grpc_server_msg_sent", "Messages to clients.", labels=LABELS)
    seconds = HistogramMetricFamily(
        "grpc_server_handling_seconds", "What calls took that ended.", labels=LABELS
    )
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    for kind, figures in calls.items():
        started.add_metric(kind, figures.started)
        received.add_metric(kind, figures.received)
        sent.add_metric(kind, figures.sent)
        for code, count in figures.ended.items():
            handled.add_metric((*kind, code), count)
        at_most = list(zip(bounds, accumulate(figures.within), strict=True))
        seconds.add_metric(kind, at_most, figures.seconds)
    yield from (started, handled, received, sent, seconds)


def _of_server(info: server_info_pb2.GetServerInfoResponse) -> Iterator[Metric]:
    load = info.load
    yield InfoMetricFamily(
        "contrapose_server",
        "What is served.",
        {
            "version": info.server_version,
            "bundle": info.bundle,
            "backend": info.backend,
            "precision": info.precision,
        },
    )
    for name, help_, value in (
        ("ready", "1 while sessions are accepted.", float(info.is_ready)),
        ("sessions", "Sessions open now.", info.active_sessions),
        ("sessions_limit", "Sessions that may be open at once.", info.max_sessions),
        ("engine_busy_ratio", "Part of the last seconds spent denoising.", load.engine_busy),
        ("denoiser_rows", "Mean rows of a denoiser call.", load.mean_batch),
        ("loop_lag_seconds", "Longest hold-up of the event loop, 10 s.", load.loop_lag_ms / 1e3),
        ("steps", "Denoiser calls per window that sessions get at most.", load.steps),
        ("revision_frames", "Least frames between two revisions.", load.revision_frames),
        ("resident_memory_bytes", "Memory that is held.", 1e6 * load.resident_mb),
    ):
        yield GaugeMetricFamily(f"contrapose_{name}", help_, value)
    yield CounterMetricFamily("contrapose_windows", "Windows denoised.", load.windows)
    yield CounterMetricFamily(
        "contrapose_late_windows", "Windows that were late for their deadline.", load.late_windows
    )
