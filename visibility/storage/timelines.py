"""Orders folded from what is kept: their events, read with the master data they need."""

from collections.abc import Collection, Iterable
from datetime import datetime

from visibility.storage import dictionary as meanings
from visibility.storage.events import spoken_of
from visibility.timeline import Spoken, Timeline, fold
from visibility.timeline.dictionary import NOTHING, Dictionary


def folded(
    order_ids: Collection[int], *, as_of: datetime, known_at: datetime | None = None
) -> dict[int, Timeline]:
    """The timeline of each order, by its object id."""
    spoken = spoken_of(order_ids)
    dictionary = dictionary_of(event for _, events in spoken.values() for event in events)
    return {
        order_id: fold(events, key=key, as_of=as_of, known_at=known_at, dictionary=dictionary)
        for order_id, (key, events) in spoken.items()
    }


def dictionary_of(events: Iterable[Spoken]) -> Dictionary:
    """What the words of these events mean: one statement, three where there is master data."""
    known = meanings.state()
    return meanings.dictionary_of(events, known) if known else NOTHING
