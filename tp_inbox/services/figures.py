"""What this process counts and times while it runs. Its beat carries the figures, so that any process tells of all.

Labels are words of our own and ids: never a name, a number of anybody's, or a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric

from tp_inbox.domain.delivery import Delivery, FailureReason
from tp_inbox.services.ports import Accepted, Ambiguous, Handover, NotAccepted

COUNTED = CollectorRegistry()

NETWORK_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAITING_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
_NOT_A_FIGURE = "_created"
"""A sample that the library adds: when a counter began."""

_HANDOVERS = Counter(
    "tp_inbox_handovers",
    "Requests that handed a text to the carrier, by what came of them.",
    ["outcome", "reason"],
    registry=COUNTED,
)
_HANDOVER_SECONDS = Histogram(
    "tp_inbox_handover_seconds", "How long the carrier took to answer.", registry=COUNTED, buckets=NETWORK_SECONDS
)
_WAITED_SECONDS = Histogram(
    "tp_inbox_handover_wait_seconds",
    "How long a text had waited since it was written until the carrier had it.",
    ["bulk"],
    registry=COUNTED,
    buckets=WAITING_SECONDS,
)
_SETTLED = Counter(
    "tp_inbox_texts_settled",
    "Texts by their end, which a later report may change.",
    ["state", "reason"],
    registry=COUNTED,
)
_REDELIVERED = Counter(
    "tp_inbox_texts_redelivered", "Texts that were sent again by themselves.", ["reason"], registry=COUNTED
)
_DOUBLED = Counter("tp_inbox_texts_doubled", "Texts that a family may have twice.", ["certain"], registry=COUNTED)
_WEBHOOKS = Counter(
    "tp_inbox_webhooks", "Webhooks, by kind and by what we answered.", ["kind", "result"], registry=COUNTED
)
_WEBHOOK_SECONDS = Histogram(
    "tp_inbox_webhook_seconds", "How long our answer took.", ["kind"], registry=COUNTED, buckets=NETWORK_SECONDS
)
_SPOOLED = Counter("tp_inbox_webhooks_spooled", "Webhooks that had to wait on the disk.", registry=COUNTED)
_TABS = Gauge("tp_inbox_open_tabs", "Tabs of browsers that hear of changes.", registry=COUNTED)
_SPOOL = Gauge(
    "tp_inbox_spool_requests", "Webhooks on this machine's disk that wait for the database.", registry=COUNTED
)


def handed_over(outcome: Handover, seconds: float) -> None:
    """A request came back, or did not, after so many seconds."""
    _HANDOVERS.labels(*_classes(outcome)).inc()
    _HANDOVER_SECONDS.observe(seconds)


def waited(seconds: float, *, bulk: bool) -> None:
    """The carrier has taken a text, so long after it was written."""
    _WAITED_SECONDS.labels(str(bulk).lower()).observe(seconds)


def settled(how: Delivery) -> None:
    """A text has come to an end: delivered, undelivered, failed."""
    _SETTLED.labels(how.state.value, how.reason.value if how.reason else "").inc()


def redelivered(reason: FailureReason) -> None:
    _REDELIVERED.labels(reason.value).inc()


def doubled(*, certain: bool) -> None:
    _DOUBLED.labels(str(certain).lower()).inc()


def webhook(kind: str, result: str, seconds: float) -> None:
    """``kind``: inbound or status. ``result``: kept, refused, unreadable or away."""
    _WEBHOOKS.labels(kind, result).inc()
    _WEBHOOK_SECONDS.labels(kind).observe(seconds)


def spooled() -> None:
    """The database did not take a webhook in time; the disk did."""
    _SPOOLED.inc()


def watch_tabs(count: Callable[[], float]) -> None:
    """``count`` is asked whenever the figures are taken."""
    _TABS.set_function(count)


def watch_spool(count: Callable[[], float]) -> None:
    """``count`` is asked whenever the figures are taken."""
    _SPOOL.set_function(count)


def taken() -> dict[str, Any]:
    """As they stand now, for JSON: by name what it is, and each sample as its name, labels and value."""
    return {family.name: _as_json(family) for family in COUNTED.collect()}


def families(by_process: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """What several processes have ``taken``, as one: a label says whose each sample is."""
    for name in sorted({name for figures in by_process.values() for name in figures}):
        with_it = {process: figures[name] for process, figures in by_process.items() if name in figures}
        one = next(iter(with_it.values()))
        metric = Metric(name, one["help"], one["kind"])
        for process, figures in with_it.items():
            _add_samples(metric, figures["samples"], process)
        yield metric


def _add_samples(metric: Metric, samples: Iterable[tuple[str, dict[str, str], float]], process: str) -> None:
    for name, labels, value in samples:
        metric.add_sample(name, labels | {"process": process}, value)


def _as_json(family: Metric) -> dict[str, Any]:
    samples = [(s.name, s.labels, s.value) for s in family.samples if not s.name.endswith(_NOT_A_FIGURE)]
    return {"kind": family.type, "help": family.documentation, "samples": samples}


def _classes(outcome: Handover) -> tuple[str, str]:
    match outcome:
        case Accepted():
            return "accepted", ""
        case NotAccepted():
            return "later" if outcome.retry else "refused", outcome.reason.value
        case Ambiguous():
            return "ambiguous", ""
