"""Sources as pages read them: is each feed alive, what came, how late, what waits or is parked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from connectors.catalog import systems
from connectors.sdk.connector import Role
from visibility.models.intake import Source, silent_since
from visibility.operations.message_counts import Balance, balances
from visibility.screens.sources.labels import REFUSED_WORDS, ROLES, TONES, State

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# The delay is that of the newest messages, so that it costs the same however much comes.
SAMPLE = 300
MESSAGES = """
SELECT source.id, newest.received_at, counted.hour, counted.day, delay.p50
FROM visibility_source source
LEFT JOIN LATERAL (
    SELECT received_at FROM visibility_inbound_message m
    WHERE m.source_id = source.id ORDER BY received_at DESC LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.received_at > %(hour)s) AS hour, count(*) AS day
    FROM visibility_inbound_message m WHERE m.source_id = source.id AND m.received_at > %(day)s
) counted ON true
LEFT JOIN LATERAL (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY event.received_at - event.occurred_at) AS p50
    FROM (
        SELECT m.id FROM visibility_inbound_message m
        WHERE m.source_id = source.id AND m.received_at > %(day)s
        ORDER BY m.received_at DESC LIMIT %(sample)s
    ) sampled JOIN visibility_event event ON event.message_id = sampled.id
        AND event.occurred_at >= source.created_at  -- what was before we listened is history
) delay ON true
WHERE source.id = ANY(%(sources)s)
"""
HOURS = """
SELECT m.source_id, floor(extract(epoch FROM %(now)s - m.received_at) / 3600)::int AS back, count(*)
FROM visibility_inbound_message m
WHERE m.source_id = ANY(%(sources)s) AND m.received_at > %(day)s AND m.received_at <= %(now)s
GROUP BY 1, 2
"""
STANDING = """
SELECT source_id, state, count(*), min(received_at) FROM visibility_inbound_message
WHERE state IN ('waiting', 'parked') AND source_id = ANY(%s) GROUP BY 1, 2
"""
REPEATS = """
SELECT source_id, sum(repeats) FROM visibility_messagekey
WHERE repeats > 0 AND source_id = ANY(%s) GROUP BY 1
"""
REFUSED = """
SELECT slug, sum(count), max(last_at), mode() WITHIN GROUP (ORDER BY status)
FROM visibility_refusal WHERE hour > %s AND slug = ANY(%s) GROUP BY slug
"""


@dataclass(frozen=True, slots=True)
class Health:
    """One source and how it is."""

    source: Source
    system: str
    state: State
    why: str
    last_at: datetime | None
    expected_at: datetime | None
    last_hour: int
    last_day: int
    hours: Sequence[int]
    delay: timedelta | None
    parked: int
    parked_since: datetime | None
    waiting: int
    duplicates: int
    refused: int

    @property
    def tone(self) -> str:
        """The status tone of its state."""
        return TONES[self.state]

    @property
    def spark(self) -> str:
        """Points of the 24 h line in a box of 96 by 24, oldest left."""
        top = max(self.hours, default=0) or 1
        return " ".join(
            f"{place * 96 / 23:.1f},{23 - count / top * 21:.1f}"
            for place, count in enumerate(self.hours)
        )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the stages have before them."""

    waiting: int
    oldest: datetime | None
    parked: int
    applied: int


@dataclass(slots=True)
class _Counts:
    last_at: datetime | None = None
    hour: int = 0
    day: int = 0
    delay: timedelta | None = None
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    parked: int = 0
    parked_since: datetime | None = None
    waiting: int = 0
    repeats: int = 0
    refused: int = 0
    refused_at: datetime | None = None
    refused_status: int = 0


def health(now: datetime, sources: Iterable[Source] | None = None) -> list[Health]:
    """Every source (or these) and how it is, the worst first: six queries."""
    wanted = list(Source.objects.order_by("title", "slug")[:500] if sources is None else sources)
    counts = _counts(wanted, now)
    found = [_health(source, counts[source.id], now) for source in wanted]
    order = list(State)
    return sorted(
        found, key=lambda h: (order.index(h.state), -h.parked, h.source.title.lower(), h.source.id)
    )


