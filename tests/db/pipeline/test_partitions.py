"""Monthly partitions are made ahead of time, whatever day it is."""

from datetime import date, datetime

import pytest
from django.db import connection

from visibility.pipeline import record_and_retention_jobs

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
TABLES = ("visibility_inbound_message", "visibility_message_body", "visibility_event")


def months_ahead(now: datetime) -> list[date]:
    """This month in UTC and the next three."""
    months = [now.year * 12 + now.month - 1 + ahead for ahead in range(4)]
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def bounds(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass", [name]
        )
        return str(cursor.fetchone()[0])


def test_this_month_and_the_next_three_have_a_partition_each(now: datetime) -> None:
    record_and_retention_jobs.make_partitions()
    record_and_retention_jobs.make_partitions()
    for table in TABLES:
        for month in months_ahead(now):
            first, following = (
                month,
                months_ahead(datetime(month.year, month.month, 1, tzinfo=now.tzinfo))[1],
            )
            assert bounds(f"{table}_{month:%Y_%m}") == (
                f"FOR VALUES FROM ('{first} 00:00:00+00') TO ('{following} 00:00:00+00')"
            )


def test_month_with_rows_in_the_default_partition_does_not_stop_the_others(now: datetime) -> None:
    """After months without the job, its rows lie there, and no partition can be made for them."""
    record_and_retention_jobs.make_partitions()
    ahead = months_ahead(now)[2]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE visibility_message_body_{ahead:%Y_%m}")
        cursor.execute(f"DROP TABLE visibility_event_{months_ahead(now)[3]:%Y_%m}")
        cursor.execute("INSERT INTO visibility_message_body VALUES (1, %s, '')", [ahead])
    record_and_retention_jobs.make_partitions()
    assert bounds(f"visibility_event_{months_ahead(now)[3]:%Y_%m}")
