"""Contradictions that wait: the side that would settle them is silent, or not yet read.

The fold knows of no feeds: what it calls a contradiction is held back here, as alerts are, where it
is shown. It is one after all once the feed has spoken and been read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from visibility.formatting import clock
from visibility.models import Source, silent_since
from visibility.timeline import Conflict, Timeline
from visibility.timeline.enums import State

# What waits for a moment only is about to be read.
UNREAD = timedelta(seconds=5)
HEARD = """
SELECT source.id, (
    SELECT received_at FROM visibility_inbound_message
    WHERE source_id = source.id ORDER BY received_at DESC LIMIT 1
), (
    SELECT min(received_at) FROM visibility_inbound_message
    WHERE source_id = source.id AND state = 'waiting'
)
FROM visibility_source source WHERE source.id = ANY(%s)
"""

# Some side that is behind has had its chance to follow, or is behind nobody.
STANDS = """
EXISTS (SELECT FROM visibility_conflict conflict
    WHERE conflict.order_id = visibility_order.object_id AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(conflict.claims) AS claim (source text, at timestamptz)
        JOIN unnest(%s::text[], %s::timestamptz[], %s::boolean[]) AS gap (slug, since, unread)
            ON gap.slug = claim.source
        WHERE (gap.unread OR gap.since < conflict.opened_at) AND claim.at < (
            SELECT max(told.at) FROM jsonb_to_recordset(conflict.claims) AS told (at timestamptz)
        )
    ))
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Since when we know nothing new of a source, and why."""

    title: str
    since: datetime
    unread: bool

    @property
    def words(self) -> str:
        """`ERP, silent since 2 Mar 09:12`."""
        why = "not read" if self.unread else "silent"
        return f"{self.title}, {why} since {clock(self.since)}"


@dataclass(frozen=True, slots=True)
class Held:
    """A contradiction that is none yet, and whom it waits for."""

    conflict: Conflict
    gaps: tuple[Gap, ...]


def hold(timeline: Timeline, *, now: datetime) -> tuple[Timeline, tuple[Held, ...]]:
    """The timeline as it may be shown now, and what was held back; two statements, or none."""
    if not timeline.conflicts:
        return timeline, ()
    slugs = {claim.source for c in timeline.conflicts for claim in c.claims}
    gaps = _gaps(Source.objects.filter(slug__in=slugs), now)
    held = tuple(
        Held(conflict, found)
        for conflict in timeline.conflicts
        if (found := _waits_for(conflict, gaps))
    )
    kept = {(h.conflict.field, h.conflict.line_key) for h in held}
    still = tuple(c for c in timeline.conflicts if (c.field, c.line_key) not in kept)
    states = tuple(s for s in timeline.states if still or s is not State.CONFLICT)
    waiting = (*timeline.waiting, *(h.conflict for h in held))
    return replace(timeline, conflicts=still, waiting=waiting, states=states), held


def contradicting(*, now: datetime) -> Q:
    """The orders with a contradiction that is not held; two statements more."""
    marked = Q(states__contains=[State.CONFLICT.value])
    gaps = _gaps(Source.objects.all(), now)
    if not gaps:
        return marked
    told = [list(gaps), [g.since for g in gaps.values()], [g.unread for g in gaps.values()]]
    return marked & Q(RawSQL(STANDS, told, output_field=BooleanField()))  # noqa: S611  # our own words


def _waits_for(conflict: Conflict, gaps: Mapping[str, Gap]) -> tuple[Gap, ...]:
    """Those whose last word about it is not the newest, and who have had no chance since."""
    newest = max(claim.at for claim in conflict.claims)
    behind = (gaps.get(claim.source) for claim in conflict.claims if claim.at < newest)
    return tuple(g for g in behind if g and (g.unread or g.since < conflict.opened_at))


def _gaps(among: QuerySet[Source], now: datetime) -> dict[str, Gap]:
    sources = list(among.filter(enabled=True))
    with connection.cursor() as cursor:
        cursor.execute(HEARD, [[source.pk for source in sources]])
        heard = {number: (last, unread) for number, last, unread in cursor.fetchall()}
    found = {}
    for source in sources:
        last, unread = heard[source.pk]
        silent = silent_since(source, last, now)
        if unread and now - unread > UNREAD:
            found[source.slug] = Gap(source.title, unread, unread=True)
        elif silent:
            found[source.slug] = Gap(source.title, silent, unread=False)
    return found
