"""Take waiting messages through normalise and correlate: claimed, read, settled, in batches."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, transaction

from connectors.sdk.payload import Reason
from visibility.db import bulk
from visibility.db.change_feed import change
from visibility.identity import assign, merge
from visibility.ingest import parse
from visibility.ingest.parse import Raw
from visibility.models.intake import Source
from visibility.pipeline import watchdog
from visibility.pipeline.shutdown import stopping

log = logging.getLogger(__name__)
BATCH = 200
# After so many attempts a message that kills its worker is parked.
ATTEMPTS = 5
# A batch is read in less than a second; one that takes so long never ends.
READ_SECONDS = 20
# A dead worker's messages come back after this; while one works on them they are locked besides.
LEASE_SECONDS = 20
# Messages tried so often before (from, to) come so many at a time: one that kills its worker takes
# ever fewer others with it, and in the end none.
AGAIN = ((1, 1, 25), (2, 2, 5), (3, 1_000_000, 1))
# What PostgreSQL says of its own trouble (classes of SQLSTATE), whatever the messages contain.
PASSING = frozenset({"08", "40", "53", "55", "57", "58"})
CLAIM = """
UPDATE visibility_inbound_message AS m
SET attempts = m.attempts + 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => %s * (1 + random() / 4))
FROM (
    SELECT id, received_at FROM visibility_inbound_message
    WHERE state = 'waiting'
        AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
        AND (NOT %s OR received_at > clock_timestamp() - interval '10 seconds')
        AND attempts BETWEEN %s AND %s AND id >= %s
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
) AS picked
WHERE m.id = picked.id AND m.received_at = picked.received_at
RETURNING m.id, m.attempts
"""
# What is said of one order comes close together: who reads the batch after another's has to wait.
PLACES = 16
PLACE = "SELECT n FROM generate_series(0, %s) AS n WHERE pg_try_advisory_lock(%s, n) LIMIT 1"
LEAVE = "SELECT pg_advisory_unlock(%s, %s)"
PLACE_LOCK = 4712
SPAN = """
SELECT min(id), max(id) FROM visibility_inbound_message WHERE state = 'waiting' AND attempts = 0
"""
# An attempt that ended for no fault of the messages is none.
RELEASE = """
UPDATE visibility_inbound_message m
SET attempts = m.attempts - 1, next_attempt_at = clock_timestamp() + interval '5 seconds'
FROM unnest(%s::bigint[], %s::int[]) AS t (id, attempts)
WHERE m.id = t.id AND m.attempts = t.attempts AND m.state = 'waiting'
"""
TAKE = """
SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers, m.body
FROM visibility_inbound_message m
JOIN unnest(%s::bigint[], %s::int[]) AS t (id, attempts)
    ON t.id = m.id AND t.attempts = m.attempts
WHERE m.state = 'waiting' ORDER BY m.id FOR UPDATE OF m
"""
SETTLE = """
UPDATE visibility_inbound_message m
SET state = CASE WHEN t.reason = '' THEN 'applied' ELSE 'parked' END,
    reason = t.reason, detail = t.detail, processed_at = clock_timestamp()
