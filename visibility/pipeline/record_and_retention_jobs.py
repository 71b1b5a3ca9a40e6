"""Jobs that measure records, make partitions, and delete what is old."""

from datetime import timedelta

from django.conf import settings
from django.db import connection

from visibility.db.database_time import database_now
from visibility.ingest import delete_old_telemetry as old_telemetry
from visibility.ingest import (
    limited_requests,
    message_body_retention,
    move_message_bodies,
    source_failures,
)
from visibility.ingest import record_message_fields as sample_message_fields
from visibility.kpi import measure_changed_records
from visibility.models import SignInThrottle
from visibility.notify import account_links, delivery_log
from visibility.pipeline.shutdown_flag import stopping

PARTITIONED_TABLES = ("visibility_inbound_message", "visibility_message_body", "visibility_event")
RETENTION_CHECK_EVERY = timedelta(hours=20)


def measure_records() -> int:
    """Measure the messages, polls, alerts and actions that changed; return how many."""
    return measure_changed_records.measure_changed_records(stopping.is_set)


def send_account_mails() -> int:
    """Send the links that set passwords and are due; return how many were sent."""
    return account_links.send_due_account_mails(database_now())


def delete_old_throttles() -> int:
    """Delete the counts of failed sign-ins that no longer matter; return how many."""
    return SignInThrottle.objects.filter(expires_at__lt=database_now()).delete()[0]


def delete_old_poll_rounds() -> int:
    """Delete the polls that ended long ago, and the counts of their requests; return how many."""
    now = database_now()
    deleted = limited_requests.delete_old_request_counts(now=now)
    return deleted + source_failures.delete_old_poll_rounds(now=now)


def delete_old_telemetry() -> int:
    """Delete telemetry beyond its retention period and limits; return how many rows."""
    return old_telemetry.delete_old_telemetry(now=database_now(), days=settings.TELEMETRY_DAYS)


def record_message_fields() -> int:
    """Record the fields of the newest messages of each source; return how many were read."""
    return sample_message_fields.record_message_fields(database_now())


def delete_old_delivery_attempts() -> int:
    """Delete the entries of the delivery log that are old; return how many."""
    return delivery_log.delete_old_attempts(database_now())


def make_partitions() -> None:
    """Create the partitions of this month and the next three."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT visibility_make_partition(parent, (now() + n * interval '1 month')::date) "
            "FROM unnest(%s::text[]) AS parent, generate_series(0, 3) AS n",
            [list(PARTITIONED_TABLES)],
        )


def move_unmoved_message_bodies() -> int:
    """Go on moving bodies that an older version stored with their messages; return how many."""
    return move_message_bodies.move_message_bodies(should_stop=stopping.is_set)


def check_and_remove_old_message_bodies() -> int:
    """Once a day, remove the bodies that the retention policy lets go; return how many months."""
    now, days = database_now(), settings.MESSAGE_BODY_DAYS
    if not message_body_retention.is_check_due(now=now, every=RETENTION_CHECK_EVERY):
        return 0
    if not days:
        message_body_retention.check_partitions(now=now, days=0)
        return 0
    return len(message_body_retention.remove_due_partitions(now=now, days=days))
