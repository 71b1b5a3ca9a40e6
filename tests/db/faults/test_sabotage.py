"""Ten deliberate defects: each check passes without its defect and fails with it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import orjson
import pytest
from django.db import connection

from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.db.faults import sabotage_checks
from visibility.db import change_feed
from visibility.ingest import insert_messages
from visibility.models import Source
from visibility.operations import invariants
from visibility.pipeline import job_functions, process_message_batches, settle_messages
from visibility.timeline import fold
from visibility.web.live import hub

pytestmark = pytest.mark.django_db(transaction=True)
Check = Callable[[Source], None]
Patch = pytest.MonkeyPatch


@pytest.fixture
def source() -> Source:
    """A source without a reporting interval."""
    return create_source("erp", connector="standard_webhooks", role="erp", expect_every=None)


def no_unique_key(patch: Patch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE visibility_messagekey DROP CONSTRAINT message_key_unique")
    insert, _, tail = insert_messages.STORE.partition("    ON CONFLICT")
    patch.setattr(insert_messages, "STORE", insert + tail[tail.index("    RETURNING") :])


def response_before_commit(patch: Patch) -> None:
    original = insert_messages.InboxWriter.store

    async def respond_early(
        self: insert_messages.InboxWriter, arrival: insert_messages.IncomingMessage
    ) -> insert_messages.StoreResult:
        sabotage_checks.PENDING_WRITES.append(asyncio.create_task(original(self, arrival)))
        return insert_messages.StoreResult(1, True)

    patch.setattr(insert_messages.InboxWriter, "store", respond_early)


def change_numbers_without_lock(patch: Patch) -> None:
    """A sequence instead of a locked row: a late commit can have a low number."""

    def change(touched: Mapping[str, Sequence[int]]) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('sabotage')")
            number = int(cursor.fetchone()[0])
            for kind, ids in touched.items():
                cursor.execute(
                    "INSERT INTO visibility_change (number, at, kind, ids) "
                    "VALUES (%s, now(), %s, %s)",
                    [number, kind, orjson.dumps(list(ids)).decode()],
                )
        return number

    def head() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(number), 0) FROM visibility_change")
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS sabotage START 1000000")
    patch.setattr(change_feed, "append_changes", change)
    patch.setattr(hub, "latest_change_number", head)


def no_lease(patch: Patch) -> None:
    patch.setattr(process_message_batches, "LEASE_SECONDS", 0)


def no_skip_locked(patch: Patch) -> None:
    patch.setattr(
        process_message_batches, "CLAIM", process_message_batches.CLAIM.replace(" SKIP LOCKED", "")
    )


def messages_never_settled(patch: Patch) -> None:
    patch.setattr(settle_messages, "SETTLE", settle_messages.SETTLE + " AND false")


def last_event_wins(patch: Patch) -> None:
    patch.setattr(invariants, "fold", lambda events, **more: fold(list(events)[-1:], **more))


def clock_and_alert_in_two_transactions(patch: Patch) -> None:
    def commit() -> None:
        connection.connection.commit()

    patch.setitem(sabotage_checks.BETWEEN_STEPS, "clock and alert", commit)


def nudge_raises(patch: Patch) -> None:
    def nudge(_: str) -> None:
        raise ConnectionError

    patch.setattr(job_functions, "ask_worker_to_run_job_now", nudge)


def duplicates_reported_as_new(patch: Patch) -> None:
    original = insert_messages._build_store_results
    patch.setattr(
        insert_messages,
        "_build_store_results",
        lambda rows, indexes: [
            insert_messages.StoreResult(k.message_id, True) for k in original(rows, indexes)
        ],
    )


DEFECTS: Mapping[Callable[[Patch], None], Check] = {
    no_unique_key: sabotage_checks.message_is_stored_once,
    response_before_commit: sabotage_checks.response_is_sent_after_commit,
    change_numbers_without_lock: sabotage_checks.change_reader_misses_nothing,
    no_lease: sabotage_checks.claimed_messages_are_not_reclaimed_during_the_lease,
    no_skip_locked: sabotage_checks.workers_do_not_block_each_other,
    messages_never_settled: sabotage_checks.every_message_is_processed,
    last_event_wins: sabotage_checks.derived_state_is_independent_of_arrival_order,
    clock_and_alert_in_two_transactions: sabotage_checks.kill_before_the_alert_loses_no_alert,
    nudge_raises: sabotage_checks.unreachable_broker_does_not_stop_processing,
    duplicates_reported_as_new: sabotage_checks.new_results_match_stored_messages,
}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.__name__)
def test_check_passes_without_the_defect_and_fails_with_it(
    defect: Callable[[Patch], None], source: Source, monkeypatch: Patch
) -> None:
    create_rule(always_open())
    check = DEFECTS[defect]
    check(source)
    defect(monkeypatch)
    try:
        with pytest.raises(AssertionError):
            check(source)
    finally:
        _undo_schema_change(defect)


def _undo_schema_change(defect: Callable[[Patch], None]) -> None:
    """Undo changes to the database schema."""
    if defect is no_unique_key:
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE visibility_messagekey, visibility_inbound_message, "
                "visibility_message_body"
            )
            cursor.execute(
                "ALTER TABLE visibility_messagekey ADD CONSTRAINT message_key_unique "
                "UNIQUE (source_id, dedupe_key, content_hash)"
            )
