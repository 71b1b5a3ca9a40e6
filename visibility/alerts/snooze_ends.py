"""Snoozes that end with an event of the order, at its cut-off, or when working hours begin."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import DateTimeField, F, IntegerField, Q
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from visibility.formatting import format_timestamp
from visibility.models.alerts import Alert
from visibility.models.orders import Order
from visibility.models.rules_clocks_and_calendars import ClockState, SlaClock
from visibility.sla.calendar import InvalidCalendar
from visibility.sla.calendar_versions import load_calendar
from visibility.sla.cutoff_times import load_calendars_with_cutoffs, next_cutoff

MAX_SNOOZE = timedelta(days=90)


class SnoozeEnd(StrEnum):
    """What ends a snooze, other than a time that a person chose."""

    NEXT_EVENT = "next_event"  # of the order; after 90 days at the latest
    CUT_OFF = "cut_off"  # of the order's warehouse and carrier
    OPENING = "opening"  # of the calendar of the alert's rule


class NoSnoozeEnd(ValueError):
    """This end is not known for the alert; the message is a sentence for the user."""


def find_snooze_end(
    alert: Alert, end: SnoozeEnd, *, now: datetime
) -> tuple[datetime, dict[str, Any]]:
    """When the snooze of this alert ends, and what `Alert.snooze_end` stores about it.

    Raises NoSnoozeEnd.
    """
    if end is SnoozeEnd.OPENING:
        return _find_opening(alert, now)
    order = Order.objects.filter(pk=alert.order_id).first() if alert.order_id else None
    if order is None:
        raise NoSnoozeEnd("This alert is not about an order. Choose another end of the snooze.")
    if end is SnoozeEnd.CUT_OFF:
        return _find_cutoff(order, now)
    last = order.last_event_at
    seen = {"events": order.event_count, "last": last.isoformat() if last else None}
    return now + MAX_SNOOZE, {"kind": end.value, **seen}


def _find_cutoff(order: Order, now: datetime) -> tuple[datetime, dict[str, Any]]:
    applying = next_cutoff(
        load_calendars_with_cutoffs(), warehouse=order.warehouse, carrier=order.carrier, after=now
    )
    if applying is None:
        names = f"{order.warehouse or 'no warehouse'} and {order.carrier or 'no carrier'}"
        raise NoSnoozeEnd(f"No calendar names a cut-off for {names} in the next 14 days.")
    cut, at = applying
    text = f"{cut.title}, {format_timestamp(at, cut.zone)}"
    return at, {"kind": SnoozeEnd.CUT_OFF.value, "text": text}


def _find_opening(alert: Alert, now: datetime) -> tuple[datetime, dict[str, Any]]:
    if alert.rule is None:
        raise NoSnoozeEnd("This alert has no rule with working hours.")
    row = alert.rule.calendar
    try:
        at = load_calendar(row).next_opening(now)
    except InvalidCalendar:
        raise NoSnoozeEnd(
            f"Working hours of the calendar “{row.title}” do not begin: it is always open, "
            "or always closed."
        ) from None
    if at - now > MAX_SNOOZE:
        raise NoSnoozeEnd("Working hours begin in more than 90 days.")
    return at, {"kind": SnoozeEnd.OPENING.value, "text": row.title}


def snooze_has_ended(now: datetime) -> Q:
    """The condition for snoozed alerts that are to wake; the query needs `with_seen_events()`."""
    is_unchanged = Q(order__order__event_count=F("seen_events")) & (
        Q(order__order__last_event_at=F("seen_last"))
        | Q(order__order__last_event_at=None, seen_last=None)
    )
    has_event = Q(snooze_end__kind=SnoozeEnd.NEXT_EVENT.value) & ~is_unchanged
    return Q(snoozed_until__lte=now) | has_event


def seen_events() -> dict[str, Cast]:
    """The annotations for `snooze_has_ended()`: what the order had when it was snoozed."""
    return {
        "seen_events": Cast(KT("snooze_end__events"), IntegerField()),
        "seen_last": Cast(KT("snooze_end__last"), DateTimeField()),
    }


def wake_sentence(alert: Alert, *, now: datetime) -> str:
    """Why the snooze of an alert ended, and whether its condition still holds."""
    kind = alert.snooze_end.get("kind")
    text = str(alert.snooze_end.get("text", ""))
    reason = "The snooze ended."
    if kind == SnoozeEnd.CUT_OFF:
        reason = f"The snooze ended: the cut-off has passed ({text})."
    elif kind == SnoozeEnd.OPENING:
        reason = f"The snooze ended: working hours began ({text})."
    elif kind == SnoozeEnd.NEXT_EVENT and alert.snoozed_until and alert.snoozed_until <= now:
        reason = "The snooze ended: the order had no event for 90 days."
    elif kind == SnoozeEnd.NEXT_EVENT:
        order = Order.objects.filter(pk=alert.order_id).first()
        source = f", last from {order.last_source}" if order and order.last_source else ""
        reason = f"The snooze ended: the order has a new event{source}."
    return f"{reason} {_condition_sentence(alert)}"


def _condition_sentence(alert: Alert) -> str:
    """Whether the condition holds, as far as it is known."""
    if not alert.order_id or not alert.rule_id:
        return "The condition held when it was last evaluated."
    holds = SlaClock.objects.filter(
        order_id=alert.order_id,
        rule_id=alert.rule_id,
        subject_key=alert.subject_key,
        state=ClockState.BREACHED,
        stopped_at__isnull=True,
    ).exists()
    return "The condition still holds." if holds else "The condition no longer holds."
