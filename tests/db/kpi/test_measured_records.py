"""KPIs of messages, polls, alerts and actions: one fact for each record, whatever changes it."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.kpi_facts import recompute_cells
from tests.builders.sources import create_source
from tests.builders.users import create_user, signed_in
from tests.effort import FULL
from visibility.alerts import actions, reconcile_alerts_with_clocks
from visibility.db.database_time import database_now
from visibility.db.lock_keys import LockKey
from visibility.ingest import source_failures
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.source_failures import PollResult, record_poll_result
from visibility.kpi import facts_and_cells, measure_changed_records, query
from visibility.kpi.kpi import EventMeasurement
from visibility.kpi.measured_records import MeasuredRecord
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSummary
from visibility.kpi.registry import kpi_registry
from visibility.models import (
    Alert,
    AlertEntry,
    AlertState,
    InboundMessage,
    KpiCell,
    KpiFact,
    KpiRecordChange,
    PollRound,
    Source,
)
from visibility.pipeline import job_functions, record_and_retention_jobs
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
CODES = ("parked_messages", "failed_polls", "time_to_acknowledge", "snoozed_alerts")
NO_FILTERS = KpiDimensionFilters()
MINUTE = timedelta(minutes=1)
SEEDS = range(10) if FULL else range(1)


def span() -> DaySpan:
    """Some days around today."""
    today = database_now().astimezone(UTC).date()
    return DaySpan(today - timedelta(days=3), today + timedelta(days=2))


def measure() -> None:
    """Run the job, then update the cells."""
    record_and_retention_jobs.measure_records()
    recompute_cells()
    assert not KpiRecordChange.objects.exists()
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []


def sums(code: str) -> list[int]:
    """Numerator, denominator and number of records."""
    total = value(code)
    return [int(total.numerator), int(total.denominator), total.orders]


def value(code: str, filters: KpiDimensionFilters = NO_FILTERS) -> KpiSummary:
    return query.summary(kpi_registry()[code], span(), filters)


def facts(code: str) -> list[KpiFact]:
    return list(KpiFact.objects.filter(kpi=code).order_by("id"))


def store(source: Source, key: str) -> int:
    """Store a message that names no order, so that it cannot be applied."""
    store_messages([IncomingMessage(source.pk, key, {}, b"{")])
    return InboundMessage.objects.get(dedupe_key=key).pk


def settle(message_id: int, state: str, reason: str = "", detail: str = "") -> None:
    InboundMessage.objects.filter(pk=message_id).update(
        state=state, reason=reason, detail=detail, processed_at=database_now()
    )


def test_parked_messages_count_from_the_pipeline_to_the_pages() -> None:
    source = create_source("shop")
    parked = store(source, "k1")
    other = store(create_source("erp"), "k2")
    measure()
    assert facts("parked_messages") == []  # they still wait
    job_functions.parse_and_correlate_waiting_messages()
    assert InboundMessage.objects.get(pk=parked).state == "parked"
    settle(other, "applied")
    measure()
    assert sums("parked_messages") == [1, 2, 2]
    assert value("parked_messages", KpiDimensionFilters(source="shop")).value == 1
    assert value("parked_messages", KpiDimensionFilters(source="erp")).value == 0
    reader = signed_in(UserRole.OPERATIONS, "olga")
    page = text(reader, "/numbers/parked_messages/orders?from=30d")
    assert f'href="/messages/{parked}"' in page
    assert f'href="/messages/{other}"' not in page
    assert "Parked <span" in page
    assert "Applied <span" in page
    (row,) = api_items(reader, "parked_messages")
    assert (row["message_id"], row["id"], row["event_source"]) == (parked, None, "shop")
    detail = InboundMessage.objects.get(pk=parked).detail
    assert row["text"] == detail
    # The reason can quote the message, which not everybody who sees KPIs may see.
    executive = signed_in(UserRole.EXECUTIVE, "eve")
    assert detail in unescape(page)
    assert detail not in unescape(text(executive, "/numbers/parked_messages/orders?from=30d"))
    assert [r["text"] for r in api_items(executive, "parked_messages")] == [""]
    # After a replay it counts as applied; while it waits, nothing changes.
    before = facts("parked_messages")[0].pk
    settle(parked, "waiting")
    measure()
    assert value("parked_messages").numerator == 1
    settle(parked, "applied")
    measure()
    assert sums("parked_messages") == [0, 2, 2]
    assert facts("parked_messages")[0].pk == before
    assert api_items(reader, "parked_messages") == []


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def api_items(client: Client, code: str, **params: str) -> list[dict[str, Any]]:
    response = client.get(f"/api/v1/kpis/{code}/orders", params)
    assert response.status_code == 200, response.content
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def poll(source: Source, error: str = "", *, throttled: bool = False) -> None:
    now = database_now()
    source.poll_round += 1
    source.save(update_fields=["poll_round"])
    until = now + MINUTE if throttled else None
    record_poll_result(source, source.poll_round, PollResult(now, now, error, until))


def test_each_poll_counts_and_throttled_ones_are_excluded() -> None:
    source = create_source("erp")
    for error in ("", "", "HTTP 500", ""):
        poll(source, error)
    poll(source, "HTTP 429", throttled=True)
    # A round that lost its lease is no poll.
    record_poll_result(source, 1, PollResult(database_now(), database_now(), "late"))
    measure()
    assert sums("failed_polls") == [1, 4, 4]
    assert dict(value("failed_polls").excluded) == {"throttled": 1}
    reader = signed_in(UserRole.OPERATIONS, "olga")
    page = text(reader, "/numbers/failed_polls/orders?from=30d")
    assert "HTTP 500" in page
    assert "HTTP 429" not in page
    assert [row["text"] for row in api_items(reader, "failed_polls", outcome="excluded")] == [
        "HTTP 429"
    ]
    for address in ("/numbers", "/numbers/failed_polls", "/api/v1/kpis/failed_polls?by=source"):
        text(reader, address)


def test_old_polls_are_deleted_and_their_facts_stay() -> None:
    source = create_source("erp")
    poll(source, "HTTP 500")
    measure()
    old = database_now() - source_failures.POLL_ROUND_RETENTION - MINUTE
    PollRound.objects.update(ended_at=old)
    poll(source)
    assert record_and_retention_jobs.delete_old_poll_rounds() == 1
    assert PollRound.objects.count() == 1
    call_command("rebuild", verbosity=0)
    measure()
    assert sums("failed_polls") == [1, 2, 2]


def opened(created: Alert, at: datetime) -> Alert:
    AlertEntry.objects.create(alert=created, at=at, action="opened")
    return created


def test_the_time_to_acknowledge_counts_each_episode_and_who_snoozes() -> None:
    now, jane = database_now(), create_user(UserRole.OPERATIONS, "jane")
    first = opened(alert("SO-1"), now - 10 * MINUTE)
    never_open = alert("SO-2", of=order("SO-2"), state=AlertState.RESOLVED, resolved_at=now)
    measure()
    assert facts("time_to_acknowledge") == []
    actions.snooze(first.pk, by=jane, until=now + MINUTE, now=now)
    actions.acknowledge(first.pk, by=jane, now=now)
    measure()
    assert value("time_to_acknowledge").numerator == 600
    actions.resolve(first.pk, by=jane, now=now)
    with transaction.atomic():
        reopened = Alert.objects.select_for_update().get(pk=first.pk)
        reconcile_alerts_with_clocks.reopen_alert(reopened, now, "The condition still holds.")
    measure()
    assert [fact.subject_key for fact in facts("time_to_acknowledge")] == [f"{first.pk}:1"]
    actions.acknowledge(first.pk, by=jane, now=now + 2 * MINUTE)
    measure()
    assert sums("time_to_acknowledge") == [600 + 120, 2, 2]
    second = opened(alert("SO-3", of=order("SO-3", channel="Web")), now)
    actions.resolve(second.pk, by=jane, now=now)
    measure()
    assert dict(value("time_to_acknowledge").excluded) == {"ended_first": 1}
    web = value("time_to_acknowledge", KpiDimensionFilters(channel="Web"))
    assert (web.orders, dict(web.excluded)) == (0, {"ended_first": 1})
    assert sums("snoozed_alerts") == [1, 5, 5]
    reader = signed_in(UserRole.OPERATIONS, "olga")
    rows = api_items(reader, "time_to_acknowledge", outcome="counted")
    assert [(row["alert_id"], row["id"]) for row in rows] == [(first.pk, first.order_id)] * 2
    page = text(reader, "/numbers/snoozed_alerts/orders?from=30d&part=missed")
    assert page.count(f'href="/alerts/{first.pk}"') == 1
    assert "SO-1" in page
    keys = {fact.subject_key for fact in facts("time_to_acknowledge")}
    assert f"{never_open.pk}:1" not in keys


@pytest.mark.parametrize("seed", SEEDS)
def test_facts_equal_a_measurement_of_all_records(seed: int) -> None:
    rng = random.Random(seed)
    sources = [create_source(slug) for slug in ("erp", "shop")]
    messages = [store(rng.choice(sources), str(n)) for n in range(12)]
    jane = create_user(UserRole.OPERATIONS, "jane")
    now = database_now()
    alerts = [opened(alert(f"SO-{n}", of=order(f"SO-{n}")), now - n * MINUTE) for n in range(5)]

    def settle_somehow(message_id: int) -> None:
        settle(message_id, *rng.choice([("applied",), ("parked", "schema"), ("waiting",)]))

    def poll_somehow() -> None:
        poll(rng.choice(sources), rng.choice(["", "HTTP 500"]))

    def note(of: Alert) -> None:
        actions.add_note(of.pk, by=jane, now=now, note="seen")

    def acknowledge(of: Alert) -> None:
        actions.acknowledge(of.pk, by=jane, now=now)

    steps: list[Callable[[], object]] = [
        *(partial(settle_somehow, message) for message in messages * 2),
        *([poll_somehow] * 10),
        *(partial(acknowledge, each) for each in alerts[:3]),
        *(partial(note, each) for each in alerts),
    ]
    rng.shuffle(steps)
    for number, step in enumerate(steps):
        step()
        if number % 12 == 0:
            measure()
    for message in messages:
        settle(message, "applied")
    measure()
    incremental = dump()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM visibility_kpifact WHERE order_id IS NULL")
    recompute_cells()
    assert not KpiCell.objects.filter(kpi__in=CODES).exists()
    assert sum(measure_changed_records.request_measurement_of_all_records()) > len(incremental)
    measure()
    assert dump() == incremental
    assert {code for code, *_ in incremental} == set(CODES)


def dump() -> set[tuple[Any, ...]]:
    return set(
        KpiFact.objects.filter(order=None).values_list(
            "kpi", "subject_key", "day", "numerator", "excluded", "source"
        )
    )


@contextmanager
def raising(code: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(self: object, record: MeasuredRecord) -> EventMeasurement:
        raise KeyError(record.key)

    with monkeypatch.context() as patch:
        patch.setattr(type(kpi_registry()[code]), "measure_record", fail)
        yield


def test_a_kpi_that_raises_is_excluded_with_the_record_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = create_source("erp")
    settle(store(source, "k"), "parked", "schema")
    poll(source)
    with raising("parked_messages", monkeypatch):
        measure()
    assert dict(value("parked_messages").excluded) == {"kpi_failed": 1}
    assert value("failed_polls").denominator == 1
    page = text(signed_in(UserRole.EXECUTIVE, "eve"), "/numbers/parked_messages?from=30d")
    assert "the KPI failed with an error; see the log" in page
    call_command("rebuild", verbosity=0)
    measure()
    assert value("parked_messages").value == Decimal(1)


@pytest.mark.django_db(transaction=True)
def test_only_one_worker_measures_at_a_time() -> None:
    settle(store(create_source("erp"), "k"), "applied")
    other = connection.copy()
    try:
        with transaction.atomic(), connection.cursor():
            with other.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute(measure_changed_records.TRY_LOCK, [LockKey.KPI_RECORDS])
            assert record_and_retention_jobs.measure_records() == 0
    finally:
        other.close()
    assert KpiRecordChange.objects.count() == 1
    measure()
    assert value("parked_messages").denominator == 1
