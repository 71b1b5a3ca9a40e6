"""Claim, parse, correlate and settle waiting messages in batches."""

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from django.db import DataError, InterfaceError, OperationalError, connection, transaction
from structlog.stdlib import get_logger

from connectors.sdk.payload import ParkReason
from visibility.db import bulk
from visibility.db.change_feed import append_changes
from visibility.identity import record_merges_and_move_alerts, store_and_link_events
from visibility.ingest import (
    parse_messages_and_pick_versions,
    poll_notices,
    record_sent_versions,
    record_source_activity,
)
from visibility.ingest.message_shapes import UnknownShape, find_unknown_shapes
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.ingest.record_field_changes import record_unknown_shapes
from visibility.ingest.store_telemetry import store_telemetry
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.pipeline import exit_on_timeout, settle_messages
from visibility.pipeline.park_messages_without_body import park_messages_without_body
from visibility.pipeline.refold_orders import RefoldFailed, refold_orders_of_objects_if_free
from visibility.pipeline.settle_messages import (
    park_messages,
    record_failure_and_postpone,
    release_claimed_messages,
)
from visibility.pipeline.shutdown_flag import stopping
from visibility.pipeline.telemetry_of_messages import (
    received_telemetry_of_messages,
    remove_counted_messages,
)
from visibility.storage import configuration_cache, published_manifests
from visibility.storage.refold_queue import enqueue_refolds

log = get_logger(__name__)
BATCH_SIZE = 200
# A batch of at most so many messages uses prepared statements.
MAX_LIVE_MESSAGES = 10
# A message that kills its worker is parked after this many attempts.
MAX_ATTEMPTS = 5
# Parsing a batch takes less than a second; one that takes this long never ends.
PARSE_LIMIT_SECONDS = 20
# Messages of a dead worker are claimed again after this; a live worker also holds row locks.
LEASE_SECONDS = 20
# (fewest attempts, most attempts, batch size): the more attempts, the smaller the batch, so that a
# message that kills its worker is alone in the end.
RETRY_GROUPS = ((1, 1, 25), (2, 2, 5), (3, 1_000_000, 1))
# SQLSTATE classes of failures of the database itself, whatever the messages contain.
TRANSIENT_SQLSTATES = frozenset({"08", "40", "53", "55", "57", "58"})
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
HAS_NEW_AND_FAILED_MESSAGES = """
SELECT EXISTS (SELECT FROM visibility_inbound_message
        WHERE state = 'waiting' AND attempts = 0
            AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())),
    EXISTS (SELECT FROM visibility_inbound_message
        WHERE state = 'waiting' AND attempts > 0
            AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp()))
"""
BACKLOG_RANGE = """
SELECT min(id), max(id) FROM visibility_inbound_message WHERE state = 'waiting' AND attempts = 0
"""
LOCK_CLAIMED = """
SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers,
    coalesce(m.body, b.body),
    EXISTS (SELECT FROM visibility_messagekey k WHERE k.source_id = m.source_id
        AND k.dedupe_key = m.dedupe_key AND k.content_hash <> m.content_hash),
    m.processed_at IS NOT NULL, (SELECT version FROM visibility_configurationversion WHERE id = 1)
FROM visibility_inbound_message m
JOIN unnest(%s::bigint[], %s::int[]) AS t (id, attempts)
    ON t.id = m.id AND t.attempts = m.attempts
LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
WHERE m.state = 'waiting' ORDER BY m.id FOR UPDATE OF m
"""


@dataclass(frozen=True, slots=True)
class SettledCountAndChanges:
    """What a committed batch changed: how many messages it settled, and what to broadcast.

    `unknown_shapes`: messages whose fields are compared with the schema after the commit, so that
    batches do not wait for each other.
    """

    messages: int
    change_number: int
    changed_kinds: list[str]
    unknown_shapes: list[UnknownShape]


