"""The sentences at the top of the page for customers: what comes when, and whether it is late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from connectors.sdk.events import Attribute, Measure
from visibility.formatting import count_with_noun, format_date
from visibility.screens.tracking import dates_and_quantities as formats
from visibility.screens.tracking.parcels import Parcel
from visibility.timeline import MilestoneCode, Status, Timeline
from visibility.timeline.customer_answer import (
    ENDED_STATUSES,
    customer_status_sentence,
    is_on_its_way_back,
)
from visibility.timeline.model import parse_timestamp_or_none
from visibility.timeline.shipping_progress import is_complete
from visibility.timeline.shortage_clauses import customer_shortage_clauses

DELIVERED = frozenset({Status.DELIVERED, Status.COMPLETED})
# What is delivered is not shown of them: they ended, or nobody knows yet.
WITHOUT_DATES = ENDED_STATUSES | {Status.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Headline:
    """`text`: one or two sentences. `more`: further sentences. `is_late`: an apology is due."""

    text: str
    more: tuple[str, ...]
    is_late: bool


def headline_of(timeline: Timeline, parcels: Sequence[Parcel], zone: str) -> Headline:
    """The sentences about an order."""
    status = customer_status_sentence(timeline, zone)
    shortages = customer_shortage_clauses(timeline, zone)
    if timeline.status in WITHOUT_DATES or is_on_its_way_back(timeline):
        return Headline(f"{status}.", tuple(_sentence(text) for text in shortages), is_late=False)
    dates = _dates(timeline, parcels, zone)
    if timeline.status in DELIVERED:
        more = [*map(_sentence, shortages), *dates.promise_sentences]
        return Headline(f"{status}.", tuple(more), dates.is_late)
    lead = _lead(timeline, parcels, dates, zone)
    used = [text for text in shortages if "back-ordered" in text and lead.startswith("Waiting")]
    more = [_sentence(text) for text in shortages if text not in used]
    if not lead:
        lead = f"{status}."
    else:
        more.insert(0, f"{status}.")
    return Headline(lead, (*more, *dates.promise_sentences), dates.is_late)


@dataclass(frozen=True, slots=True)
class _Dates:
    """The promise and the expected dates. `new`: the date that replaces the first promise;
    `remaining`: that of the goods which are not shipped yet.
    """

    today: date
    due: date | None
    first: date | None
    expected: tuple[datetime, ...]
    delivered: date | None
    new: str
    remaining: str

    @property
    def is_late(self) -> bool:
        """Whether goods came, come or will come after the day of the first promise."""
        if self.first is None or self.due is None:
            return False
        if self.delivered:
            return self.delivered > self.first
        return bool(self.new or self.remaining) or self.today > self.due

    @property
    def promise_sentences(self) -> list[str]:
        """The day of the promise, and the first one if it was moved."""
        if self.due is None or self.first is None:
            return []
        if self.first == self.due:
            return [f"Promised for {format_date(self.due)}."]
        first = f"First promised for {format_date(self.first)}."
        return [f"Promised for {format_date(self.due)}.", first]


def _dates(timeline: Timeline, parcels: Sequence[Parcel], zone: str) -> _Dates:
    today = formats.day_of(timeline.as_of, zone)
    promised = parse_timestamp_or_none(timeline.attributes.get(Attribute.PROMISED_AT))
    due = formats.day_of(promised, zone) if promised else None
    original = timeline.first_promise_of_kind("first")
    first = min(
        filter(None, (due, formats.day_of(original.date, zone) if original else None)), default=None
    )
    delivered_at = timeline.milestone_completed_at(MilestoneCode.DELIVERED)
    expected = tuple(
        estimate
        for parcel in parcels
        if parcel.is_under_way
        for estimate in parcel.estimates
        if formats.day_of(estimate, zone) >= today
    )
    new = remaining = ""
    if first and not delivered_at:
        is_moved = bool(due and due > first and due >= today)
        if expected and formats.day_of(max(expected), zone) > first:
            new = formats.dates_or_span(expected, zone)
        elif due and is_moved and not expected:
            new = format_date(due)
        elif due and is_moved and not is_complete(timeline, Measure.SHIPPED):
            remaining = format_date(due)
    return _Dates(
        today,
        due,
        first,
        expected,
        formats.day_of(delivered_at, zone) if delivered_at else None,
        new,
        remaining,
    )


def _lead(timeline: Timeline, parcels: Sequence[Parcel], dates: _Dates, zone: str) -> str:
    """The first sentences of an order that is not delivered; "" if its status says it all."""
    delivered = sum(parcel.is_delivered for parcel in parcels)
    arrives = _arrives(dates, zone, is_silent=any(p.silence for p in parcels if p.is_under_way))
    lead = ""
    if 0 < delivered < len(parcels):
        lead = f"{delivered} of {count_with_noun(len(parcels), 'parcel')} delivered."
    under_way = [parcel for parcel in parcels if parcel.is_under_way]
    clause = next(iter(customer_shortage_clauses(timeline, zone)), "")
    if not under_way and not delivered and "back-ordered" in clause:
        waiting = clause.replace(" back-ordered", "", 1)
        lead = f"Waiting for stock: {waiting}."
    if dates.new:
        return f"{lead} Delayed, new date {dates.new}.".strip()
    if dates.remaining:
        first = f"What was shipped {arrives[0].lower()}{arrives[1:]}."
        return f"{lead} {first} The rest is delayed, new date {dates.remaining}.".strip()
    if dates.is_late:
        return f"{lead} Delayed, no new date is known yet.".strip()
    if arrives and lead:
        return f"{lead} The next {arrives[0].lower()}{arrives[1:]}."
    if arrives and is_complete(timeline, Measure.SHIPPED):
        return f"{arrives}."
    return lead or (f"What was shipped {arrives[0].lower()}{arrives[1:]}." if arrives else "")


def _arrives(dates: _Dates, zone: str, *, is_silent: bool) -> str:
    """`Arrives Thu, Nov 19`; without news from the carrier only what was expected."""
    if not dates.expected:
        return ""
    span = formats.dates_or_span(dates.expected, zone)
    if is_silent:
        return f"Was last expected {span}"
    is_today = span == format_date(dates.today)
    return f"Arrives {'today, ' if is_today else ''}{span}"


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:] + "."
