"""Messages of past months, whose bodies have partitions of their own."""

from datetime import datetime, timedelta

import orjson
from django.db import connection

from tests.builders.sources import message
from visibility.db.database_time import database_now
from visibility.ingest.message_body_retention import check_partitions, remove_partition
from visibility.ingest.move_message_bodies import move_message_bodies
from visibility.models import MessageBodyMove, MessageBodyPartition, Source

# Longer ago than the policy of 400 days keeps bodies.
OLD = timedelta(days=500)


def make_body_partition(month: datetime) -> None:
    """Create the partition of a month, as the hourly job did at the time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT visibility_make_partition('visibility_message_body', %s::date)", [month]
        )


def old_message(source: Source, *, age: timedelta = OLD, **fields: object) -> int:
    """Store a message of that age and return its id."""
    received_at = database_now() - age
    make_body_partition(received_at)
    return message(source, received_at=received_at, **fields)  # type: ignore[arg-type]  # its fields


def age_message(message_id: int, *, age: timedelta = OLD) -> None:
    """Make a message, its body and its events as old as that."""
    received_at = database_now() - age
    make_body_partition(received_at)
    with connection.cursor() as cursor:
        for table, key in (
            ("inbound_message", "id"),
            ("message_body", "message_id"),
            ("messagekey", "message_id"),
            ("event", "message_id"),
        ):
            cursor.execute(
                f"UPDATE visibility_{table} SET received_at = %s WHERE {key} = %s",  # noqa: S608
                [received_at, message_id],
            )


def remove_old_bodies(*, days: int = 400) -> list[MessageBodyPartition]:
    """Remove at once what the policy lets go, and return it."""
    now = database_now()
    partitions = [p for p in check_partitions(now=now, days=days) if p.removable_since]
    return [p for p in partitions if remove_partition(p, now=now, days=days)]


def unmoved_message(source: Source, *, state: str = "applied", body: bytes = b"{}") -> int:
    """Store a message as an older version did, its body included, and return its id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO visibility_inbound_message (source_id, received_at, dedupe_key, "
            "content_hash, headers, body, state) VALUES (%s, now(), '', %s, %s, %s, %s) "
            "RETURNING id",
            [source.pk, "0" * 64, orjson.dumps({}).decode(), body, state],
        )
        return int(cursor.fetchone()[0])


def begin_move(first_id: int, last_id: int, *, since: timedelta = timedelta(hours=2)) -> None:
    """Begin to move the bodies of these messages, as the migration did so long ago."""
    MessageBodyMove.objects.create(
        next_id=first_id, last_id=last_id, started_at=database_now() - since
    )


def run_move() -> int:
    """Run the job once; return how many bodies it moved."""
    return move_message_bodies(should_stop=lambda: False, seconds=60)
