"""Promote what a release check read, or roll it back: publish, and read its messages again."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.ingest.check_manifest_input import InvalidManifestInput, ManifestConflict
from visibility.ingest.publish_manifest import (
    CannotBePublished,
    live_version,
    publish_draft,
    roll_back,
)
from visibility.ingest.replay_messages import reread_messages
from visibility.models.audit import append_audit_entry
from visibility.models.message_replays import MessageReplay
from visibility.models.release_checks import ReleaseCheck, ReleaseCheckState


class CannotPromote(ValueError):
    """The check cannot be promoted or rolled back; the message says why."""


def promote_check(
    check: ReleaseCheck, *, messages: int | None, by: User | None, now: datetime
) -> MessageReplay | None:
    """Publish the draft that was checked, and read the messages of the check again.

    A check of the installed connector only reads them again. `messages`: the number that the person
    confirmed. Raises CannotPromote.
    """
    with transaction.atomic():
        row = _lock(check)
        _require(row.state == ReleaseCheckState.READY, "The check has no result to promote.")
        _require(row.promoted_at is None, "The check was promoted already.")
        _confirm(row, messages)
        if row.manifest is not None:
            _publish(row, by=by, now=now)
        row.promotion_replay = reread_messages(row.message_ids, by=by, now=now)
        row.promoted_at, row.promoted_by = now, by
        row.save()
        _audit("release_check.promoted", row, row.promotion_replay, by=by, now=now)
    return row.promotion_replay


def roll_back_check(
    check: ReleaseCheck, *, messages: int | None, by: User | None, now: datetime
) -> MessageReplay | None:
    """Make the version before the promotion live again, and read the messages again with it.

    Raises CannotPromote.
    """
    with transaction.atomic():
        row = _lock(check)
        _require(row.promoted_at is not None, "The check was not promoted.")
        _require(row.rolled_back_at is None, "The promotion was rolled back already.")
        reason = why_no_roll_back(row)
        _require(not reason, reason)
        _confirm(row, messages)
        assert row.manifest is not None
        assert row.version_before is not None
        try:
            roll_back(
                row.manifest,
                row.version_before,
                note=f"Roll-back of release check {row.pk}",
                by=by,
                now=now,
            )
        except (InvalidManifestInput, ManifestConflict) as error:
            raise CannotPromote(str(error)) from error
        row.rollback_replay = reread_messages(row.message_ids, by=by, now=now)
        row.rolled_back_at, row.rolled_back_by = now, by
        row.save()
        _audit("release_check.rolled_back", row, row.rollback_replay, by=by, now=now)
    return row.rollback_replay


def why_no_roll_back(check: ReleaseCheck) -> str:
    """Why a promotion cannot be rolled back, or ""."""
    if check.manifest is None:
        return (
            "A Python connector is rolled back by installing the previous release. "
            "Then check and read the messages again."
        )
    if check.version_before is None:
        return "The promotion published the first version: there is none before it."
    live = live_version(check.manifest)
    if live is None or live.number != check.version:
        return "Another version was published since. Roll back on the page of the manifest."
    return ""


def _publish(check: ReleaseCheck, *, by: User | None, now: datetime) -> None:
    assert check.manifest is not None
    _require(
        check.source.connector == check.manifest.slug,
        f"{check.source.title} does not use {check.manifest.slug}, so a promotion changes nothing.",
    )
    live = live_version(check.manifest)
    check.version_before = live.number if live else None
    if live is not None and live.text == check.text:
        check.version = live.number
        return
    try:
        version = publish_draft(
            check.manifest,
            revision=check.revision,
            note=f"Release check {check.pk}",
            by=by,
            now=now,
        )
    except CannotBePublished as error:
        raise CannotPromote(str(error)) from error
    except (InvalidManifestInput, ManifestConflict) as error:
        raise CannotPromote(
            f"{error} The draft may have changed since the check: check it again."
        ) from error
    check.version = version.number


def _lock(check: ReleaseCheck) -> ReleaseCheck:
    rows = ReleaseCheck.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("manifest", "source").get(pk=check.pk)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise CannotPromote(sentence)


def _confirm(check: ReleaseCheck, messages: int | None) -> None:
    count = len(check.message_ids)
    _require(messages == count, f"Confirm that {count} messages are read again.")


def _audit(
    action: str,
    check: ReleaseCheck,
    replay: MessageReplay | None,
    *,
    by: User | None,
    now: datetime,
) -> None:
    append_audit_entry(
        action,
        user=by,
        object=f"release check {check.pk}",
        detail={
            "source": check.source.slug,
            "reader": check.reader,
            "version": check.version,
            "messages": len(check.message_ids),
            "orders": check.summary.get("orders", 0),
            "replay": replay.pk if replay else None,
        },
        now=now,
    )
