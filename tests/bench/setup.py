"""Create the sources, SLA rules and user of the benchmarks."""

from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from tests.bench import workload
from tests.builders.sla_rules import create_rule
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import Source, WorkCalendar
from visibility.web.permissions import UserRole

AROUND_THE_CLOCK = {
    day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
}
# Tables that `clear()` does not empty.
PRESERVED_TABLES = (
    "visibility_source",
    "visibility_slarule",
    "visibility_team",
    "visibility_workcalendar",
    "visibility_auditentry",
)
TABLES = """
SELECT string_agg(quote_ident(c.relname), ', ') FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname LIKE 'visibility\\_%%'
    AND NOT c.relname = ANY(%s)
"""


def create_sources_and_rules() -> None:
    """Create four signed sources, one that sends batches, two SLA rules and a user."""
    now = database_now()
    for slug, role in workload.SOURCES.items():
        add_source(
            slug,
            connector="standard_webhooks",
            config={**workload.NUMBER_SETTINGS, "role": role},
            secret=workload.SECRET,
            now=now,
        )
    add_source(
        workload.BATCH_SOURCE,
        connector="cloudevents",
        config={**workload.NUMBER_SETTINGS, "role": "erp"},
        secret=workload.SECRET,
        now=now,
    )
    Source.objects.update(expect_every=None)
    calendar = WorkCalendar.objects.create(
        code="always", title="Around the clock", zone="UTC", hours=AROUND_THE_CLOCK
    )
    _rule("stuck-in-released", "stuck_in_released", calendar, timedelta(hours=100))
    _rule("no-tracking-scan", "no_tracking_scan", calendar, timedelta(hours=30))
    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get_or_create(name=UserRole.ADMIN.value)[0])


def _rule(code: str, kind: str, calendar: WorkCalendar, within: timedelta) -> None:
    create_rule(
        calendar,
        code=code,
        kind=kind,
        title=code,
        params={"within": within / timedelta(hours=1)},
    )


def signed_in_client() -> Client:
    """A test client with its own session."""
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(username="bench"))
    return client


def clear_data() -> None:
    """Delete all messages, events, orders and KPIs."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [list(PRESERVED_TABLES)])
        names = cursor.fetchone()[0]
        cursor.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
