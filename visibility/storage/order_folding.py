"""Fold orders from their stored events and the master data that the events need."""

from collections.abc import Collection, Iterable
from datetime import datetime

from visibility.storage import load_needed_master_data as meanings
from visibility.storage.load_events import OrderIdsAndTimesByEvent, load_key_and_events_by_order
from visibility.timeline import RecordedEvent, Timeline, fold
from visibility.timeline.master_data_dictionary import EMPTY_DICTIONARY, MasterDataDictionary


def load_and_fold_orders(
    order_ids: Collection[int],
    *,
    as_of: datetime,
    known_at: datetime | None = None,
    linked: OrderIdsAndTimesByEvent | None = None,
) -> dict[int, Timeline]:
    """Return the timeline of each order, by object id. `linked`: its events, if already found."""
    events_by_order = load_key_and_events_by_order(order_ids, linked)
    dictionary = load_dictionary_for_events(
        event for _, events in events_by_order.values() for event in events
    )
    return {
        order_id: fold(events, key=key, as_of=as_of, known_at=known_at, dictionary=dictionary)
        for order_id, (key, events) in events_by_order.items()
    }


def load_dictionary_for_events(events: Iterable[RecordedEvent]) -> MasterDataDictionary:
    """Load the dictionary for these events: 1 statement, or 3 if there is master data."""
    scope = meanings.load_looked_up_and_governed_vocabularies()
    return meanings.load_dictionary(events, scope) if scope else EMPTY_DICTIONARY
