"""What Prometheus is told of the district's server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cast import LINCOLN_NUMBER, MIA, ROSA, Town
from tests.services.steps import LINCOLN, add, change, queued, rows, text_from
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.operating import AlertKind, ProcessKind
from tp_inbox.services import figures
from tp_inbox.services.alerts import alert
from tp_inbox.services.polling import POLLED
from tp_inbox.services.processes import Beat
from tp_inbox.services.receiving import MOST_TRIES, NOT_OURS
from tp_inbox.services.watching import Watching
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import InboundRequest, Message, Number, Watermark

Told = dict[str, list[tuple[dict[str, str], float]]]


async def told(town: Town) -> Told:
    found: Told = {}
    for family in text_string_to_metric_families((await town.wired.watching.figures()).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def lincolns(town: Town) -> dict[str, str]:
    (number,) = await rows(town, Number, Number.e164 == LINCOLN_NUMBER)
    return {"campaign": str(number.campaign_id), "school": LINCOLN, "number": str(number.id)}


async def test_the_queue_is_told_by_campaign_and_number(town: Town) -> None:
    await queued(town, "one")
    await queued(town, "two", phone=MIA)
    await change(town, Message, segments=100, created_at=utc_now() - timedelta(minutes=5))
    found, here = await told(town), await lincolns(town)
    assert found["tp_inbox_queue_segments"] == [(here, 200)]
    assert (here | {"bulk": "false"}, 2) in found["tp_inbox_queue_texts"]
    assert found["tp_inbox_queue_oldest_seconds"][0][1] >= 300
    assert found["tp_inbox_queue_finish_seconds"][0][1] > 0


async def test_doubtful_texts_are_counted_apart(town: Town) -> None:
    await queued(town)
    await change(town, Message, state=DeliveryState.UNKNOWN)
    assert (await told(town))["tp_inbox_texts_doubtful"] == [({"state": "unknown"}, 1)]


async def test_what_nobody_has_mended_is_told(town: Town) -> None:
    async with town.wired.db.transaction() as session:
        await alert(session, AlertKind.SPENDING_CAP, "The cap is met.")
    text = text_from()
    await add(town, InboundRequest(sid=text.sid, sender=text.sender, form={}))
    found = await told(town)
    assert found["tp_inbox_alerts"] == [({"kind": "spending_cap"}, 1)]
    assert found["tp_inbox_inbound_waiting"] == [({}, 1)]


async def test_a_text_waits_as_long_as_it_is_tried_and_lies_aside_afterwards(town: Town) -> None:
    def came(sid: str, **became: Any) -> InboundRequest:
        return InboundRequest(sid=sid, sender=ROSA, form={}, **became)

    await add(town, came("put off", problem="TimeoutError", attempts=MOST_TRIES - 1))
    await add(town, came("tried enough", problem="TimeoutError", attempts=MOST_TRIES))
    await add(town, came("not ours", problem=NOT_OURS, routed_at=utc_now()))
    found = await told(town)
    assert (found["tp_inbox_inbound_waiting"], found["tp_inbox_inbound_aside"]) == ([({}, 1)], [({}, 2)])


async def test_the_pollers_age_is_missing_until_it_has_polled(town: Town) -> None:
    assert await town.wired.watching.poller_seconds() is None
    assert "tp_inbox_poller_age_seconds" not in await told(town)
    await add(town, Watermark(name=POLLED, at=utc_now() - timedelta(seconds=90)))
    assert (await told(town))["tp_inbox_poller_age_seconds"][0][1] == pytest.approx(90, abs=30)


async def test_any_process_tells_what_all_have_counted(town: Town) -> None:
    worker = Beat(Database(town.wired.db.url, pool_size=1), ProcessKind.WORKER, figures.taken, place="elsewhere:7")
    worker.turned()
    figures.webhook("status", "kept", 0.01)
    for beat in (worker, town.wired.beat):
        await beat.beat()
    found = await told(town)
    webhooks = {labels["process"] for labels, _ in found["tp_inbox_webhooks_total"]}
    assert webhooks == {worker.place, town.wired.beat.place}
    assert found["tp_inbox_dispatcher_turning"] == [({"process": worker.place}, 1)]
    assert len(found["tp_inbox_process_beat_age_seconds"]) == 2
    await worker.db.close()


async def test_with_the_database_away_it_says_so_and_tells_its_own(town: Town) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    wired = town.wired
    lonely = Watching(away, type(wired.processes)(away), type(wired.services.queues)(away, None), wired.beat)
    said = (await lonely.figures()).decode()
    assert "tp_inbox_database_up 0.0" in said
    assert f'tp_inbox_open_tabs{{process="{wired.beat.place}"}}' in said
    await away.close()


async def test_no_phone_number_is_a_label(town: Town) -> None:
    await queued(town)
    said = (await town.wired.watching.figures()).decode()
    assert "queue_texts{" in said
    for secret in (ROSA, MIA, LINCOLN_NUMBER, "Alice", "Mia"):
        assert secret not in said
