"""Metrics in Prometheus' format. Their names, types and labels are a contract: all of them stand in `METRICS`.

Labels are names from the configuration, states and routes: nothing personal, and no more of them than there are of
those. What it costs does not depend on the number of contacts.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from syncd import __version__
from syncd.contract.watched import BUCKETS, Timing
from syncd.ledger import figures
from syncd.ledger.figures import Figures
from syncd.ledger.spool import Waiting
from syncd.ledger.sqlite import sqlite3
from syncd.ledger.store import Tx
from syncd.pipeline.gate import BACKLOG, UNTRIED, WRITE_RIGHT
from syncd.pipeline.parts import Parts
from syncd.words import Standing

from .status import live

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
KINDS = ("charged", "assumed", "reserved", "in_doubt")  # of credits
BREAKER_STATES = ("closed", "open", "trial")
DAY = 86_400.0
GAUGE, COUNTER, HISTOGRAM = "gauge", "counter", "histogram"


class Metric(NamedTuple):
    """A name, what it is, its labels, and what it tells."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


METRICS = (
    Metric("syncd_build_info", GAUGE, ("version", "python", "sqlite"), "What runs; always 1"),
    Metric("syncd_ready", GAUGE, (), "1 if /readyz answers 200"),
    Metric("syncd_condition", GAUGE, ("kind", "who", "detail"), "1 for each thing that is wrong now or wants a person"),
    Metric(
        "syncd_sync_state", GAUGE, ("sync", "state"), "1 for the state that a sync is in, in the words of the pages"
    ),
    Metric("syncd_jobs", GAUGE, ("sync", "field", "state", "reason"), "Jobs (a contact and a field each)"),
    Metric("syncd_events_total", COUNTER, ("name",), "What was counted: callbacks by outcome, races put right"),
    Metric("syncd_credits", GAUGE, ("provider", "kind"), "Credits since the beginning, by what is known of them"),
    Metric("syncd_submissions", GAUGE, ("provider",), "Paid calls since the beginning"),
    Metric("syncd_budget_cap_credits", GAUGE, ("budget", "window"), "The cap"),
    Metric("syncd_budget_used_credits", GAUGE, ("budget", "window"), "Charged, counted as charged, and reserved"),
    Metric("syncd_budget_left_credits", GAUGE, ("budget", "window"), "What is left of the cap"),
    Metric("syncd_budget_reached", GAUGE, ("budget", "window"), "1 if the next call does not fit into the cap"),
    Metric(
        "syncd_budget_goes_on_timestamp_seconds",
        GAUGE,
        ("budget", "window"),
        "When a reached cap lets calls through again at the latest",
    ),
    Metric("syncd_balance_credits", GAUGE, ("connection",), "The provider's own balance, as it was seen last"),
    Metric("syncd_balance_timestamp_seconds", GAUGE, ("connection",), "When the balance was seen"),
    Metric("syncd_balance_lasts_seconds", GAUGE, ("connection", "by"), "How long the balance lasts, as spent lately"),
    Metric("syncd_balance_floor_credits", GAUGE, ("connection",), "The configured floor of the balance"),
    Metric(
        "syncd_reconciliation_difference_credits",
        GAUGE,
        ("connection",),
        "Credits that are gone and were not charged here (below 0: charged and not gone)",
    ),
    Metric("syncd_in_doubt_calls", GAUGE, ("provider",), "Paid calls of which nobody knows whether they arrived"),
    Metric("syncd_reviews_waiting", GAUGE, (), "Values that wait for a person's decision"),
    Metric("syncd_answers_judged", GAUGE, ("provider",), "Of the newest 1000 answers: those about whom it was judged"),
    Metric("syncd_answers_contradicted", GAUGE, ("provider",), "Of those: about somebody else"),
    Metric("syncd_halted", GAUGE, ("connection",), "1 while the connection is not used"),
    Metric("syncd_breaker_state", GAUGE, ("connection", "state"), "1 for the state that the way to a provider is in"),
    Metric("syncd_gate_shut", GAUGE, ("watch", "sync"), "1 while this watch keeps a sync (or all) from buying"),
    Metric("syncd_inbox_deliveries", GAUGE, (), "Answers that were stored and not read yet"),
    Metric("syncd_queue_wait_seconds", GAUGE, ("queue",), "For how long the first of a queue waits"),
    Metric("syncd_ask_wait_seconds", GAUGE, ("sync", "provider"), "For how long the next one to be asked about waits"),
    Metric("syncd_write_lag_seconds", GAUGE, ("sync",), "For how long the first value to be written is due"),
    Metric("syncd_pull_timestamp_seconds", GAUGE, ("sync",), "When a pull last came to its end without an error"),
    Metric("syncd_callback_timestamp_seconds", GAUGE, ("provider",), "When a genuine callback last came"),
    Metric("syncd_sweep_contacts", GAUGE, ("sync",), "Contacts that the last whole pull brought"),
    Metric("syncd_sweep_missing_contacts", GAUGE, ("sync",), "Contacts with open work that it did not bring"),
    Metric("syncd_limit_calls", GAUGE, ("connection", "seconds"), "A provider's limit of calls in so many seconds"),
    Metric("syncd_limit_left_calls", GAUGE, ("connection", "seconds"), "What is left of it"),
    Metric("syncd_next_call_seconds", GAUGE, ("connection",), "Until a provider's limits allow the next call"),
    Metric("syncd_stage_silence_seconds", GAUGE, ("stage",), "Since a stage gave its last sign of life"),
    Metric("syncd_event_loop_lag_seconds", GAUGE, (), "The worst lag of the event loop within the last minute"),
    Metric("syncd_ledger_commit_seconds", GAUGE, (), "What the last trial of the ledger took: a commit and a look"),
    Metric("syncd_ledger_bytes", GAUGE, ("file",), "The size of the ledger's files"),
    Metric("syncd_ledger_answers", GAUGE, (), "Of a receiver: 1 while the ledger answers"),
    Metric("syncd_spool_callbacks", GAUGE, (), "Callbacks on this host that were not forwarded to the ledger yet"),
    Metric("syncd_spool_bytes", GAUGE, (), "Their bytes"),
    Metric("syncd_spool_wait_seconds", GAUGE, (), "For how long the first of them waits"),
    Metric("syncd_disk_free_bytes", GAUGE, (), "The room beside the ledger"),
    Metric(
        "syncd_outside_calls_total",
        COUNTER,
        ("connection", "method", "route", "outcome"),
        "Calls to vendors by how they ended: 2xx, 3xx, 4xx, 429, 5xx, unreachable, timeout, broken",
    ),
    Metric(
        "syncd_outside_call_seconds",
        HISTOGRAM,
        ("connection", "method", "route"),
        "How long calls to vendors took, to the end of the answer",
    ),
    Metric("syncd_alerts_total", COUNTER, ("outcome",), "Messages to those who are told: sent, failed, lost"),
)

