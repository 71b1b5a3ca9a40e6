"""Whether every feed speaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from visibility.boards.tile import Tile
from visibility.models import Refusal, Source, silent_since
from visibility.screens.sources.labels import TONES, State

SHOWN = 40
MANY_PARKED = 1_000
LAST = """
SELECT source.id, last.received_at, parked.many
FROM visibility_source source
LEFT JOIN LATERAL (
    SELECT received_at FROM visibility_inbound_message
    WHERE source_id = source.id ORDER BY received_at DESC LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS many FROM (
        SELECT 1 FROM visibility_inbound_message
        WHERE source_id = source.id AND state = 'parked' LIMIT %s
    ) AS counted
) AS parked ON true
"""


@dataclass(frozen=True, slots=True)
class Feed:
    """One source: its state, its last word, how many of its messages are parked."""

    title: str
    slug: str
    state: State
    last_at: datetime | None
    parked: int

    @property
    def tone(self) -> str:
        """The status tone of its state."""
        return TONES[self.state]


class SourcesStrip(Tile):
    """One chip a source, the worst first, in the words of the page of the sources."""

    code = "source_health"
    title = "Sources"
    kinds = ("source", "order")
    href = "/sources"

    def data(self, now: datetime) -> Mapping[str, Any]:
        """Three statements."""
        with connection.cursor() as cursor:
            cursor.execute(LAST, [MANY_PARKED])
            heard = {number: (last, parked) for number, last, parked in cursor.fetchall()}
        refused = dict(
            Refusal.objects.filter(last_at__gte=now - timedelta(hours=1)).values_list(
                "slug", "last_at"
            )
        )
        feeds = []
        for source in Source.objects.order_by("title", "slug")[:SHOWN]:
            last, parked = heard.get(source.pk, (None, 0))
            word = state(source, last=last, refused=refused.get(source.slug), now=now)
            feeds.append(Feed(source.title, source.slug, word, last, parked))
        worst = list(State)
        return {
            "feeds": sorted(feeds, key=lambda feed: (worst.index(feed.state), feed.title.lower())),
            "speaking": sum(feed.state is State.LIVE for feed in feeds),
            "many_parked": MANY_PARKED,
            "now": now,
        }


def state(
    source: Source, *, last: datetime | None, refused: datetime | None, now: datetime
) -> State:
    """A feed's state in one word, judged as the page of the sources does."""
    if not source.enabled:
        return State.PAUSED
    if source.poll_error or (refused and (last is None or refused > last)):
        return State.FAILING
    if last is None:
        return State.WAITING
    return State.SILENT if silent_since(source, last, now) else State.LIVE
