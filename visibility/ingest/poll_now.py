"""Poll a source at the next opportunity because a person wants it."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db.change_feed import append_changes
from visibility.formatting import format_timestamp
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import Source
from visibility.sla.poll_limits import quiet_until
from visibility.storage.organization import organization_time_zone


class CannotPollNow(ValueError):
    """The source is not polled now; the message is a sentence that says why."""


def request_poll(source: Source, *, now: datetime, user: User | None) -> None:
    """Make the next poll due now, also after many failures. Raises CannotPollNow.

    A pause that the system or a limit asked for, and quiet hours, hold for people too.
    """
    with transaction.atomic():
        row = Source.objects.select_for_update(no_key=True).get(pk=source.pk)
        _raise_if_not_now(row, now)
        if not _is_running(row, now):
            row.next_poll_at = now
        row.poll_requested_at = now
        row.save(update_fields=["next_poll_at", "poll_requested_at"])
        append_audit_entry("source.poll", user=user, object=row.slug, detail={}, now=now)
        append_changes({"source": [row.pk]})


def _raise_if_not_now(source: Source, now: datetime) -> None:
    if not source.enabled:
        raise CannotPollNow("The source is disabled. Enable it first.")
    if source.next_poll_at is None:
        raise CannotPollNow("The source is not polled. Enter what polling needs in its settings.")
    zone = organization_time_zone()
    if until := quiet_until(source.config_or_empty_if_invalid, now):
        raise CannotPollNow(f"Its quiet hours last until {format_timestamp(until, zone)}.")
    if source.throttled_until is not None and source.throttled_until > now:
        until_text = format_timestamp(source.throttled_until, zone)
        raise CannotPollNow(f"It is throttled until {until_text}.")


def _is_running(source: Source, now: datetime) -> bool:
    """Whether a round runs; its lease must stay."""
    if source.poll_started_at is None or (source.next_poll_at and source.next_poll_at <= now):
        return False
    return source.poll_ended_at is None or source.poll_started_at > source.poll_ended_at