Sample = tuple[tuple[str, ...], float]
Samples = dict[str, list[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that a scrape tells, at one moment."""

    status: Mapping[str, Any]
    figures: Figures
    parts: Parts
    now: float
    commit: float | None = None  # seconds of the last trial of the ledger


async def scrape(parts: Parts, commit: float | None = None) -> bytes:
    """The whole answer to a scrape."""
    status = await live(parts)
    found = await parts.ledger.read(_figures, parts)
    snapshot = Snapshot(status=status, figures=found, parts=parts, now=parts.clock.now(), commit=commit)
    return render(snapshot)


def of_receiver(parts: Parts, waiting: Waiting, *, ready: bool, answers: bool) -> bytes:
    """The answer of a process that only takes callbacks. `answers`: whether the ledger does."""
    since = parts.clock.now() if waiting.since is None else waiting.since
    told: Samples = {
        "syncd_build_info": [((__version__, platform.python_version(), sqlite3.sqlite_version), 1.0)],
        "syncd_ready": [((), float(ready))],
        "syncd_ledger_answers": [((), float(answers))],
        "syncd_spool_callbacks": [((), waiting.callbacks)],
        "syncd_spool_bytes": [((), waiting.bytes)],
        "syncd_spool_wait_seconds": [((), max(0.0, parts.clock.now() - since))],
        "syncd_event_loop_lag_seconds": [((), parts.liveness.worst_lag())],
    }
    return _rendered(told, parts)


def _figures(tx: Tx, parts: Parts) -> Figures:
    found = figures.read(tx, [sync.name for sync in parts.syncs], parts.lanes)
    found.heard_at.update(parts.heard)
    return found


def render(snapshot: Snapshot) -> bytes:
    """The whole answer for what was seen at one moment."""
    return _rendered(samples(snapshot), snapshot.parts)


def _rendered(found: Samples, parts: Parts) -> bytes:
    """In Prometheus' text format, with those of the process."""
    from prometheus_client.exposition import generate_latest  # noqa: PLC0415 - 12 MB, for those who scrape
    from prometheus_client.gc_collector import GCCollector  # noqa: PLC0415
    from prometheus_client.process_collector import ProcessCollector  # noqa: PLC0415
    from prometheus_client.registry import CollectorRegistry  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Collector(found, parts))
    return generate_latest(registry)


class _Collector:
    def __init__(self, found: Samples, parts: Parts) -> None:
        self._found, self._parts = found, parts

    def collect(self) -> Iterator[Family]:
        from prometheus_client import metrics_core as core  # noqa: PLC0415

        families = {GAUGE: core.GaugeMetricFamily, COUNTER: core.CounterMetricFamily}
        for metric in METRICS:
            if metric.type == HISTOGRAM:
                yield _histogram(metric, self._parts.calls.snapshot()[0])
                continue
            family = families[metric.type](metric.name, metric.help, labels=metric.labels)
            for labels, value in self._found.get(metric.name, ()):
                family.add_metric(labels, value)
            yield family


def _histogram(metric: Metric, timings: Mapping[tuple[str, str, str], Timing]) -> Family:
    from prometheus_client import metrics_core as core  # noqa: PLC0415

    family = core.HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, timing in sorted(timings.items()):
        buckets, total = [], 0
        for limit, count in zip([*map(str, BUCKETS), "+Inf"], timing.counts, strict=True):
            total += count
            buckets.append((limit, total))
        family.add_metric(labels, buckets, timing.seconds)
    return family


def samples(snapshot: Snapshot) -> Samples:
    """By metric: label values and value. Every name stands in `METRICS`."""
    found: Samples = {}
    for source in (_whole, _work, _money, _connections, _queues, _process, _calls):
        for name, labels, value in source(snapshot):
            if value is not None:
                found.setdefault(name, []).append((tuple(map(str, labels)), float(value)))
    return found


Told = Iterator[tuple[str, Iterable[Any], float | None]]


def _whole(snapshot: Snapshot) -> Told:
    conditions = snapshot.status["conditions"]
    yield "syncd_build_info", (__version__, platform.python_version(), sqlite3.sqlite_version), 1
    yield "syncd_ready", (), not any(one["blocks"] for one in conditions)
    for one in conditions:
        yield "syncd_condition", (one["kind"], one["who"], one["detail"]), 1


def _work(snapshot: Snapshot) -> Told:
    status = snapshot.status
    for row in status["jobs"]:
        yield "syncd_jobs", (row["sync"], row["field"], row["state"], row["reason"]), row["n"]
    for name, one in status["syncs"].items():
        for standing in Standing:
            yield "syncd_sync_state", (name, standing.value), one["state"] == standing
    for name, n in status["tallies"].items():
        yield "syncd_events_total", (name,), n
    for name, n in sorted(snapshot.parts.alerts_sent.items()):
        yield "syncd_alerts_total", (name,), n
    yield "syncd_reviews_waiting", (), status["reviews"]["waiting"]
    for name, one in status["in_doubt"].items():
        yield "syncd_in_doubt_calls", (name,), one["calls"]
    for name, one in status["answers"].items():
        yield "syncd_answers_judged", (name,), one["judged"]
        yield "syncd_answers_contradicted", (name,), one["other"]
    for one in status["sweeps"]:
        yield "syncd_sweep_contacts", (one["name"],), one["brought"]
        yield "syncd_sweep_missing_contacts", (one["name"],), one["missing"]


def _money(snapshot: Snapshot) -> Told:
    status = snapshot.status
    for name, one in status["credits"].items():
        yield "syncd_submissions", (name,), one["submissions"]
        for kind in KINDS:
            yield "syncd_credits", (name, kind), one[kind]
    for one in status["budgets"]:
        labels = (one["budget"], one["window"])
        for what in ("cap", "used", "left"):
            yield f"syncd_budget_{what}_credits", labels, one[what]
        yield "syncd_budget_reached", labels, one["reached"]
        yield "syncd_budget_goes_on_timestamp_seconds", labels, one["goes_on_at"]
    for name, one in status["balances"].items():
        for days, left in one["days"].items():
            yield "syncd_balance_lasts_seconds", (name, f"{days}d"), None if left is None else left * DAY
    for one in status["floors"]:
        yield "syncd_balance_floor_credits", (one["connection"],), one["floor"]
    for name, one in status["reconciliation"].items():
        yield "syncd_reconciliation_difference_credits", (name,), one["difference"]


def _connections(snapshot: Snapshot) -> Told:
    status, parts = snapshot.status, snapshot.parts
    for name in parts.settings.connections:
        one = status["connections"].get(name, {})
        yield "syncd_halted", (name,), bool(one.get("trouble"))
        yield "syncd_balance_credits", (name,), one.get("balance")
        yield "syncd_balance_timestamp_seconds", (name,), one.get("balance_at")
    rows = {one["connection"]: one for one in status["breakers"] if one["why"]}
    for name, lane in parts.lanes.items():
        row = rows.get(name)
        now = "closed" if row is None else "trial" if row["trial"] else "open"
        for state in BREAKER_STATES:
            yield "syncd_breaker_state", (name, state), state == now
        yield "syncd_next_call_seconds", (name,), status["lanes"][name]["next_call_in"]
        for window in lane.pacer.windows:
            labels = (name, f"{window.seconds:g}")
            yield "syncd_limit_calls", labels, window.limit
            yield "syncd_limit_left_calls", labels, lane.pacer.left(window)
    syncs = [sync.name for sync in parts.syncs]
    for watch in UNTRIED:
        for sync in syncs if watch in (WRITE_RIGHT, BACKLOG) else [""]:
            yield "syncd_gate_shut", (watch, sync), (watch, sync) in parts.gate.reasons
    for watch, sync in parts.gate.reasons:
        if watch not in UNTRIED:
            yield "syncd_gate_shut", (watch, sync), 1


def _queues(snapshot: Snapshot) -> Told:
    found, now = snapshot.figures, snapshot.now
    yield "syncd_inbox_deliveries", (), found.inbox
    for queue, since in found.waits_since.items():
        yield "syncd_queue_wait_seconds", (queue,), max(0.0, now - since)
    for (sync, provider), since in found.queued_since.items():
        yield "syncd_ask_wait_seconds", (sync, provider), max(0.0, now - since)
    for sync, due in found.writes_due.items():
        yield "syncd_write_lag_seconds", (sync,), max(0.0, now - due)
    for sync, at in found.pulled_at.items():
        yield "syncd_pull_timestamp_seconds", (sync,), at
    for provider, at in found.heard_at.items():
        yield "syncd_callback_timestamp_seconds", (provider,), at


def _process(snapshot: Snapshot) -> Told:
    parts = snapshot.parts
    for stage, silence in parts.liveness.silences().items():
        yield "syncd_stage_silence_seconds", (stage,), silence
    yield "syncd_event_loop_lag_seconds", (), parts.liveness.worst_lag()
    yield "syncd_ledger_commit_seconds", (), snapshot.commit
    path = parts.settings.ledger.path
    if path is None:
        return
    for label, file in (("db", path), ("wal", path.with_name(path.name + "-wal"))):
        yield "syncd_ledger_bytes", (label,), file.stat().st_size if file.exists() else None
    room = os.statvfs(path.parent)
    yield "syncd_disk_free_bytes", (), room.f_bavail * room.f_frsize


def _calls(snapshot: Snapshot) -> Told:
    for labels, n in sorted(snapshot.parts.calls.snapshot()[1].items()):
        yield "syncd_outside_calls_total", labels, n


def documented() -> str:
    """The table of `docs/metrics.md`."""
    rows = [f"| `{m.name}` | {m.type} | {', '.join(m.labels)} | {m.help} |" for m in METRICS]
    return "\n".join(["| name | type | labels | what it tells |", "|---|---|---|---|", *rows]) + "\n"
