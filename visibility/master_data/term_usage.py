"""Which words an order was told with, and which of them nobody has given a meaning. Derived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from connectors.sdk.events import EventType
from visibility.models.master import WordUse, same
from visibility.storage import dictionary as meanings
from visibility.timeline import Spoken, Timeline
from visibility.timeline.dictionary import Dictionary

# (table, source, word, ours, unmapped)
Name = tuple[str, str, str, str, bool]


@dataclass(slots=True)
class Use:
    """One word in one order."""

    raw: str
    first_at: datetime
    last_at: datetime
    about: str = ""
    messages: set[int] = field(default_factory=set)


def note_words(timelines: Mapping[int, Timeline]) -> None:
    """Write the words of these orders anew; nothing where no words are looked up."""
    known = meanings.state()
    if not known or not timelines:
        return
    rows = [
        _row(order_id, name, use)
        for order_id, timeline in timelines.items()
        for name, use in used(timeline, known).items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM visibility_worduse WHERE order_id = ANY(%s)", [sorted(timelines)]
        )
    WordUse.objects.bulk_create(rows)


def used(timeline: Timeline, known: meanings.State) -> dict[Name, Use]:
    """The words of one order, as its fold understood them."""
    dictionary = timeline.dictionary
    found: dict[Name, Use] = {}
    for entry in timeline.entries:
        spoken = entry.spoken
        if entry.superseded:
            continue
        for table, word, about in meanings.words_of(spoken):
            if not word.strip() or not known.looks(table, spoken.source):
                continue
            if table == "status" and not _read(spoken, word, dictionary):
                continue
            at = spoken.occurred_at
            ours = dictionary.ours(table, spoken.source, word, at=at)
            name = (table, spoken.source, same(word)[:250], same(ours or "")[:250], ours is None)
            use = found.setdefault(name, Use(word[:250], at, at))
            use.first_at, use.last_at = min(use.first_at, at), max(use.last_at, at)
            use.about = use.about or about[:300]
            use.messages.add(spoken.message_id)
    return found


def _read(spoken: Spoken, word: str, dictionary: Dictionary) -> bool:
    """Whether a status word matters: its connector did not know it, or somebody mapped it."""
    names = {("status", spoken.source, word), ("status", "", word)}
    return spoken.event.type is EventType.UNMAPPED or not names.isdisjoint(dictionary.words)


def _row(order_id: int, name: Name, use: Use) -> WordUse:
    table, source, word, ours, unmapped = name
    return WordUse(
        order_id=order_id,
        table=table,
        source=source,
        word=word,
        raw=use.raw,
        about=use.about,
        ours=ours,
        unmapped=unmapped,
        first_at=use.first_at,
        last_at=use.last_at,
        messages=len(use.messages),
    )
