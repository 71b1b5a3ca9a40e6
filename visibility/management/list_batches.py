"""`manage.py source batches`: the newest batches of a source as lines."""

from collections.abc import Iterator

from django.core.management.base import CommandError

from visibility.db.database_time import database_now
from visibility.formatting import format_timestamp
from visibility.models import Source
from visibility.screens.sources.batches import SHOWN, load_batch_overview, load_batch_rows
from visibility.storage.organization import organization_time_zone


def batch_lines(slug: str) -> Iterator[str]:
    """Yield the schedule, the late batches and the newest ones. Raises CommandError."""
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        raise CommandError(f"Unknown source {slug!r}.")
    now, zone = database_now(), organization_time_zone()
    overview = load_batch_overview(source, now)
    if overview is None:
        raise CommandError(
            f"No batches are expected from {slug}: set batch_at or batch_every with "
            f"manage.py source set {slug} batch_at=06:00. A new schedule takes effect within "
            "some seconds."
        )
    yield overview.expectation
    for finding in overview.late:
        assert finding.expected_at is not None
        yield f"late\texpected {format_timestamp(finding.expected_at, zone)}\tnot arrived"
    for row in load_batch_rows(source, now, SHOWN):
        batch = row.batch
        findings = "; ".join(finding.text for finding in row.findings) or batch.problem or "ok"
        records = "-" if batch.records is None else str(batch.records)
        arrived = format_timestamp(batch.received_at, zone)
        yield f"{batch.message_id}\t{arrived}\t{batch.name}\t{records}\t{batch.number}\t{findings}"
