"""The state of a source, and a sentence that explains it: the same for pages, tiles and the API."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sdk.connector import SourceRole
from visibility.formatting import format_duration, format_timestamp, in_zone
from visibility.ingest.poll_results import FAILURES_UNTIL_RARE
from visibility.ingest.source_secrets import UnreadableSecrets, decrypt_secrets
from visibility.models.sources_and_messages import Source, UnusableSource
from visibility.screens.sources.role_and_state_labels import REJECTION_LABELS, SourceState
from visibility.sla.source_evidence import EvidenceGap, SourceEvidence
from visibility.storage.organization import organization_time_zone

NORMAL = "reporting normally"
# How recent a rejected request must be to count.
REJECTED_WITHIN = timedelta(hours=1)
# How long a page says that a source works again.
RECOVERY_SHOWN_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LatestReceiptAndRejection:
    """When the last message of a source was received, and its last request rejected, and how."""

    received_at: datetime | None
    rejected_at: datetime | None = None
    rejected_status: int = 0


def source_state_and_reason(
    source: Source,
    latest: LatestReceiptAndRejection,
    evidence: SourceEvidence | None,
    now: datetime,
) -> tuple[SourceState, str]:
    """Return the state of a source, and why: a clause without a capital and a period."""
    if source.archived_at is not None:
        since = clock_time_with_date_unless_today(source.archived_at, now)
        return SourceState.PAUSED, f"archived since {since}: its messages are rejected"
    if not source.enabled:
        return SourceState.PAUSED, "disabled: its messages are rejected"
    if problem := reason_source_row_is_unusable(source):
        return SourceState.FAILING, problem
    if evidence is not None and evidence.maintenance_until is not None:
        until = clock_time_with_date_unless_today(evidence.maintenance_until, now)
        return (
            SourceState.MAINTENANCE,
            f"in maintenance until {until}: {evidence.maintenance_reason}",
        )
    if evidence is not None and evidence.unpolled_until is not None:
        until = clock_time_with_date_unless_today(evidence.unpolled_until, now)
        return SourceState.UNPOLLED_HOURS, f"quiet hours until {until}: it is not polled"
    if source.file_error:
        return (
            SourceState.FAILING,
            f"its files are not read{_failing_since_text(source, now)}: {source.file_error}",
        )
    if source.poll_error and source.throttled_until is not None:
        until = clock_time_with_date_unless_today(source.throttled_until, now)
        return SourceState.THROTTLED, f"throttled until {until}: {source.poll_error}"
    if source.poll_error:
        return SourceState.FAILING, _describe_poll_failure(source, now)
    rejected_at = latest.rejected_at
    if (
        rejected_at
        and now - rejected_at <= REJECTED_WITHIN
        and (latest.received_at is None or rejected_at > latest.received_at)
    ):
        cause = REJECTION_LABELS.get(latest.rejected_status, f"status {latest.rejected_status}")
        return SourceState.FAILING, f"its requests are rejected: {cause}"
    if source.catching_up_since is not None:
        since = clock_time_with_date_unless_today(source.catching_up_since, now)
        return SourceState.CATCHING_UP, (
            f"catching up since {since}: each poll stops at its limit because the system has more"
        )
    recovered = _recovered_since_text(source, now)
    if latest.received_at is None and source.polled_until is None:
        return SourceState.WAITING, f"no message received yet{recovered}"
    if evidence is not None and (state_and_reason := _state_of_evidence(evidence, now)):
        state, reason = state_and_reason
        return state, reason + recovered
    return SourceState.LIVE, f"{NORMAL}{recovered}"


def _state_of_evidence(evidence: SourceEvidence, now: datetime) -> tuple[SourceState, str] | None:
    """The state of a source from which nothing new is learned, or None."""
    silence = evidence.silence
    if silence is EvidenceGap.PARKED:
        when = "ever"
        if evidence.has_data:
            when = f"since {clock_time_with_date_unless_today(evidence.last_data_at, now)}"
        return SourceState.PARKED, f"none of its messages could be processed {when}"
    if silence is EvidenceGap.UNPROCESSED:
        return SourceState.CATCHING_UP, "its messages are received but not processed yet"
    if types := evidence.silent_event_types:
        texts = [
            f"no {t.event_type} events for {format_duration(now - t.since)}" for t in types[:3]
        ]
        return SourceState.SILENT, ", ".join(texts)
    if silence is EvidenceGap.NO_DATA:
        return SourceState.SILENT, "no data for longer than expected"
    if evidence.resumed_at is not None and evidence.is_catching_up:
        since = clock_time_with_date_unless_today(evidence.resumed_at, now)
        reached = evidence.newest_event_at
        text = f"catching up since {since} after sending no data"
        if reached is None or evidence.is_settling:
            return SourceState.CATCHING_UP, text
        newest = clock_time_with_date_unless_today(reached, now)
        return SourceState.CATCHING_UP, f"{text}: its newest event is of {newest}"
    return None


def reason_source_row_is_unusable(source: Source) -> str:
    """Return why the stored row of a source cannot be used, or an empty text."""
    try:
        source.build_connector()
    except UnusableSource as error:
        return str(error)
    except Exception as error:  # shown on this source; the page lists the others
        return f"its connector cannot be started ({type(error).__name__})"
    try:
        decrypt_secrets(source.sealed_secrets)
    except UnreadableSecrets as error:
        return (
            f"its secrets cannot be read: {error}. Restore that key, or replace the secret with "
            f"manage.py source rotate {source.slug}"
        )
    if source.role not in set(SourceRole):
        return f"its stored role {source.role!r} is unknown; it counts as other"
    return ""


def clock_time_with_date_unless_today(moment: datetime, now: datetime) -> str:
    """`14:05` today, `Mon, Nov 3, 14:05` on another day, in the organization's time zone."""
    zone = organization_time_zone()
    local = in_zone(moment, zone)
    if local.date() == in_zone(now, zone).date():
        return f"{local:%H:%M}"
    return format_timestamp(moment, zone)


def _describe_poll_failure(source: Source, now: datetime) -> str:
    text = f"polling fails{_failing_since_text(source, now)}: {source.poll_error}"
    if source.next_poll_at is None:
        return text
    if source.poll_failures > FAILURES_UNTIL_RARE:
        text += f". It is tried less often after {source.poll_failures} failures in a row"
    if source.next_poll_at <= now:
        return f"{text}. The next attempt is due now"
    next_at = clock_time_with_date_unless_today(source.next_poll_at, now)
    return f"{text}. The next attempt is at {next_at}"


def _failing_since_text(source: Source, now: datetime) -> str:
    if source.failing_since is None or source.recovered_at is not None:
        return ""
    return f" since {clock_time_with_date_unless_today(source.failing_since, now)}"


def _recovered_since_text(source: Source, now: datetime) -> str:
    """Return that the source works again, for a day."""
    if source.recovered_at is None or source.failing_since is None:
        return ""
    if now - source.recovered_at > RECOVERY_SHOWN_FOR:
        return ""
    since = clock_time_with_date_unless_today(source.recovered_at, now)
    failed_for = format_duration(source.recovered_at - source.failing_since)
    return f". It works again since {since}, after failing for {failed_for}"