FROM unnest(%s::bigint[], %b::text[], %b::text[]) AS t (id, reason, detail) WHERE m.id = t.id
"""


def take_again(*, batches: int = 20) -> int:
    """Take what was tried before and not finished, in small groups; how many were settled."""
    total = 0
    for lowest, highest, size in AGAIN:
        for _ in range(batches):
            settled = take(tried=(lowest, highest), limit=size)
            total += settled
            if not settled or stopping.is_set():
                break
    return total


@contextmanager
def place() -> Iterator[float]:
    """Where in a backlog to begin, as a share of it, while other workers read it from elsewhere."""
    with bulk.cursor() as cursor:
        cursor.execute(PLACE, [PLACES - 1, PLACE_LOCK])
        row = cursor.fetchone()
    if row is None:
        yield 0.0
        return
    try:
        yield share(row[0])
    finally:
        with bulk.cursor() as cursor:
            cursor.execute(LEAVE, [PLACE_LOCK, row[0]])


def share(number: int) -> float:
    """0, 1/2, 1/4, 3/4, 1/8 and so on (van der Corput): far apart, however many there are."""
    found, step = 0.0, 0.5
    while number:
        found += step * (number % 2)
        number, step = number // 2, step / 2
    return found


def take(
    *, fresh: bool = False, tried: tuple[int, int] = (0, 0), limit: int = 0, begin: float = 0.0
) -> int:
    """Normalise and correlate one batch, the oldest first; how many messages were settled.

    `fresh`: only what came within the last seconds, passing by a backlog. `tried`: how often it was
    tried before, from and to. `begin`: the share of a backlog that is left to others.
    """
    asked, most = [LEASE_SECONDS, fresh, *tried], limit or BATCH
    with bulk.cursor() as cursor:
        first = _first(cursor, begin) if begin else 0
        cursor.execute(CLAIM, [*asked, first, most])
        claimed: list[tuple[int, int]] = cursor.fetchall()
        if first and len(claimed) < most:
            cursor.execute(CLAIM, [*asked, 0, most - len(claimed)])
            claimed += cursor.fetchall()
    if not claimed:
        return 0
    worn = [message_id for message_id, attempts in claimed if attempts > ATTEMPTS]
    if worn:
        _park(worn, Reason.CRASH, f"it was tried {ATTEMPTS} times and never finished")
    return len(worn) + _halve([pair for pair in claimed if pair[1] <= ATTEMPTS])


def _first(cursor: bulk.Bound, begin: float) -> int:
    cursor.execute(SPAN)
    lowest, highest = cursor.fetchone() or (None, None)
    return 0 if lowest is None else lowest + int((highest - lowest) * begin)


def _halve(claimed: Sequence[tuple[int, int]]) -> int:
    """Apply a batch; what fails is tried in halves, so that a poisonous message stays alone."""
    if not claimed:
        return 0
    for attempt in range(4):
        try:
            with transaction.atomic():
                return _apply(claimed)
        except assign.Moved:
            continue
        except (OperationalError, InterfaceError) as error:
            if not connection.is_usable():
                raise
            log.info("again messages=%s attempt=%s error=%s", len(claimed), attempt, error)
            if attempt == 3 and _passing(error):
                _release(claimed)
                return 0
            time.sleep(0.02 * 2**attempt)
        except merge.JoinTooLarge as error:
            if len(claimed) == 1:
                _park([claimed[0][0]], Reason.JOIN_TOO_LARGE, str(error))
                return 1
            break
        except Exception as error:  # the edge of a message: recorded, and the others go on
            if len(claimed) == 1:
                log.exception("message=%s failed", claimed[0][0])
                _note(claimed[0][0], f"{type(error).__name__}: {error}")
                return 0
            break
    if len(claimed) == 1:
        return 0
    middle = len(claimed) // 2
    return _halve(claimed[:middle]) + _halve(claimed[middle:])


def _passing(error: Exception) -> bool:
    """Whether the trouble is the database's and not the messages'."""
    return (getattr(error.__cause__, "sqlstate", None) or "08")[:2] in PASSING


def _release(claimed: Sequence[tuple[int, int]]) -> None:
    """Give messages back untried: what held them up was not in them."""
    with bulk.cursor() as cursor:
        cursor.execute(RELEASE, [[c[0] for c in claimed], [c[1] for c in claimed]])


def _apply(claimed: Sequence[tuple[int, int]]) -> int:
    """Read, correlate and settle in one transaction; a message claimed by another is left alone."""
    with bulk.cursor() as cursor:
        cursor.execute(TAKE, [[c[0] for c in claimed], [c[1] for c in claimed]])
        raws = [Raw.of(row) for row in cursor.fetchall()]
    raws += parse.rivals(raws)
    sources = {s.pk: s for s in Source.objects.filter(pk__in={r.source_id for r in raws})}
    with watchdog.within(READ_SECONDS):
        readings = [parse.read(raw, sources[raw.source_id]) for raw in raws]
    readings, losers = parse.effective(raws, readings)
    assign.withdraw(losers)
    drafts = [draft for reading in readings for draft in reading.drafts]
    assign.store(drafts, {pk: s.slug for pk, s in sources.items()})
    with bulk.cursor() as cursor:
        cursor.execute(
            SETTLE,
            [
                [r.message_id for r in readings],
                [r.reason.value if r.reason else "" for r in readings],
                [r.detail for r in readings],
            ],
        )
    change({"source": sorted(sources)})
    return len(raws)


def _park(message_ids: Sequence[int], reason: Reason, detail: str) -> None:
    with bulk.cursor() as cursor:
        ids = list(message_ids)
        cursor.execute(SETTLE, [ids, [reason.value] * len(ids), [detail] * len(ids)])


def _note(message_id: int, error: str) -> None:
    """A failure that may pass: the claim's lease lets it come back, later each time."""
    with bulk.cursor() as cursor:
        cursor.execute(
            "UPDATE visibility_inbound_message SET detail = %s, next_attempt_at = "
            "clock_timestamp() + make_interval(secs => least(2 ^ attempts, 60) * (1 + random())) "
            "WHERE id = %s AND state = 'waiting'",
            [error[:500], message_id],
        )
