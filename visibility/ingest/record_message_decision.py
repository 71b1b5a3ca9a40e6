"""The audit entry of a decision about several messages: a replay, its stop, a discard, its undo."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User

from visibility.models.audit import append_audit_entry

# An entry names the first messages; the decision itself stores all.
MAX_NAMED = 100


def record_message_decision(
    action: str, message_ids: Iterable[int], *, by: User | None, now: datetime, **detail: object
) -> None:
    """Append the entry, which counts the messages. `detail` names the decision."""
    ids = sorted(message_ids)
    append_audit_entry(
        action,
        user=by,
        object=f"{len(ids)} messages",
        detail={"ids": ids[:MAX_NAMED], "count": len(ids), **detail},
        now=now,
    )
