"""Alerts about missing steps wait until the sources of their order have reported that far."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from tests.builders.sources import ERP_NUMBERS, create_source
from tests.builders.watched_source import set_received_at_of_waiting_messages, store_message
from visibility.alerts import release_suppressed_alerts
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import (
    Alert,
    Notification,
    RefoldRequest,
    SlaClock,
    Source,
)
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def erp(wms: Source) -> Source:
    """The system that releases orders to the warehouse, which has a silence limit of an hour."""
    Source.objects.filter(pk=wms.pk).update(expect_every=HOUR, config=dict(ERP_NUMBERS))
    wms.refresh_from_db()
    return create_source("erp", role="erp", expect_every=None, config=dict(ERP_NUMBERS))


def receive(
    source: Source, kind: str, at: datetime, orders: Iterable[str], received: datetime
) -> None:
    """Store messages as if they had been received then; nothing is processed."""
    for number in orders:
        store_message(source, kind, at, number)
    set_received_at_of_waiting_messages(received, source=source)


def orders(first: int, last: int) -> list[str]:
    return [f"SO-{number}" for number in range(first, last)]


def alert_states() -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in Alert.objects.filter(order__isnull=False).values_list("state", flat=True):
        counts[state] = counts.get(state, 0) + 1
    return counts


def process_and_sweep(now: datetime) -> dict[str, int]:
    job_functions.process_messages_and_refold()
    sweep(now=now)
    return alert_states()


def test_no_alert_opens_for_an_order_whose_step_is_in_the_catch_up(
    wms: Source, erp: Source, olga: User, now: datetime
) -> None:
    """The warehouse was cut off for hours, and then sends in three parts what happened."""
    resumed = now - 20 * MINUTE
    receive(wms, "order.accepted", now - 4 * HOUR, orders(0, 20), now - 4 * HOUR)
    receive(erp, "order.released", now - 5 * HOUR, orders(0, 20), now - 5 * HOUR)
    # The orders are due an hour ago, while the warehouse is cut off.
    assert process_and_sweep(resumed) == {"suppressed": 20}
    for index, (first, last) in enumerate([(0, 12), (12, 15), (15, 18)]):
        at, received = now - (4 - index) * HOUR + 30 * MINUTE, resumed + index * MINUTE
        receive(wms, "shipment.confirmed", at, orders(first, last), received)
        sweep(now=received + SECOND)
        job_functions.parse_and_correlate_waiting_messages()
        sweep(now=received + 2 * SECOND)
        job_functions.refold_touched_orders_and_update_kpi_cells()
        sweep(now=received + 3 * SECOND)
        assert "open" not in alert_states()
    assert alert_states() == {"suppressed": 2, "withdrawn": 18}
    assert not Notification.objects.filter(alert__order__isnull=False).exists()
    # Its events have not reached the deadline yet; then they have.
    sweep(now=now + 3 * MINUTE)
    assert alert_states() == {"suppressed": 2, "withdrawn": 18}
    receive(wms, "order.accepted", now, ["SO-99"], now)
    assert process_and_sweep(now + 3 * MINUTE) == {"open": 2, "withdrawn": 18}
    assert Notification.objects.filter(alert__order__isnull=False).count() == 2


def test_new_events_that_arrive_before_the_old_ones_do_not_end_the_catch_up(
    wms: Source, erp: Source, now: datetime
) -> None:
    receive(wms, "order.accepted", now - 4 * HOUR, ["SO-1"], now - 4 * HOUR)
    receive(erp, "order.released", now - 5 * HOUR, ["SO-1"], now - 5 * HOUR)
    assert process_and_sweep(now - 20 * MINUTE) == {"suppressed": 1}
    receive(wms, "order.accepted", now - SECOND, ["SO-2"], now - SECOND)
    assert process_and_sweep(now) == {"suppressed": 1}
    assert process_and_sweep(now + 3 * MINUTE) == {"open": 1}


def test_alert_waits_for_events_that_are_applied_but_not_folded(
    wms: Source, erp: Source, now: datetime
) -> None:
    Source.objects.filter(pk=wms.pk).update(config={**ERP_NUMBERS, "reports_in_batches": "yes"})
    receive(wms, "order.accepted", now - 3 * HOUR, orders(0, 12), now - 3 * HOUR)
    receive(erp, "order.released", now - 5 * HOUR, orders(0, 12), now - 5 * HOUR)
    assert process_and_sweep(now - 50 * MINUTE) == {"suppressed": 12}
    receive(wms, "shipment.confirmed", now - 2 * HOUR, orders(0, 12), now - 40 * MINUTE)
    job_functions.parse_and_correlate_waiting_messages()
    assert RefoldRequest.objects.exists()
    sweep(now=now)
    assert alert_states() == {"suppressed": 12}
    assert process_and_sweep(now) == {"withdrawn": 12}


def test_order_of_one_warehouse_does_not_wait_for_another(
    wms: Source, erp: Source, now: datetime
) -> None:
    """Both have the role that ships. One is silent, and its own order waits for it."""
    north = create_source(
        "north", role="3pl", title="North", expect_every=HOUR, config=dict(ERP_NUMBERS)
    )
    receive(north, "order.accepted", now - 3 * HOUR, ["SO-1"], now - 3 * HOUR)
    receive(wms, "order.accepted", now - MINUTE, ["SO-2"], now - MINUTE)
    receive(erp, "order.released", now - 5 * HOUR, ["SO-1", "SO-2"], now - 5 * HOUR)
    assert process_and_sweep(now) == {"suppressed": 1, "open": 1}
    suppressed = Alert.objects.get(state="suppressed")
    assert [e.text for e in suppressed.entries.all()] == ["On hold: North sends no data."]
    assert SlaClock.objects.get(order=suppressed.order_id).expected_sources == ["north"]
    # Only one of them could have reported an order that neither knows.
    receive(erp, "order.released", now - 5 * HOUR, ["SO-3"], now - 5 * HOUR)
    assert process_and_sweep(now) == {"suppressed": 1, "open": 2}
    # With the warehouses in the settings, the order waits for the one that is silent.
    for source, name in ((wms, "Dallas"), (north, "North")):
        source.config = {**ERP_NUMBERS, "warehouses": name}
        source.save()
    store_message(erp, "order.released", now - 5 * HOUR, "SO-4", attributes={"warehouse": "North"})
    assert process_and_sweep(now) == {"suppressed": 2, "open": 2}


def test_alert_on_hold_behind_many_others_is_opened(
    wms: Source, erp: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest alerts wait for a source that stays silent, the newest for one that came back."""
    monkeypatch.setattr(release_suppressed_alerts, "BATCH_SIZE", 2)
    north = create_source("north", role="3pl", expect_every=HOUR, config=dict(ERP_NUMBERS))
    receive(north, "order.accepted", now - 3 * HOUR, orders(0, 3), now - 3 * HOUR)
    receive(erp, "order.released", now - 5 * HOUR, orders(0, 3), now - 5 * HOUR)
    assert process_and_sweep(now) == {"suppressed": 3}
    receive(wms, "order.accepted", now - 3 * HOUR, ["SO-9"], now - 3 * HOUR)
    receive(erp, "order.released", now - 5 * HOUR, ["SO-9"], now - 5 * HOUR)
    assert process_and_sweep(now) == {"suppressed": 4}
    Source.objects.filter(pk=wms.pk).update(polled_until=now)
    assert process_and_sweep(now) == {"suppressed": 3, "open": 1}


