"""Derive which external terms the events of an order used, and which have no mapping."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from connectors.sdk.events import EventType
from visibility.db import bulk
from visibility.models.master import TermUsage, normalize_term
from visibility.storage import load_needed_master_data as meanings
from visibility.timeline import RecordedEvent, Timeline
from visibility.timeline.master_data_dictionary import MasterDataDictionary

DELETE = "DELETE FROM visibility_termusage WHERE order_id = ANY(%s)"
# (kind, source, term, canonical, unmapped)
UsageKey = tuple[str, str, str, str, bool]


@dataclass(slots=True)
class TermUsageInOrder:
    """The usage of one term in one order."""

    raw: str
    first_at: datetime
    last_at: datetime
    description: str = ""
    messages: set[int] = field(default_factory=set)


def replace_term_usage_of_orders(
    timelines: Mapping[int, Timeline], last_writes: bulk.CombinedWrites
) -> None:
    """Rewrite the term usage of these orders. Without any, rows are deleted by `last_writes`."""
    if not timelines:
        return
    state = meanings.load_looked_up_and_governed_vocabularies()
    rows = [
        _term_usage_row(order_id, key, use)
        for order_id, timeline in timelines.items()
        for key, use in collect_term_usage_of_timeline(timeline, state).items()
    ]
    if not rows:
        last_writes.add(DELETE, sorted(timelines))
        return
    with connection.cursor() as cursor:
        cursor.execute(DELETE, [sorted(timelines)])
    TermUsage.objects.bulk_create(rows)


def collect_term_usage_of_timeline(
    timeline: Timeline, state: meanings.LookedUpAndGovernedVocabularies
) -> dict[UsageKey, TermUsageInOrder]:
    """The terms of one order, translated with the dictionary of its timeline."""
    dictionary = timeline.dictionary
    uses: dict[UsageKey, TermUsageInOrder] = {}
    for entry in timeline.entries:
        event = entry.recorded
        is_unmapped = event.event.type is EventType.UNMAPPED
        if entry.superseded or not (state or is_unmapped):
            continue
        for kind, term, description in meanings.external_terms_of_event(event):
            # A status that the connector does not know must be mapped, whether or not any is.
            is_used = state.is_looked_up(kind, event.source) or (kind == "status" and is_unmapped)
            if not term.strip() or not is_used:
                continue
            if kind == "status" and not _is_unknown_or_mapped_status(event, term, dictionary):
                continue
            at = event.occurred_at
            canonical = dictionary.canonical_term(kind, event.source, term, at=at)
            if kind == "status" and is_unmapped and canonical == term:
                canonical = None  # no event type
            key = (
                kind,
                event.source,
                normalize_term(term)[:250],
                normalize_term(canonical or "")[:250],
                canonical is None,
            )
            use = uses.setdefault(key, TermUsageInOrder(term[:250], at, at))
            use.first_at, use.last_at = min(use.first_at, at), max(use.last_at, at)
            use.description = use.description or description[:300]
            use.messages.add(event.message_id)
    return uses


def _is_unknown_or_mapped_status(
    event: RecordedEvent, term: str, dictionary: MasterDataDictionary
) -> bool:
    """Whether to record a status: the connector did not know it, or it has a mapping."""
    names = {("status", event.source, term), ("status", "", term)}
    return event.event.type is EventType.UNMAPPED or not names.isdisjoint(dictionary.mappings)


def _term_usage_row(order_id: int, key: UsageKey, use: TermUsageInOrder) -> TermUsage:
    kind, source, term, canonical, unmapped = key
    return TermUsage(
        order_id=order_id,
        kind=kind,
        source=source,
        term=term,
        raw=use.raw,
        description=use.description,
        canonical=canonical,
        unmapped=unmapped,
        first_at=use.first_at,
        last_at=use.last_at,
        messages=len(use.messages),
    )