def has_new_and_failed_messages() -> tuple[bool, bool]:
    """Return whether new messages wait, and whether messages wait that failed before."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(HAS_NEW_AND_FAILED_MESSAGES)
        ((has_new, has_failed),) = cursor.fetchall()
    return has_new, has_failed


def process_failed_messages_in_small_batches(*, batches: int = 20) -> int:
    """Process messages that failed before, in small batches; return how many were settled."""
    total = 0
    for fewest, most, size in RETRY_GROUPS:
        for _ in range(batches):
            settled = claim_parse_and_correlate_messages(attempts=(fewest, most), limit=size)
            total += settled
            if not settled or stopping.is_set():
                break
    return total


def claim_parse_and_correlate_messages(
    *,
    fresh: bool = False,
    attempts: tuple[int, int] = (0, 0),
    limit: int | None = None,
    offset: float = 0.0,
) -> int:
    """Parse and correlate one batch, the oldest first; return how many messages were settled.

    `fresh`: only messages of the last seconds, past a backlog. `attempts`: the fewest and the most
    attempts so far. `offset`: the share of the backlog to leave to other workers.
    """
    parameters, limit = [LEASE_SECONDS, fresh, *attempts], limit or BATCH_SIZE
    with bulk.server_bound_cursor() as cursor:
        first_id = _backlog_start_id(cursor, offset) if offset else 0
        cursor.execute(CLAIM, [*parameters, first_id, limit])
        claimed: list[tuple[int, int]] = cursor.fetchall()
        if first_id and len(claimed) < limit:
            cursor.execute(CLAIM, [*parameters, 0, limit - len(claimed)])
            claimed += cursor.fetchall()
    if not claimed:
        return 0
    exhausted = [message_id for message_id, tried in claimed if tried > MAX_ATTEMPTS]
    if exhausted:
        park_messages(exhausted, ParkReason.CRASH, f"Processing failed {MAX_ATTEMPTS} times.")
    remaining = [pair for pair in claimed if pair[1] <= MAX_ATTEMPTS]
    is_live = len(remaining) <= MAX_LIVE_MESSAGES
    with bulk.switch_prepared_statements(enabled=is_live):
        return len(exhausted) + _process_with_bisection(remaining, refold=is_live)


def _backlog_start_id(cursor: bulk.ServerBoundCursor, offset: float) -> int:
    cursor.execute(BACKLOG_RANGE)
    lowest, highest = cursor.fetchone() or (None, None)
    return 0 if lowest is None else lowest + int((highest - lowest) * offset)


def _process_with_bisection(claimed: Sequence[tuple[int, int]], *, refold: bool = False) -> int:
    """Process a batch. If it fails, process its halves, until the failing message is alone.

    `refold`: also refold the orders, in the same transaction. If that fails, the refold is left to
    the queue.
    """
    if not claimed:
        return 0
    for attempt in range(4):
        try:
            with transaction.atomic():
                settled = _parse_correlate_and_settle_messages(claimed, refold=refold)
            if settled.changed_kinds:
                broadcast_change_number(settled.change_number, settled.changed_kinds)
            record_unknown_shapes(settled.unknown_shapes)
            return settled.messages
        except RefoldFailed:
            log.info("refold_left_to_queue", messages=len(claimed), exc_info=True)
            refold = False
        except store_and_link_events.ConcurrentChange:
            continue
        except (OperationalError, InterfaceError) as error:
            if not connection.is_usable():
                raise
            log.info("batch_retried", messages=len(claimed), attempt=attempt, error=str(error))
            if attempt == 3 and _is_transient_database_error(error):
                release_claimed_messages(claimed)
                return 0
            time.sleep(0.02 * 2**attempt)
        except record_merges_and_move_alerts.MergeTooLarge as error:
            if len(claimed) == 1:
                park_messages([claimed[0][0]], ParkReason.JOIN_TOO_LARGE, str(error))
                return 1
            break
        except Exception as error:  # recorded on the message; the others go on
            if len(claimed) == 1:
                log.exception("message_failed", message=claimed[0][0])
                record_failure_and_postpone(claimed[0][0], f"{type(error).__name__}: {error}")
                return 0
            break
    if len(claimed) == 1:
        return 0
    middle = len(claimed) // 2
    return _process_with_bisection(claimed[:middle]) + _process_with_bisection(claimed[middle:])


def _is_transient_database_error(error: Exception) -> bool:
    """Whether the database failed, and not a message."""
    return (getattr(error.__cause__, "sqlstate", None) or "08")[:2] in TRANSIENT_SQLSTATES


def _parse_correlate_and_settle_messages(
    claimed: Sequence[tuple[int, int]], *, refold: bool
) -> SettledCountAndChanges:
    """Parse, correlate and settle in one transaction; skip messages that another has claimed."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_CLAIMED, [[c[0] for c in claimed], [c[1] for c in claimed]])
        rows = cursor.fetchall()
    messages = [StoredMessage.from_row(row) for row in rows]
    raws = [message for message in messages if message.body is not None]
    without_body = [message.id for message in messages if message.body is None]
    parked = park_messages_without_body(without_body) if without_body else 0
    read_before = {row[0] for row in rows if row[8]}
    if any(row[7] for row in rows):
        raws += (others := parse_messages_and_pick_versions.lock_other_message_versions(raws))
        read_before |= {message.id for message in others}
    if rows:
        published_manifests.use_manifests_of_version(rows[0][-1])
    with configuration_cache.use_cached_values_of_version(rows[0][-1] if rows else None):
        settled = _process_locked_messages(raws, read_before, refold=refold)
    return replace(settled, messages=settled.messages + parked)


