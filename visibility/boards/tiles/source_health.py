"""The health of each source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Max

from connectors.sdk.settings import Setting, SettingType
from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.boards.tile import Tile
from visibility.models import RejectedRequestCount, Source
from visibility.screens.sources.role_and_state_labels import STATE_TONES, SourceState
from visibility.screens.sources.state import (
    REJECTED_WITHIN,
    LatestReceiptAndRejection,
    source_state_and_reason,
)

MANY_PARKED = 1_000
LATEST_MESSAGES = """
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
class SourceChip:
    """One source with its state, its last message, and its number of parked messages."""

    title: str
    slug: str
    state: SourceState
    last_at: datetime | None
    parked: int

    @property
    def tone(self) -> str:
        """The status tone of its state."""
        return STATE_TONES[self.state]


class SourceHealthTile(Tile):
    """One chip for each source, the worst first, with the states of the sources page."""

    code = "source_health"
    title = "Sources"
    kinds = ("source", "order")
    href = "/sources"
    settings = (
        Setting(
            "limit",
            "The number of sources, by title.",
            SettingType.INTEGER,
            default="40",
            minimum=1,
            maximum=200,
        ),
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load all sources with five SQL statements at most."""
        with connection.cursor() as cursor:
            cursor.execute(LATEST_MESSAGES, [MANY_PARKED])
            latest = {number: (last, parked) for number, last, parked in cursor.fetchall()}
        recent_rejections = RejectedRequestCount.objects.filter(last_at__gte=now - REJECTED_WITHIN)
        rejected = dict(recent_rejections.values_list("slug").annotate(Max("last_at")))
        feeds = []
        sources = list(Source.objects.order_by("title", "slug")[: self.values.integer("limit")])
        evidence = load_source_evidence(sources, now)
        for source in sources:
            last, parked = latest.get(source.pk, (None, 0))
            latest_traffic = LatestReceiptAndRejection(last, rejected.get(source.slug))
            chip_state, _ = source_state_and_reason(
                source, latest_traffic, evidence.get(source.pk), now
            )
            feeds.append(SourceChip(source.title, source.slug, chip_state, last, parked))
        worst = list(SourceState)
        return {
            "feeds": sorted(feeds, key=lambda feed: (worst.index(feed.state), feed.title.lower())),
            "reporting": sum(feed.state is SourceState.LIVE for feed in feeds),
            "many_parked": MANY_PARKED,
            "now": now,
        }
