"""The audit log: append-only, each entry contains the hash of the entry before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, models, transaction

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.lock_keys import LockKey


class AuditEntry(models.Model):
    """Who did what, chained by hash. A trigger rejects updates and deletes."""

    at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    action = models.CharField(max_length=60)
    object = models.CharField(max_length=200, default="")
    detail = models.JSONField(default=dict)
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-at"], name="audit_at")]


def append_audit_entry(
    action: str, *, user: User | None, object: str, detail: Mapping[str, Any], now: datetime
) -> None:
    """Append one entry, in the caller's transaction if there is one."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # One writer of the hash chain at a time.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LockKey.AUDIT_CHAIN])
        last = AuditEntry.objects.order_by("-id").first()
        entry = AuditEntry(
            at=now,
            user=user,
            action=action,
            object=object,
            detail=dict(detail),
            previous_digest=last.digest if last else "",
        )
        entry.digest = entry_digest(entry)
        entry.save(force_insert=True)


def entry_digest(entry: AuditEntry) -> str:
    """SHA-256 over the entry and the digest before it."""
    text = json.dumps(
        [
            entry.previous_digest,
            format_rfc3339(entry.at),
            entry.user_id,
            entry.action,
            entry.object,
            entry.detail,
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()


def broken_entry_ids() -> list[int]:
    """Ids of entries that do not fit the chain."""
    ids, previous = [], ""
    for entry in AuditEntry.objects.order_by("id").iterator(chunk_size=1000):
        if entry.previous_digest != previous or entry.digest != entry_digest(entry):
            ids.append(entry.id)
        previous = entry.digest
    return ids
