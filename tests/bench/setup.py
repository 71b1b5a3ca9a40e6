"""The bench's own sources, rules and people in the product."""

from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from tests.bench import course
from tests.rules import promise
from visibility.db.clock import database_now
from visibility.ingest.source_setup import add
from visibility.models import Source, WorkCalendar
from visibility.web.permissions import Role

ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
# What stays when the bench begins afresh.
MASTER = (
    "visibility_source",
    "visibility_slarule",
    "visibility_workcalendar",
    "visibility_auditentry",
)
TABLES = """
SELECT string_agg(quote_ident(c.relname), ', ') FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname LIKE 'visibility\\_%%'
    AND NOT c.relname = ANY(%s)
"""


def connect() -> None:
    """Four signed sources, one that sends batches, two rules, and somebody to look at it."""
    now = database_now()
    for slug, role in course.SOURCES.items():
        add(
            slug,
            connector="standard_webhooks",
            config={**course.NUMBERS, "role": role},
            secret=course.SECRET,
            now=now,
        )
    add(
        course.BATCHED,
        connector="cloudevents",
        config={**course.NUMBERS, "role": "erp"},
        secret=course.SECRET,
        now=now,
    )
    Source.objects.update(expect_every=None)
    calendar = WorkCalendar.objects.create(
        code="always", title="Around the clock", zone="UTC", hours=ALWAYS
    )
    _rule("stuck-in-released", "stuck_in_released", calendar, timedelta(hours=100))
    _rule("no-tracking-scan", "no_tracking_scan", calendar, timedelta(hours=30))
    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get_or_create(name=Role.ADMIN.value)[0])


def _rule(code: str, kind: str, calendar: WorkCalendar, within: timedelta) -> None:
    promise(
        calendar,
        code=code,
        kind=kind,
        title=code,
        params={"within": within / timedelta(hours=1)},
    )


def signed_in() -> Client:
    """A browser with a session of its own."""
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(username="bench"))
    return client


def clear() -> None:
    """Forget all messages, events, orders and numbers."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [list(MASTER)])
        names = cursor.fetchone()[0]
        cursor.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
