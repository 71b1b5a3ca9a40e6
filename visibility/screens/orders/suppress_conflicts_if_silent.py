"""Suppress discrepancies while a source that could resolve them sends no data.

The fold does not know whether a source is late. So, like alerts, discrepancies are suppressed where
they are shown: until the source has reported on the time of the discrepancy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from visibility.alerts.load_source_evidence import load_source_evidence
from visibility.formatting import format_timestamp
from visibility.models import Source
from visibility.sla.source_evidence import SourceEvidence
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline, TimelineConflict
from visibility.timeline.state_and_flag_enums import OrderState

# Messages that wait for less than this are about to be processed.
PROCESSING_DELAY = timedelta(seconds=5)
# True if no claim of the discrepancy is outdated because its source is silent or unprocessed.
IS_NOT_SUPPRESSED = """
EXISTS (SELECT FROM visibility_conflict conflict
    WHERE conflict.order_id = visibility_order.object_id AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(conflict.claims) AS claim (source text, at timestamptz)
        JOIN unnest(%s::text[], %s::timestamptz[], %s::boolean[]) AS gap (slug, since, unread)
            ON gap.slug = claim.source
        WHERE (gap.unread OR gap.since < conflict.opened_at) AND claim.at < (
            SELECT max(latest.at)
            FROM jsonb_to_recordset(conflict.claims) AS latest (at timestamptz)
        )
    ))
"""


@dataclass(frozen=True, slots=True)
class FeedGap:
    """The time since when a source has no new data. `unread`: its messages are not processed."""

    title: str
    since: datetime
    is_unprocessed: bool

    @property
    def text(self) -> str:
        """`ERP, no data since Mon, Mar 2, 09:12`."""
        reason = "messages not processed" if self.is_unprocessed else "no data"
        return (
            f"{self.title}, {reason} since {format_timestamp(self.since, organization_time_zone())}"
        )


@dataclass(frozen=True, slots=True)
class SuppressedConflict:
    """A suppressed discrepancy and the sources it waits for."""

    conflict: TimelineConflict
    gaps: tuple[FeedGap, ...]


def split_suppressed_conflicts(
    timeline: Timeline, *, now: datetime
) -> tuple[Timeline, tuple[SuppressedConflict, ...]]:
    """The timeline without its suppressed discrepancies, and those; at most three statements."""
    if not timeline.conflicts:
        return timeline, ()
    slugs = {claim.source for c in timeline.conflicts for claim in c.claims}
    gaps = _feed_gaps_by_source_slug(Source.objects.filter(slug__in=slugs), now)
    suppressed = tuple(
        SuppressedConflict(conflict, outdated)
        for conflict in timeline.conflicts
        if (outdated := _gaps_behind_outdated_claims(conflict, gaps))
    )
    suppressed_keys = {(h.conflict.field, h.conflict.line_key) for h in suppressed}
    remaining = tuple(c for c in timeline.conflicts if (c.field, c.line_key) not in suppressed_keys)
    states = tuple(s for s in timeline.states if remaining or s is not OrderState.CONFLICT)
    pending = (*timeline.pending_conflicts, *(h.conflict for h in suppressed))
    return replace(
        timeline, conflicts=remaining, pending_conflicts=pending, states=states
    ), suppressed


def unsuppressed_conflict_condition(*, now: datetime) -> Q:
    """The condition for orders with a discrepancy that is not suppressed; three statements."""
    has_conflict = Q(states__contains=[OrderState.CONFLICT.value])
    gaps = _feed_gaps_by_source_slug(Source.objects.all(), now)
    if not gaps:
        return has_conflict
    parameters = [
        list(gaps),
        [g.since for g in gaps.values()],
        [g.is_unprocessed for g in gaps.values()],
    ]
    return has_conflict & Q(RawSQL(IS_NOT_SUPPRESSED, parameters, output_field=BooleanField()))  # noqa: S611  # constant SQL


def _gaps_behind_outdated_claims(
    conflict: TimelineConflict, gaps: Mapping[str, FeedGap]
) -> tuple[FeedGap, ...]:
    """The gaps of sources whose claim is not the newest and that could not report since."""
    newest = max(claim.at for claim in conflict.claims)
    behind = (gaps.get(claim.source) for claim in conflict.claims if claim.at < newest)
    return tuple(g for g in behind if g and (g.is_unprocessed or g.since < conflict.opened_at))


def _feed_gaps_by_source_slug(queryset: QuerySet[Source], now: datetime) -> dict[str, FeedGap]:
    sources = list(queryset.filter(enabled=True))
    evidence_by_id = load_source_evidence(sources, now)
    gaps = {}
    for source in sources:
        evidence = evidence_by_id[source.pk]
        unread = evidence.waiting_since
        if unread and now - unread > PROCESSING_DELAY:
            gaps[source.slug] = FeedGap(source.title, unread, is_unprocessed=True)
        elif since := _no_data_since(evidence):
            gaps[source.slug] = FeedGap(source.title, since, is_unprocessed=False)
    return gaps


def _no_data_since(evidence: SourceEvidence) -> datetime | None:
    """Since when the source may have reported nothing of what happened, or None."""
    if evidence.silence or evidence.reports_in_batches:
        return evidence.last_data_at
    return evidence.reports_until if evidence.is_catching_up else None
