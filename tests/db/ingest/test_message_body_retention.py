"""Retention of message bodies: what keeps a month, when it goes, and what is left."""

from datetime import datetime, timedelta
from io import StringIO

import orjson
import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tests.builders.alerts import order
from tests.builders.cloudevents import cloudevent
from tests.builders.message_months import (
    age_message,
    begin_move,
    old_message,
    remove_old_bodies,
)
from tests.builders.sources import cloudevent_message, create_source, event
from visibility.db.database_time import database_now
from visibility.ingest import message_body_retention
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.message_body_retention import check_partitions, remove_due_partitions
from visibility.ingest.replay_messages import replay_parked_messages
from visibility.models import (
    AuditEntry,
    Event,
    InboundMessage,
    MessageBody,
    MessageBodyPartition,
    Order,
    Source,
)
from visibility.models.message_bodies import NOTICE
from visibility.models.sources_and_messages import load_message_body
from visibility.operations.canonical_dump import dump_lines
from visibility.operations.invariants import check_unsettled_messages_have_bodies
from visibility.pipeline import (
    job_functions,
    process_message_batches,
    record_and_retention_jobs,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return create_source("erp", role="erp")


def check(*, days: int = 400) -> dict[str, MessageBodyPartition]:
    return {str(p): p for p in check_partitions(now=database_now(), days=days)}


def month_of(message_id: int) -> str:
    return f"{InboundMessage.objects.get(pk=message_id).received_at:%Y-%m}"


def has_partition(month: str) -> bool:
    with connection.cursor() as cursor:
        name = f"visibility_message_body_{month.replace('-', '_')}"
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


def test_a_stored_message_has_its_body_in_the_partition_of_its_month(source: Source) -> None:
    (stored,) = store_messages([IncomingMessage(source.pk, "m1", {}, b"\x00\xff raw")])
    row = InboundMessage.objects.get(pk=stored.message_id)
    assert (row.unmoved_body, row.body) == (None, b"\x00\xff raw")
    assert MessageBody.objects.get().received_at == row.received_at
    assert check()[f"{row.received_at:%Y-%m}"].message_count == 1


def test_old_month_that_nothing_needs_is_removable_and_a_young_one_is_not(source: Source) -> None:
    old, young = old_message(source), old_message(source, age=timedelta(days=300))
    months = check()
    assert months[month_of(old)].removable_since
    assert months[month_of(old)].byte_count > 0
    assert months[month_of(young)].removable_since is None
    assert not any(p.removable_since for p in check(days=0).values())


@pytest.mark.parametrize(
    ("state", "reason", "column"),
    [("waiting", "", "waiting_count"), ("parked", "schema", "parked_count")],
)
def test_unsettled_message_keeps_its_month(
    source: Source, state: str, reason: str, column: str
) -> None:
    month = month_of(old_message(source, state=state, reason=reason))
    partition = check()[month]
    assert (getattr(partition, column), partition.removable_since) == (1, None)
    partition.removable_since = database_now()
    assert not message_body_retention.remove_partition(partition, now=database_now(), days=400)
    assert has_partition(month)


def test_message_of_which_another_version_is_used_keeps_nothing(source: Source) -> None:
    month = month_of(old_message(source, state="parked", reason="conflict"))
    assert check()[month].removable_since


def test_open_order_keeps_the_months_of_its_messages_until_it_is_closed(source: Source) -> None:
    stored = old_message(source)
    received_at = InboundMessage.objects.get(pk=stored).received_at
    open_order = order("SO-1", is_open=True)
    event(stored, source, open_order.object, received_at=received_at)
    partition = check()[month_of(stored)]
    assert (partition.open_order_count, partition.open_order_ids) == (1, [open_order.pk])
    assert partition.removable_since is None
    Order.objects.update(is_open=False)
    assert check()[month_of(stored)].removable_since


def test_bodies_that_are_not_moved_yet_keep_every_month(source: Source) -> None:
    stored = old_message(source)
    begin_move(stored, stored)
    assert check()[month_of(stored)].removable_since is None


def test_month_is_listed_as_removable_for_a_week_before_the_job_removes_it(
    source: Source, now: datetime
) -> None:
    stored = old_message(source)
    month = month_of(stored)
    assert remove_due_partitions(now=now, days=400) == []
    assert remove_due_partitions(now=now + NOTICE, days=400) == []
    later = now + NOTICE + timedelta(seconds=1)
    assert [str(p) for p in remove_due_partitions(now=later, days=400)] == [month]
    assert not has_partition(month)
    assert load_message_body(stored) is None
    assert MessageBodyPartition.objects.get(removed_at=later).retention_days == 400
    assert AuditEntry.objects.get(action="messages.bodies_removed").detail["messages"] == 1
    assert month not in check()


def test_notice_starts_again_if_something_needed_the_month_meanwhile(
    source: Source, now: datetime
) -> None:
    stored = old_message(source)
    remove_due_partitions(now=now, days=400)
    InboundMessage.objects.update(state="parked", reason="schema")
    remove_due_partitions(now=now + timedelta(days=1), days=400)
    InboundMessage.objects.update(state="applied", reason="")
    assert remove_due_partitions(now=now + NOTICE + timedelta(hours=1), days=400) == []
    assert has_partition(month_of(stored))


def test_job_checks_once_a_day_and_removes_only_with_a_policy(
    source: Source, settings: Settings
) -> None:
    month = month_of(old_message(source))
    settings.MESSAGE_BODY_DAYS = 0
    record_and_retention_jobs.check_and_remove_old_message_bodies()
    assert MessageBodyPartition.objects.exists()
    settings.MESSAGE_BODY_DAYS = 400
    long_ago = database_now() - NOTICE * 2
    MessageBodyPartition.objects.update(removable_since=long_ago)
    assert record_and_retention_jobs.check_and_remove_old_message_bodies() == 0
    MessageBodyPartition.objects.update(checked_at=long_ago)
    assert record_and_retention_jobs.check_and_remove_old_message_bodies() == 1
    assert not has_partition(month)


def test_command_lists_first_and_removes_only_with_apply(source: Source) -> None:
    month, output = month_of(old_message(source)), StringIO()
    call_command("retention", stdout=output)
    assert f"{month}  " in output.getvalue()
    assert "Can be removed" in output.getvalue()
    assert "1 month can be removed" in output.getvalue()
    call_command("retention", "--dry-run", stdout=StringIO())
    assert has_partition(month)
    call_command("retention", "--apply", stdout=output)
    assert f"{month} removed" in output.getvalue()
    assert not has_partition(month)


@pytest.mark.django_db(transaction=True)
def test_removal_waits_for_a_lock_only_briefly_and_changes_nothing(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_body_retention, "LOCK_TIMEOUT", "10ms")
    monkeypatch.setattr(message_body_retention, "LOCK_PAUSE_SECONDS", 0)
    month = month_of(old_message(source))
    with psycopg.connect(**connection.get_connection_params()) as reader:
        reader.execute("SELECT FROM visibility_message_body")
        with pytest.raises(OperationalError):
            remove_old_bodies()
        assert not MessageBodyPartition.objects.filter(removed_at__isnull=False).exists()
    with CaptureQueriesContext(connection) as captured:
        assert [str(p) for p in remove_old_bodies()] == [month]
    limit, drop = [query["sql"] for query in captured if query["sql"] != "COMMIT"][-2:]
    assert "lock_timeout" in limit
    assert "DROP TABLE" in drop


def order_message(source: Source, revision: str) -> IncomingMessage:
    data = {"order": {"number": "SO-1"}, "revision": revision}
    reported = cloudevent("order.cancelled", data, event_id="m1", at="2025-03-02T10:00:00Z")
    return cloudevent_message(source, reported)


def apply(incoming: IncomingMessage) -> int:
    (result,) = store_messages([incoming])
    job_functions.process_messages_and_refold()
    return result.message_id


@pytest.mark.parametrize(
    ("revision", "expected"), [("1", ["2"]), ("3", ["3"])], ids=["older", "newer"]
)
def test_versions_compete_with_the_events_of_a_removed_body(
    source: Source, revision: str, expected: list[str]
) -> None:
    first = apply(order_message(source, "2"))
    processed_at = InboundMessage.objects.get(pk=first).processed_at
    age_message(first)
    assert remove_old_bodies()
    second = apply(order_message(source, revision))
    effective = Event.objects.filter(superseded=False).values_list("data__revision", flat=True)
    assert list(effective) == expected
    states = InboundMessage.objects.in_bulk([first, second])
    loser = second if expected == ["2"] else first
    assert [states[m].reason for m in (first, second)] == [
        "conflict" if m == loser else "" for m in (first, second)
    ]
    assert states[first if loser == second else second].state == "applied"
    assert (states[first].processed_at == processed_at) == (loser == second)


def test_after_the_removal_rebuild_changes_nothing_and_a_repeat_is_a_duplicate(
    source: Source, now: datetime
) -> None:
    first = apply(order_message(source, "2"))
    age_message(first)
    before = list(dump_lines(as_of=now))
    assert remove_old_bodies()
    (repeat,) = store_messages([order_message(source, "2")])
    assert (repeat.message_id, repeat.is_new) == (first, False)
    call_command("rebuild", stdout=StringIO(), stderr=StringIO())
    assert list(dump_lines(as_of=now)) == before
    assert orjson.loads(before[-1])["kind"] == "order"


def test_invariant_check_finds_a_parked_message_without_body(source: Source) -> None:
    stored = old_message(source, state="parked", reason="schema")
    assert check_unsettled_messages_have_bodies() == []
    MessageBody.objects.filter(pk=stored).delete()
    assert check_unsettled_messages_have_bodies() == ["1 queued or parked messages have no body"]


def test_parked_message_without_body_is_not_queued(source: Source, now: datetime) -> None:
    stored = old_message(source, state="parked", reason="conflict")
    assert remove_old_bodies()
    assert replay_parked_messages([stored], by=None, now=now) is None
    errors = StringIO()
    call_command("replay", "--id", str(stored), stdout=StringIO(), stderr=errors)
    assert "1 message not queued" in errors.getvalue()
    assert "removed by the retention policy" in errors.getvalue()


def test_message_whose_body_went_while_it_was_claimed_is_parked(source: Source) -> None:
    bodies = [
        orjson.dumps(cloudevent("order.held", {"order": f"SO-{n}"}, event_id=f"{n}"))
        for n in (1, 2)
    ]
    headers = {"content-type": "application/cloudevents+json"}
    bodiless, other = store_messages(
        [IncomingMessage(source.pk, f"m{n}", headers, body) for n, body in enumerate(bodies)]
    )
    MessageBody.objects.filter(message_id=bodiless.message_id).delete()
    assert process_message_batches.claim_parse_and_correlate_messages() == 2
    row = InboundMessage.objects.get(pk=bodiless.message_id)
    assert (row.state, row.reason) == ("parked", "body_removed")
    assert InboundMessage.objects.get(pk=other.message_id).state == "applied"
    assert check_unsettled_messages_have_bodies() == []
    assert check()[month_of(bodiless.message_id)].parked_count == 0
