"""The audit: append-only, each entry sealed with the one before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from connectors.sdk.events import iso
from visibility.models.boards import AuditEntry

# Any constant: writers of the chain take turns.
CHAIN = 4_711_001


def record(
    what: str, *, who: User | None, object: str, detail: Mapping[str, Any], now: datetime
) -> None:
    """Append one entry, in the caller's transaction if there is one."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN])
        last = AuditEntry.objects.order_by("-id").first()
        entry = AuditEntry(
            at=now,
            who=who,
            what=what,
            object=object,
            detail=dict(detail),
            previous=last.digest if last else "",
        )
        entry.digest = seal(entry)
        entry.save(force_insert=True)


def seal(entry: AuditEntry) -> str:
    """SHA-256 over the entry and the digest before it."""
    text = json.dumps(
        [
            entry.previous,
            iso(entry.at),
            entry.who_id,
            entry.what,
            entry.object,
            entry.detail,
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()


def broken() -> list[int]:
    """Ids of entries that do not fit the chain."""
    found, previous = [], ""
    for entry in AuditEntry.objects.order_by("id").iterator(chunk_size=1000):
        if entry.previous != previous or entry.digest != seal(entry):
            found.append(entry.id)
        previous = entry.digest
    return found
