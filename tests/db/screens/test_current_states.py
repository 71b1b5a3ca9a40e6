"""The states of sources on boards: the same evidence as that of alerts."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders.message_months import old_message
from tests.builders.sources import create_source, message
from visibility.alerts.source_snapshots import load_watched_sources
from visibility.db.database_time import database_now
from visibility.screens.sources.current_states import load_source_chips

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_boards_show_the_last_message_and_the_parked_ones_that_alerts_know() -> None:
    now = database_now()
    busy, inactive = create_source("busy"), create_source("inactive")
    create_source("new")
    message(busy, received_at=now - DAY)
    for _ in range(3):
        message(busy, state="parked", received_at=now - DAY / 2)
    old_message(inactive, age=100 * DAY)  # longer ago than messages are searched first
    chips = {chip.slug: (chip.last_at, chip.parked) for chip in load_source_chips(now)}
    assert chips["busy"] == (now - DAY / 2, 3)
    last_at, parked = chips["inactive"]
    assert last_at is not None
    assert abs(now - 100 * DAY - last_at) < DAY
    assert parked == 0
    assert chips["new"] == (None, 0)
    assert chips == {
        w.snapshot.slug: (w.snapshot.last_message_at, w.snapshot.parked_count)
        for w in load_watched_sources(now)
    }


def test_boards_load_all_sources_in_four_statements() -> None:
    for number in range(5):
        message(create_source(f"s{number}"))
    now = database_now()
    with CaptureQueriesContext(connection) as captured:
        assert len(load_source_chips(now)) == 5
    statements = [query["sql"] for query in captured if "SELECT" in query["sql"]]
    assert len(statements) == 4
    assert sum("visibility_inbound_message" in sql for sql in statements) == 2
