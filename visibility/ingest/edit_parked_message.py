"""Store an edited copy of a parked message, and queue it. The original does not change."""

import hashlib
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from visibility.models import EditedMessage, InboundMessage, MessageState
from visibility.models.audit import append_audit_entry

# The copy has the receipt of the original, so that its source does not seem to have sent anything
# just now, and events without a time keep theirs. Its key is its own: it competes with no version.
STORE_COPY = """
WITH original AS (
    SELECT id, source_id, received_at, headers - 'content-encoding' - 'content-length' AS headers
    FROM visibility_inbound_message WHERE id = %(original)s
), copy AS (
    INSERT INTO visibility_inbound_message
        (source_id, received_at, dedupe_key, content_hash, headers, state)
    SELECT source_id, received_at, %(key)s, %(hash)s, headers, 'waiting' FROM original
    RETURNING id, source_id, received_at
), keyed AS (
    INSERT INTO visibility_messagekey
        (source_id, dedupe_key, content_hash, message_id, received_at, duplicate_count)
    SELECT source_id, %(key)s, %(hash)s, id, received_at, 0 FROM copy
)
INSERT INTO visibility_message_body (message_id, received_at, body)
SELECT id, received_at, %(body)s FROM copy RETURNING message_id
"""


class CannotBeEdited(ValueError):
    """No copy can be stored; the message says why."""


def store_edited_copy(
    message: InboundMessage, body: bytes, *, why: str, by: User, now: datetime
) -> EditedMessage:
    """Store a copy of a parked message with this body, to be processed. Raises CannotBeEdited."""
    with transaction.atomic():
        original = (
            InboundMessage.objects.select_for_update().defer("unmoved_body").get(pk=message.pk)
        )
        if original.state != MessageState.PARKED:
            raise CannotBeEdited("This message is not parked.")
        digest = hashlib.sha256(body).hexdigest()
        key = f"edited copy of message {original.pk} {digest}"
        if _is_stored(original.source_id, key):
            raise CannotBeEdited("A copy with this content is already stored.")
        values: dict[str, Any] = {
            "original": original.pk,
            "key": key,
            "hash": digest,
            "body": body,
        }
        with connection.cursor() as cursor:
            cursor.execute(STORE_COPY, values)
            (copy_id,) = cursor.fetchone()
        edited = EditedMessage.objects.create(
            message_id=copy_id, original_id=original.pk, edited_at=now, edited_by=by, why=why
        )
        append_audit_entry(
            "message.edited_copy",
            user=by,
            object=f"message {original.pk}",
            detail={"copy": copy_id, "why": why, "sha256": digest},
            now=now,
        )
    return edited


def _is_stored(source_id: int, key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM visibility_messagekey"
            " WHERE source_id = %s AND dedupe_key = %s)",
            [source_id, key],
        )
        return bool(cursor.fetchone()[0])