def balance(source: Source) -> Balance:
    """The fates of everything accepted from a source."""
    return balances([source.id])[source.id]


def pipeline(now: datetime) -> Pipeline:
    """What waits and what was done in the last minute (of the newest 20 000 messages)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM visibility_inbound_message WHERE state = 'waiting'),
                (SELECT min(received_at) FROM visibility_inbound_message WHERE state = 'waiting'),
                (SELECT count(*) FROM visibility_inbound_message WHERE state = 'parked'),
                (SELECT count(*) FROM (
                    SELECT state, processed_at FROM visibility_inbound_message
                    ORDER BY id DESC LIMIT 20000
                ) newest WHERE state = 'applied' AND processed_at > %s)
            """,
            [now - timedelta(minutes=1)],
        )
        return Pipeline(*cursor.fetchone())


def _counts(sources: Sequence[Source], now: datetime) -> dict[int, _Counts]:
    ids = [source.id for source in sources]
    found = {source_id: _Counts() for source_id in ids}
    named = {source.slug: found[source.id] for source in sources}
    asked: dict[str, Any] = {
        "sources": ids,
        "now": now,
        "hour": now - HOUR,
        "day": now - DAY,
        "sample": SAMPLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, asked)
        for source_id, last_at, hour, day, delay in cursor.fetchall():
            one = found[source_id]
            one.last_at, one.hour, one.day, one.delay = last_at, hour or 0, day or 0, delay
        cursor.execute(HOURS, asked)
        for source_id, back, count in cursor.fetchall():
            found[source_id].hours[23 - min(back, 23)] += count
        cursor.execute(STANDING, [ids])
        for source_id, state, count, oldest in cursor.fetchall():
            if state == "waiting":
                found[source_id].waiting = count
            else:
                found[source_id].parked, found[source_id].parked_since = count, oldest
        cursor.execute(REPEATS, [ids])
        for source_id, repeats in cursor.fetchall():
            found[source_id].repeats = int(repeats)
        cursor.execute(REFUSED, [now - DAY - HOUR, list(named)])
        for slug, count, last_at, status in cursor.fetchall():
            one = named[slug]
            one.refused, one.refused_at, one.refused_status = int(count), last_at, status
    return found


def _health(source: Source, counts: _Counts, now: datetime) -> Health:
    connector = systems().get(source.connector)
    state, why = _state(source, counts, now)
    expected = None
    if source.expect_every is not None and source.enabled:
        expected = (counts.last_at or source.created_at) + source.expect_every
    return Health(
        source=source,
        system=f"{connector.title if connector else source.connector}, {ROLES[Role(source.role)]}",
        state=state,
        why=why,
        last_at=counts.last_at,
        expected_at=expected,
        last_hour=counts.hour,
        last_day=counts.day,
        hours=counts.hours,
        delay=max(counts.delay, timedelta(0)) if counts.delay is not None else None,
        parked=counts.parked,
        parked_since=counts.parked_since,
        waiting=counts.waiting,
        duplicates=counts.repeats,
        refused=counts.refused,
    )


def _state(source: Source, counts: _Counts, now: datetime) -> tuple[State, str]:
    if not source.enabled:
        return State.PAUSED, "switched off: what it sends is refused"
    if source.poll_error:
        return State.FAILING, f"asking it fails: {source.poll_error}"
    refused = counts.refused_at
    if refused and now - refused <= HOUR and (counts.last_at is None or refused > counts.last_at):
        words = REFUSED_WORDS.get(counts.refused_status, f"with status {counts.refused_status}")
        return State.FAILING, f"what it sends is refused: {words}"
    if counts.last_at is None:
        return State.WAITING, "nothing has come yet"
    if silent_since(source, counts.last_at, now):
        return State.SILENT, "longer without a word than it is used to"
    return State.LIVE, "speaks in its usual rhythm"
