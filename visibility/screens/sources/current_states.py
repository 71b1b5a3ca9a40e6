"""The current state of the sources, for boards: five statements at most for any number of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Max

from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.models import RejectedRequestCount, Source
from visibility.screens.sources.role_and_state_labels import STATE_TONES, SourceState
from visibility.screens.sources.state import (
    REJECTED_WITHIN,
    LatestReceiptAndRejection,
    source_state_and_reason,
)

# More sources than this are not counted one by one on a board.
MAX_SOURCES = 200
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


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """How many sources there are, without the paused ones, and how many of them report."""

    reporting: int
    expected: int

    @property
    def all_report(self) -> bool:
        """Whether there are sources and all of them report."""
        return 0 < self.expected == self.reporting


def load_source_chips(now: datetime, *, limit: int = MAX_SOURCES) -> list[SourceChip]:
    """The first sources by title."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST_MESSAGES, [MANY_PARKED])
        latest = {number: (last, parked) for number, last, parked in cursor.fetchall()}
    recent_rejections = RejectedRequestCount.objects.filter(last_at__gte=now - REJECTED_WITHIN)
    rejected = dict(recent_rejections.values_list("slug").annotate(Max("last_at")))
    chips = []
    sources = list(Source.objects.order_by("title", "slug")[:limit])
    evidence = load_source_evidence(sources, now)
    for source in sources:
        last, parked = latest.get(source.pk, (None, 0))
        latest_traffic = LatestReceiptAndRejection(last, rejected.get(source.slug))
        state, _ = source_state_and_reason(source, latest_traffic, evidence.get(source.pk), now)
        chips.append(SourceChip(source.title, source.slug, state, last, parked))
    return chips


def count_sources(chips: Sequence[SourceChip]) -> SourceCounts:
    """Count the sources that report; a paused source is not expected to."""
    expected = [chip for chip in chips if chip.state is not SourceState.PAUSED]
    return SourceCounts(sum(chip.state is SourceState.LIVE for chip in expected), len(expected))
