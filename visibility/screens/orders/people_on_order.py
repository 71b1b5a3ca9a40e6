"""What people did about an order: notes, watches, and the history of its alerts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Coalesce

from visibility.models import AlertEntry, Order, OrderMention, OrderNote, OrderWatch

NOTES_PER_PAGE = 200
MAX_ENTRIES = 200
EARLIER = "Earlier alert history is on the pages of the alerts"
# What an entry of an alert's history says on the page of its order, and its tone.
ENTRY_LABELS = {
    "opened": ("Alert opened", "late"),
    "reopened": ("Alert reopened", "late"),
    "acknowledged": ("Alert acknowledged", "running"),
    "assigned": ("Alert assigned", "running"),
    "snoozed": ("Alert snoozed", "waiting"),
    "woke": ("Snooze ended", "waiting"),
    "noted": ("Note on alert", "running"),
    "escalated": ("Alert escalated", "late"),
    "resolved": ("Alert resolved", "ok"),
    "withdrawn": ("Alert withdrawn", "ok"),
    "undone": ("Alert action undone", "running"),
}


@dataclass(frozen=True, slots=True)
class NotePage:
    """The notes of a page, the newest first. `first`: the position of the first one, from 1."""

    notes: tuple[OrderNote, ...]
    total: int
    number: int

    @property
    def first(self) -> int:
        return (self.number - 1) * NOTES_PER_PAGE + 1

    @property
    def last(self) -> int:
        """The position of the last note of the page."""
        return self.first + len(self.notes) - 1


@dataclass(frozen=True, slots=True)
class TeamEntry:
    """A note or an entry of an alert's history. `person` is empty if Throughline did it."""

    at: datetime
    title: str
    text: str
    person: str
    tone: str
    url: str
    is_note: bool = False


def person_name(user: User) -> str:
    """The full name, or else the username."""
    return user.get_full_name() or user.get_username()


def order_or_merged_into_it(order_id: int) -> Q:
    """What was written on the order, or on an order that was merged into it."""
    return Q(order_id=order_id) | Q(order__merged_into_id=order_id)


def order_notes(order_id: int) -> QuerySet[OrderNote]:
    """The notes on an order, newest first, with their authors and mentions."""
    rows = OrderNote.objects.filter(order_or_merged_into_it(order_id))
    rows = rows.select_related("user").prefetch_related("mentions__user")
    return rows.order_by("-at", "-pk")


def load_note_page(order_id: int, *, until: datetime, number: int = 1) -> NotePage:
    """A page of the notes; one statement, and one more if there are several pages."""
    rows, start = order_notes(order_id).filter(at__lte=until), (number - 1) * NOTES_PER_PAGE
    notes = tuple(rows[start : start + NOTES_PER_PAGE])
    is_only_page = number == 1 and len(notes) < NOTES_PER_PAGE
    return NotePage(notes, len(notes) if is_only_page else rows.count(), number)


def watchers(order_id: int) -> Sequence[User]:
    """The users who watch the order, the first one first, at most 50."""
    rows = OrderWatch.objects.filter(order_or_merged_into_it(order_id)).select_related("user")
    return list(dict.fromkeys(row.user for row in rows.order_by("since", "pk")[:50]))


def is_watched_by(order_id: int, user: User) -> bool:
    """Whether the user watches the order, or an order that was merged into it."""
    return OrderWatch.objects.filter(order_or_merged_into_it(order_id), user=user).exists()


def mentions_of_user(user: User) -> Sequence[OrderMention]:
    """The latest notes that mention the user, newest first."""
    rows = OrderMention.objects.filter(user=user)
    return list(rows.select_related("note__user", "note__order__order").order_by("-note__at")[:100])


def orders_watched_by(user: User) -> Sequence[Order]:
    """The orders that the user watches, the latest first; a merged order is its survivor."""
    watches = OrderWatch.objects.filter(user=user)
    survivor = Coalesce("order__merged_into_id", "order_id")
    latest = watches.values(survivor=survivor).annotate(latest=Max("since")).order_by("-latest")
    listed = latest.filter(survivor__in=Order.objects.values("pk"))
    order_ids = [row["survivor"] for row in listed[:100]]
    orders = Order.objects.in_bulk(order_ids)
    return [orders[order_id] for order_id in order_ids if order_id in orders]


def team_entries(
    order_id: int, notes: Sequence[OrderNote], *, until: datetime, contacts: bool
) -> tuple[TeamEntry, ...]:
    """What people and alert rules did, oldest first. One statement.

    `contacts`: the reader may see free text, which can name a person. The earliest entry of a
    longer history says that there is more.
    """
    rows = AlertEntry.objects.filter(alert__order_id=order_id, at__lte=until)
    rows = rows.select_related("alert", "user").order_by("-at", "-pk")[: MAX_ENTRIES + 1]
    entries = [_alert_entry(row, contacts=contacts) for row in rows]
    if len(entries) > MAX_ENTRIES:
        earlier = entries[MAX_ENTRIES]
        entries[MAX_ENTRIES] = replace(earlier, title=EARLIER, text="", person="", tone="unknown")
    entries += [_note_entry(note) for note in notes]
    return tuple(sorted(entries, key=lambda entry: entry.at))


def _alert_entry(row: AlertEntry, *, contacts: bool) -> TeamEntry:
    title, tone = ENTRY_LABELS.get(row.action, (f"Alert {row.action}", "running"))
    is_opening = row.action in {"opened", "reopened"}
    text = row.alert.title_with_age(row.at) if is_opening else row.text if contacts else ""
    person = person_name(row.user) if row.user else ""
    return TeamEntry(row.at, title, text, person, tone, f"/alerts/{row.alert_id}")


def _note_entry(note: OrderNote) -> TeamEntry:
    return TeamEntry(
        at=note.at,
        title="Note",
        text=note.text,
        person=person_name(note.user),
        tone="waiting",
        url=f"?tab=notes#note-{note.pk}",
        is_note=True,
    )
