"""What processes count: taken, carried as JSON, and told as one."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, generate_latest

from tests.cast import Town
from tests.services.steps import handed_over, report_on
from tp_inbox.domain.delivery import Delivery, DeliveryState, FailureReason
from tp_inbox.services import figures
from tp_inbox.services.ports import Ambiguous, NotAccepted


def value(sample: str, **labels: str) -> float:
    return figures.COUNTED.get_sample_value(sample, labels) or 0.0


class Told:
    """What a scrape reads."""

    def __init__(self, by_process: dict[str, dict]) -> None:
        self._by_process = by_process

    def collect(self):
        return figures.families(self._by_process)


def test_a_hand_over_is_counted_by_what_came_of_it() -> None:
    before = value("tp_inbox_handovers_total", outcome="refused", reason="landline")
    figures.handed_over(NotAccepted(FailureReason.LANDLINE, "21614", retry=False), 0.2)
    assert value("tp_inbox_handovers_total", outcome="refused", reason="landline") == before + 1


def test_one_that_comes_again_and_one_in_doubt_are_classes_of_their_own() -> None:
    names = ({"outcome": "later", "reason": "too_busy"}, {"outcome": "ambiguous", "reason": ""})
    before = [value("tp_inbox_handovers_total", **labels) for labels in names]
    figures.handed_over(NotAccepted(FailureReason.TOO_BUSY, "20429", retry=True), 0.1)
    figures.handed_over(Ambiguous("20500"), 30.0)
    assert [value("tp_inbox_handovers_total", **labels) for labels in names] == [n + 1 for n in before]


def test_the_end_of_a_text_is_counted_by_its_reason() -> None:
    before = value("tp_inbox_texts_settled_total", state="failed", reason="expired")
    figures.settled(Delivery(DeliveryState.FAILED, FailureReason.EXPIRED))
    assert value("tp_inbox_texts_settled_total", state="failed", reason="expired") == before + 1


def test_the_figures_of_several_processes_are_told_side_by_side() -> None:
    figures.webhook("inbound", "kept", 0.02)
    carried = json.loads(json.dumps(figures.taken()))
    registry = CollectorRegistry()
    registry.register(Told({"web-1": carried, "web-2": carried}))
    lines = generate_latest(registry).decode().splitlines()
    assert lines.count("# TYPE tp_inbox_webhooks_total counter") == 1
    for process in ("web-1", "web-2"):
        assert any(
            line.startswith("tp_inbox_webhooks_total{") and f'process="{process}"' in line and 'result="kept"' in line
            for line in lines
        )
    assert any(line.startswith("tp_inbox_webhook_seconds_bucket{") and 'le="+Inf"' in line for line in lines)


def test_what_is_watched_is_asked_when_the_figures_are_taken() -> None:
    figures.watch_tabs(lambda: 7)
    assert value("tp_inbox_open_tabs") == 7
    figures.watch_tabs(lambda: 0)


async def test_what_becomes_of_a_text_is_counted_where_it_is_written(town: Town) -> None:
    names = (
        ("tp_inbox_handovers_total", {"outcome": "accepted", "reason": ""}),
        ("tp_inbox_texts_redelivered_total", {"reason": "unreachable"}),
        ("tp_inbox_texts_settled_total", {"state": "delivered", "reason": ""}),
    )
    before = [value(name, **labels) for name, labels in names]
    text = await handed_over(town)
    unreachable = report_on(text, DeliveryState.UNDELIVERED, FailureReason.UNREACHABLE, "30003")
    await town.wired.reporting.report(unreachable)
    await town.wired.reporting.report(report_on(text, DeliveryState.DELIVERED))
    assert [value(name, **labels) for name, labels in names] == [one + 1 for one in before]
