"""Discard parked messages: they are not processed, and no longer count as parked. Undo it."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db import bulk
from visibility.db.change_feed import append_changes
from visibility.ingest.record_message_decision import record_message_decision
from visibility.models.message_bodies import BODY_IS_REMOVED
from visibility.models.parked_message_decisions import MessageDiscard

DISCARD = """
UPDATE visibility_inbound_message SET state = 'discarded'
WHERE id = ANY(%s) AND state = 'parked' RETURNING id, source_id
"""
# Without its body, a message could not be replayed; it stays discarded.
RESTORE = f"""
UPDATE visibility_inbound_message m SET state = 'parked'
WHERE m.id = ANY(%s) AND m.state = 'discarded' AND NOT {BODY_IS_REMOVED}
RETURNING m.id, m.source_id
"""  # noqa: S608  # constant SQL


def discard_parked_messages(
    message_ids: Sequence[int], *, why: str, by: User, now: datetime
) -> MessageDiscard | None:
    """Discard these messages; None if none of them is parked. Events read from them stay."""
    with transaction.atomic():
        discarded = _update_states(DISCARD, message_ids)
        if not discarded:
            return None
        ids = sorted(discarded)
        discard = MessageDiscard.objects.create(
            discarded_at=now, discarded_by=by, why=why, message_ids=ids
        )
        _record("message.discard", discard, discarded, by=by, now=now)
    return discard


def undo_discard(discard_id: int, *, by: User, now: datetime) -> list[int] | None:
    """Park the messages of a discard as before; return their IDs. None if it is already undone.

    Messages whose body retention has removed stay discarded. If that is all of them, nothing is
    undone.
    """
    with transaction.atomic():
        discard = (
            MessageDiscard.objects.select_for_update(no_key=True)
            .filter(pk=discard_id, undone_at=None)
            .first()
        )
        if discard is None:
            return None
        restored = _update_states(RESTORE, discard.message_ids)
        if restored:
            discard.undone_at, discard.undone_by = now, by
            discard.save(update_fields=["undone_at", "undone_by"])
            _record("message.discard_undone", discard, restored, by=by, now=now)
    return sorted(restored)


def _update_states(statement: str, message_ids: Sequence[int]) -> dict[int, int]:
    """Run the statement; {message ID: source ID} of the messages that it changed."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(statement, [list(message_ids)])
        return dict(cursor.fetchall())


def _record(
    action: str, discard: MessageDiscard, changed: dict[int, int], *, by: User, now: datetime
) -> None:
    record_message_decision(action, changed, by=by, now=now, discard=discard.pk, why=discard.why)
    append_changes({"source": sorted(set(changed.values()))})