def test_source_of_which_all_messages_are_parked_holds_alerts_and_has_an_alert_of_its_own(
    wms: Source, erp: Source, now: datetime
) -> None:
    receive(wms, "order.accepted", now - 3 * HOUR, ["SO-1"], now - 3 * HOUR)
    receive(erp, "order.released", now - 5 * HOUR, ["SO-1"], now - 5 * HOUR)
    headers = {"content-type": "application/cloudevents+json"}
    store_messages([IncomingMessage(wms.pk, "broken", headers, b"not JSON")])
    assert process_and_sweep(now + SECOND) == {"suppressed": 1}
    parked = Alert.objects.get(kind="source_silent")
    assert (parked.state, parked.subject_key, parked.title) == (
        "open",
        "parked",
        "All messages from Dallas are parked",
    )
    receive(wms, "order.changed", now, ["SO-1"], now)
    process_and_sweep(now + SECOND)
    parked.refresh_from_db()
    assert parked.state == "resolved"
    assert parked.resolution == "Messages of the source can be processed again."


def test_event_type_with_a_limit_of_its_own_opens_an_alert(wms: Source, now: datetime) -> None:
    limits = {"silent_after.pack.completed": "2 h", "silent_after.order.accepted": "26 h"}
    Source.objects.filter(pk=wms.pk).update(expect_every=26 * HOUR, config=limits)
    receive(wms, "pack.completed", now - 3 * HOUR, ["SO-1"], now - 3 * HOUR)
    receive(wms, "order.accepted", now - 3 * HOUR, ["SO-1"], now - 3 * HOUR)
    process_and_sweep(now)
    silent = Alert.objects.get(kind="source_silent")
    assert silent.title == "No pack.completed events from Dallas"
    receive(wms, "pack.completed", now, ["SO-1"], now)
    process_and_sweep(now)
    silent.refresh_from_db()
    assert silent.state == "resolved"
