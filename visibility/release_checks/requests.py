"""Request, cancel and delete release checks."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from connectors.catalog import connectors_by_slug
from connectors.sdk.manifest.problems import InvalidManifest
from visibility import __version__
from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.models.audit import append_audit_entry
from visibility.models.manifests import Manifest
from visibility.models.release_checks import (
    CHECK_IN_PROGRESS,
    ReleaseCheck,
    ReleaseCheckState,
)
from visibility.models.sources_and_messages import Source
from visibility.storage.published_manifests import connector_of_text

DEFAULT_PERIOD, MAX_PERIOD = timedelta(days=7), timedelta(days=92)
MAX_IN_PROGRESS = 5
STORED_FOR = timedelta(days=90)


class CannotCheck(ValueError):
    """The check cannot run; the message says why. `field`: the input that is wrong, or ""."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def request_check(
    source: Source,
    manifest: Manifest | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    by: User | None,
    now: datetime,
) -> ReleaseCheck:
    """Store a request: read the messages of a period with the draft, or as installed.

    The period is the last seven days without an entry. Raises CannotCheck.
    """
    until = min(until or now, now)
    since = since or until - DEFAULT_PERIOD
    if since >= until:
        raise CannotCheck("The period must begin before it ends, and in the past.", "since")
    if until - since > MAX_PERIOD:
        raise CannotCheck(f"Choose a period of at most {MAX_PERIOD.days} days.", "since")
    if ReleaseCheck.objects.filter(state__in=CHECK_IN_PROGRESS).count() >= MAX_IN_PROGRESS:
        raise CannotCheck(f"{MAX_IN_PROGRESS} checks are in progress. Wait for one, or cancel it.")
    if manifest is None and source.connector not in connectors_by_slug():
        raise CannotCheck("The connector of this source is not installed.")
    if manifest is not None:
        try:
            connector_of_text(manifest.slug, manifest.text)
        except InvalidManifest:
            raise CannotCheck("The draft has problems. Correct them first.") from None
    check = ReleaseCheck.objects.create(
        source=source,
        manifest=manifest,
        revision=manifest.revision if manifest else None,
        text=manifest.text if manifest else "",
        reader=_reader_text(source, manifest),
        since=since,
        until=until,
        state=ReleaseCheckState.WAITING,
        requested_at=now,
        requested_by=by,
    )
    _audit("release_check.requested", check, by=by, now=now)
    append_changes({"source": [check.source_id]})
    return check


def cancel_check(check: ReleaseCheck, *, by: User | None, now: datetime) -> bool:
    """Cancel it if it waits or runs; return whether it did. Its worker stops at its next step."""
    canceled = ReleaseCheck.objects.filter(pk=check.pk, state__in=CHECK_IN_PROGRESS).update(
        state=ReleaseCheckState.CANCELED, finished_at=now
    )
    if canceled:
        _audit("release_check.canceled", check, by=by, now=now)
        append_changes({"source": [check.source_id]})
    return bool(canceled)


def delete_old_release_checks() -> int:
    """Delete checks that ended 90 days ago, with their results; return how many."""
    old = ReleaseCheck.objects.filter(finished_at__lt=database_now() - STORED_FOR)
    return old.delete()[1].get("visibility.ReleaseCheck", 0)


def _reader_text(source: Source, manifest: Manifest | None) -> str:
    if manifest is not None:
        return f"draft of {manifest.slug}, revision {manifest.revision}"
    return f"{source.connector} of version {__version__}"[:80]


def _audit(action: str, check: ReleaseCheck, *, by: User | None, now: datetime) -> None:
    append_audit_entry(
        action,
        user=by,
        object=f"release check {check.pk}",
        detail={
            "source": check.source.slug,
            "reader": check.reader,
            "since": check.since.isoformat(),
            "until": check.until.isoformat(),
        },
        now=now,
    )
