"""The current state of the sources, for boards: five statements at most for any number of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.db.data_scope import limited_to
from visibility.models import RejectedRequestCount, Source
from visibility.screens.sources.role_and_state_labels import STATE_TONES, SourceState
from visibility.screens.sources.state import (
    REJECTED_WITHIN,
    LatestReceiptAndRejection,
    source_state_and_reason,
)
from visibility.storage.count_parked_messages import count_parked_messages

# More sources than this are not counted one by one on a board.
MAX_SOURCES = 200
MANY_PARKED = 1_000


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


@limited_to(None)  # when a source reported is no secret of any order
def load_source_chips(now: datetime, *, limit: int = MAX_SOURCES) -> list[SourceChip]:
    """The first sources by title."""
    recent_rejections = RejectedRequestCount.objects.filter(last_at__gte=now - REJECTED_WITHIN)
    rejected = dict(recent_rejections.values_list("slug").annotate(Max("last_at")))
    chips = []
    sources = list(Source.objects.filter(archived_at=None).order_by("title", "slug")[:limit])
    evidence = load_source_evidence(sources, now)
    parked = count_parked_messages([source.pk for source in sources], limit=MANY_PARKED)
    for source in sources:
        known = evidence.get(source.pk)
        last = known.last_message_at if known else None
        latest_traffic = LatestReceiptAndRejection(last, rejected.get(source.slug))
        state, _ = source_state_and_reason(source, latest_traffic, known, now)
        chips.append(SourceChip(source.title, source.slug, state, last, parked.get(source.pk, 0)))
    return chips


def count_sources(chips: Sequence[SourceChip]) -> SourceCounts:
    """Count the sources that report; a paused source is not expected to."""
    expected = [chip for chip in chips if chip.state is not SourceState.PAUSED]
    return SourceCounts(sum(chip.state is SourceState.LIVE for chip in expected), len(expected))
