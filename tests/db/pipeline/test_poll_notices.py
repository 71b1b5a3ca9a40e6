"""Notices make the next poll due, however many there are, but never against a pause."""

import json
from datetime import timedelta
from itertools import count

import pytest

from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.ingest.source_failures import PollResult, record_poll_result
from visibility.models import InboundMessage, Source
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NUMBERS = count()


@pytest.fixture
def erp() -> Source:
    """A source whose latest poll ended a minute ago; the next one is due in an hour."""
    now = database_now()
    config = {"base_url": "https://erp.example.com/api"}
    add_source("erp", connector="business_central", config=config, now=now)
    Source.objects.update(
        poll_every=HOUR,
        next_poll_at=now + HOUR,
        poll_started_at=now - timedelta(minutes=2),
        poll_ended_at=now - timedelta(minutes=1),
    )
    return Source.objects.get()


def receive_notice(source: Source) -> Source:
    body = json.dumps({"value": [{"subscriptionId": "s", "id": next(NUMBERS)}]}).encode()
    store_messages([IncomingMessage(source.pk, f"sha256 {hash(body)}", {}, body)])
    job_functions.process_messages_and_refold()
    assert InboundMessage.objects.latest("id").state == "applied"
    return Source.objects.get(pk=source.pk)


def test_a_notice_makes_the_poll_due_now(erp: Source) -> None:
    row = receive_notice(erp)
    assert row.next_poll_at is not None
    assert row.next_poll_at <= database_now()
    assert len(polling.claim_due_polls(database_now(), limit=1, slow_limit=1)) == 1


def test_polls_that_notices_cause_have_a_pause_between_them(erp: Source) -> None:
    ended = database_now()
    Source.objects.update(poll_ended_at=ended)
    assert receive_notice(erp).next_poll_at == ended + timedelta(seconds=5)


@pytest.mark.parametrize("throttled", [False, True])
def test_a_notice_shortens_no_pause_after_a_failure(erp: Source, *, throttled: bool) -> None:
    until = database_now() + timedelta(minutes=30)
    Source.objects.update(
        poll_error="HTTP 429", throttled_until=until if throttled else None, next_poll_at=until
    )
    assert receive_notice(erp).next_poll_at == until


def test_a_notice_during_a_poll_is_followed_by_another_poll(erp: Source) -> None:
    receive_notice(erp)
    (claimed,) = polling.claim_due_polls(database_now(), limit=1, slow_limit=1)
    row = receive_notice(erp)
    assert row.next_poll_at is not None
    assert row.next_poll_at > database_now() + timedelta(seconds=60), "the round keeps its lease"
    ended = database_now()
    record_poll_result(erp, claimed.round, PollResult(ended, ended + HOUR))
    assert Source.objects.get().next_poll_at == ended + timedelta(seconds=5)
    (claimed,) = polling.claim_due_polls(ended + HOUR, limit=1, slow_limit=1)
    record_poll_result(erp, claimed.round, PollResult(ended + HOUR, ended + 2 * HOUR))
    assert Source.objects.get().next_poll_at == ended + 2 * HOUR, "the notice was followed once"


def test_a_notice_to_a_source_that_is_not_polled_says_what_is_missing(erp: Source) -> None:
    Source.objects.update(next_poll_at=None, config={})
    row = receive_notice(erp)
    assert row.next_poll_at is None
    assert "this source is not polled" in InboundMessage.objects.get().detail


def test_a_notice_polls_no_disabled_source(erp: Source) -> None:
    Source.objects.update(enabled=False)
    row = receive_notice(erp)
    assert row.poll_requested_at is None
    assert row.next_poll_at == erp.next_poll_at
