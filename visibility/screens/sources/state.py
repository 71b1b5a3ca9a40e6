"""The state of a source, from its settings, its last message and its last rejected request."""

from datetime import datetime, timedelta

from visibility.models.intake import Source, overdue_since
from visibility.screens.sources.labels import SourceState

# A rejected request counts for this long, and until the next accepted message.
REJECTION_WINDOW = timedelta(hours=1)


def source_state(
    source: Source, *, last_at: datetime | None, rejected_at: datetime | None, now: datetime
) -> SourceState:
    """The state of a source, as shown on its page, in the API and on boards."""
    if not source.enabled:
        return SourceState.PAUSED
    is_rejected = (
        rejected_at is not None
        and now - rejected_at <= REJECTION_WINDOW
        and (last_at is None or rejected_at > last_at)
    )
    if source.poll_error or is_rejected:
        return SourceState.FAILING
    if last_at is None:
        return SourceState.WAITING
    return SourceState.SILENT if overdue_since(source, last_at, now) else SourceState.LIVE