def _process_locked_messages(
    raws: Sequence[StoredMessage], read_before: Set[int], *, refold: bool
) -> SettledCountAndChanges:
    all_sources = configuration_cache.load_all_sources_by_id()
    sources = {source_id: all_sources[source_id] for source_id in {r.source_id for r in raws}}
    with exit_on_timeout.exit_process_on_timeout(PARSE_LIMIT_SECONDS):
        readings = [
            parse_messages_and_pick_versions.parse_message(raw, sources[raw.source_id])
            for raw in raws
        ]
    telemetry = received_telemetry_of_messages(raws, readings)
    counted_ids = remove_counted_messages(raws, readings)
    received, parsed = raws, readings
    raws = [raw for raw in received if raw.id not in counted_ids]
    readings, losers = parse_messages_and_pick_versions.pick_effective_message_versions(
        raws, [reading for reading in parsed if reading.message_id not in counted_ids]
    )
    store_and_link_events.supersede_events_of_messages(losers)
    drafts = [draft for reading in readings for draft in reading.new_events]
    touched = store_and_link_events.store_and_link_events(
        drafts, {pk: s.slug for pk, s in sources.items()}
    )
    reread = read_before & {reading.message_id for reading in readings}
    store_and_link_events.supersede_events_missing_from_reading(reread, drafts)
    last_writes = bulk.CombinedWrites()
    may_refold = refold and bool(touched)
    changes = refold_orders_of_objects_if_free(touched, last_writes) if may_refold else None
    if changes is None:
        enqueue_refolds(touched)
    last_writes.add(
        settle_messages.SETTLE,
        [r.message_id for r in readings],
        [r.reason.value if r.reason else "" for r in readings],
        [r.detail for r in readings],
    )
    counted = [reading for reading in parsed if reading.message_id in counted_ids]
    every_reading = [*readings, *counted]
    record_source_activity.add_writes_of_source_activity(last_writes, received, every_reading)
    record_sent_versions.add_writes_of_sent_versions(last_writes, received, every_reading)
    poll_notices.add_writes_of_poll_requests(last_writes, raws, readings)
    store_telemetry(telemetry)
    try:
        number = append_changes({"source": sorted(sources), **(changes or {})}, after=last_writes)
    except DataError as error:
        raise RefoldFailed from error
    shapes = find_unknown_shapes(raws, readings, sources)
    return SettledCountAndChanges(len(received), number, list(changes or ()), shapes)
