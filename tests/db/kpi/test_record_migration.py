"""Upgrade to KPIs of messages, polls, alerts and actions, with data of the earlier version."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from tests.builders.kpi_facts import create_fact
from tests.builders.sources import create_source
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.kpi.measure_changed_records import (
    measure_changed_records,
    request_measurement_of_all_records,
)
from visibility.models import InboundMessage, KpiFact, KpiRecordChange, Source

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
BEFORE = "0022"


@pytest.fixture
def earlier_version() -> Iterator[None]:
    """The tables of the earlier version, with two sources; the new ones again at the end."""
    for slug in ("before", "after"):
        create_source(slug)
    call_command("migrate", "visibility", BEFORE, verbosity=0)
    yield
    call_command("migrate", "visibility", verbosity=0)


def settle_message(key: str, *, source: str) -> None:
    # Not the whole row: the earlier version lacks some of its columns.
    source_id = Source.objects.values_list("pk", flat=True).get(slug=source)
    store_messages([IncomingMessage(source_id, key, {}, b"{}")])
    InboundMessage.objects.filter(dedupe_key=key).update(
        state="parked", reason="schema", processed_at=database_now()
    )


def test_earlier_records_are_measured_on_request_and_a_downgrade_removes_their_facts(
    earlier_version: None,
) -> None:
    settle_message("before", source="before")
    fact = create_fact(day=database_now().date())
    call_command("migrate", "visibility", verbosity=0)
    assert not KpiRecordChange.objects.exists()
    assert KpiFact.objects.get() == fact
    settle_message("after", source="after")
    assert measure_changed_records() == 1
    for _ in request_measurement_of_all_records():
        measure_changed_records()
    measured = KpiFact.objects.filter(order=None)
    assert [f.kpi for f in measured] == ["parked_messages"] * 2
    call_command("migrate", "visibility", BEFORE, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM visibility_kpifact")
        assert cursor.fetchall() == [(fact.pk,)]
    settle_message("earlier version again", source="before")
