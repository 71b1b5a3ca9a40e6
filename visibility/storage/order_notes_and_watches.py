"""Write notes on orders, and who watches them: each with its audit entry and change number."""

import re
from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from visibility.db.change_feed import append_changes
from visibility.models.audit import append_audit_entry
from visibility.models.order_notes import OrderMention, OrderNote, OrderWatch

MAX_NOTE = 4_000
MAX_MENTIONS = 20
# `@ana.reyes`, not the middle of an email address.
MENTION = re.compile(r"(?<![\w@.])@([\w+-][\w.@+-]{0,148}[\w+-]|[\w+-])")


class NoteRejected(ValueError):
    """The note cannot be added; the message is a sentence for the user."""


def mentioned_usernames(text: str) -> list[str]:
    """The names after an @, each once, in order."""
    return list(dict.fromkeys(match[1] for match in MENTION.finditer(text)))


def find_mentioned(text: str, mentionable: Iterable[User]) -> list[User]:
    """The `mentionable` users that a note names, each once. Raises NoteRejected."""
    names = mentioned_usernames(text)
    if len(names) > MAX_MENTIONS:
        raise NoteRejected(f"A note can mention at most {MAX_MENTIONS} people.")
    by_name = {user.get_username().casefold(): user for user in mentionable}
    known = [by_name[name.casefold()] for name in names if name.casefold() in by_name]
    return list({user.pk: user for user in known}.values())


def add_order_note(
    order_id: int, *, by: User, text: str, mentionable: Iterable[User], now: datetime
) -> OrderNote:
    """Add a note, and a mention of each of the `mentionable` users that it names.

    Another name after an @ stays text. Raises NoteRejected.
    """
    text = text.strip()
    if not text:
        raise NoteRejected("Enter a note.")
    if len(text) > MAX_NOTE:
        raise NoteRejected(f"A note can have at most {MAX_NOTE:,} characters.")
    mentioned = find_mentioned(text, mentionable)
    with transaction.atomic():
        note = OrderNote.objects.create(order_id=order_id, at=now, user=by, text=text)
        OrderMention.objects.bulk_create([OrderMention(note=note, user=user) for user in mentioned])
        append_audit_entry(
            "order.noted",
            user=by,
            object=f"order {order_id}",
            detail={"note": note.pk, "mentions": sorted(user.pk for user in mentioned)},
            now=now,
        )
        append_changes({"order": [order_id]})
    return note


def report_wrong_event(
    order_id: int,
    *,
    event_id: int,
    by: User,
    heading: str,
    text: str,
    mentionable: Iterable[User],
    now: datetime,
) -> OrderNote:
    """Add a note that an event is wrong, with an audit entry of its own. Raises NoteRejected.

    `heading` names the event. Nothing is sent to its source.
    """
    if not text.strip():
        raise NoteRejected("Enter what is wrong.")
    with transaction.atomic():
        note = add_order_note(
            order_id, by=by, text=f"{heading}\n\n{text}", mentionable=mentionable, now=now
        )
        append_audit_entry(
            "order.event_reported_wrong",
            user=by,
            object=f"order {order_id}",
            detail={"event": event_id, "note": note.pk},
            now=now,
        )
    return note


def watch_order(order_id: int, *, by: User, now: datetime) -> bool:
    """Watch an order. False if the user watches it already."""
    with transaction.atomic():
        _, is_new = OrderWatch.objects.get_or_create(
            order_id=order_id, user=by, defaults={"since": now}
        )
        if is_new:
            _log_watch("order.watched", order_id, by, now)
    return is_new


def unwatch_order(order_id: int, *, by: User, now: datetime) -> bool:
    """Stop watching an order, and what was merged into it. False if the user did not watch it."""
    with transaction.atomic():
        watches = OrderWatch.objects.filter(user=by, order_id=order_id)
        watches |= OrderWatch.objects.filter(user=by, order__merged_into_id=order_id)
        deleted, _ = OrderWatch.objects.filter(
            pk__in=list(watches.values_list("pk", flat=True))
        ).delete()
        if deleted:
            _log_watch("order.unwatched", order_id, by, now)
    return bool(deleted)


def _log_watch(action: str, order_id: int, by: User, now: datetime) -> None:
    append_audit_entry(action, user=by, object=f"order {order_id}", detail={}, now=now)
    append_changes({"order": [order_id]})
