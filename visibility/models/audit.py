"""The audit log: append-only, each entry contains the hash of the entry before it.

`AuditHead` has the number of entries and the hash of the last one, with a keyed seal, so that a log
whose last entries were deleted is detected too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, models, transaction

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text
from visibility.db.lock_keys import LockKey, lock_until_commit

SEAL_PURPOSE = KeyPurpose.AUDIT_HEAD
# Attribute of a user object of a request with an API token: the public part of the token.
API_TOKEN_NAME = "_api_token_name"  # noqa: S105  # a name
# One statement, so one snapshot: entries that are appended meanwhile do not matter.
COMPARE_HEAD_WITH_ENTRIES = """
SELECT head.entries, head.digest, count(entry.id),
    (SELECT last.digest FROM visibility_auditentry AS last WHERE last.id = head.last_entry_id)
FROM visibility_audithead AS head
LEFT JOIN visibility_auditentry AS entry ON entry.id <= head.last_entry_id
GROUP BY head.id
"""


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


class AuditHead(models.Model):
    """The sealed end of the audit log, in one row that the migration creates.

    `seal` is an HMAC over the other columns, with a key derived from SECRET_KEY.
    """

    entries = models.BigIntegerField()
    last_entry_id = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    seal = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "visibility_audithead"

    @property
    def is_sealed(self) -> bool:
        """Whether the seal fits the other columns and one of the secret keys."""
        return is_valid_seal(self.seal, self._sealed_text(), purpose=SEAL_PURPOSE)

    @property
    def is_sealed_with_newest_key(self) -> bool:
        """Whether SECRET_KEY made the seal."""
        return self.seal == seal_text(self._sealed_text(), purpose=SEAL_PURPOSE)

    def _sealed_text(self) -> str:
        return f"{self.entries} {self.last_entry_id} {self.digest}"


def head_seal(entries: int, last_entry_id: int, digest: str) -> str:
    """The seal of an audit head, in hex."""
    return seal_text(f"{entries} {last_entry_id} {digest}", purpose=SEAL_PURPOSE)


def append_audit_entry(
    action: str, *, user: User | None, object: str, detail: Mapping[str, Any], now: datetime
) -> None:
    """Append one entry, in the caller's transaction if there is one.

    The detail of what a program did with an API token names the token.
    A head that is missing or has a wrong seal is not replaced, so that the damage stays visible.
    """
    if user is not None and (token := user.__dict__.get(API_TOKEN_NAME)):
        detail = {**detail, "api_token": token}
    with transaction.atomic():
        # One writer of the hash chain at a time.
        lock_until_commit(LockKey.AUDIT_CHAIN)
        head = AuditHead.objects.first()
        if head is not None and head.is_sealed:
            _count_unsealed_entries_that_fit(head)
            entry = _insert_entry(head.digest, action, user, object, detail, now)
            _write_head(head.entries + 1, entry.id, entry.digest)
        else:
            last = AuditEntry.objects.order_by("-id").first()
            _insert_entry(last.digest if last else "", action, user, object, detail, now)


def reseal_audit_head(now: datetime) -> None:
    """Seal the log as it is now, for example under a new SECRET_KEY, and record what was wrong."""
    with transaction.atomic():
        violations = find_audit_violations()
        append_audit_entry(
            "audit.resealed", user=None, object="", detail={"before": violations[:20]}, now=now
        )
        last = AuditEntry.objects.latest("id")
        AuditHead.objects.get_or_create(
            id=1, defaults={"entries": 0, "last_entry_id": 0, "digest": "", "seal": ""}
        )
        _write_head(AuditEntry.objects.count(), last.id, last.digest)


def _insert_entry(
    previous_digest: str,
    action: str,
    user: User | None,
    object: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> AuditEntry:
    entry = AuditEntry(
        at=now,
        user=user,
        action=action,
        object=object,
        detail=dict(detail),
        previous_digest=previous_digest,
    )
    entry.digest = entry_digest(entry)
    entry.save(force_insert=True)
    return entry


def _count_unsealed_entries_that_fit(head: AuditHead) -> None:
    """Include entries of a release without a head, which may run beside this one in an upgrade."""
    for entry in AuditEntry.objects.filter(id__gt=head.last_entry_id).order_by("id"):
        if entry.previous_digest != head.digest or entry.digest != entry_digest(entry):
            return
        head.entries, head.digest = head.entries + 1, entry.digest


def _write_head(entries: int, last_entry_id: int, digest: str) -> None:
    AuditHead.objects.update(
        entries=entries,
        last_entry_id=last_entry_id,
        digest=digest,
        seal=head_seal(entries, last_entry_id, digest),
    )


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


def find_audit_violations() -> Sequence[str]:
    """A sentence for each entry that breaks the chain, and for an end other than the sealed one."""
    broken = [f"audit entry {entry} breaks the hash chain" for entry in broken_entry_ids()]
    return broken + _head_violations()


def _head_violations() -> list[str]:
    head = AuditHead.objects.first()
    if head is None:
        return ["the sealed head of the audit log is missing"]
    if not head.is_sealed:
        return ["the head of the audit log was changed, or sealed with another SECRET_KEY"]
    with connection.cursor() as cursor:
        cursor.execute(COMPARE_HEAD_WITH_ENTRIES)
        entries, digest, present, last_digest = cursor.fetchone()
    if present < entries:
        return [f"{entries - present} of {entries} sealed audit entries are missing"]
    if present > entries or (last_digest or "") != digest:
        return ["the last sealed audit entry is not the one that was written"]
    return []
