"""The strip of the pipeline on the page of the sources."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from tests.builders.alerts import order
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import InboundMessage, RefoldRequest
from visibility.screens.sources import pipeline_stages
from visibility.screens.sources.pipeline_stages import describe_drain, load_pipeline
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return signed_in(UserRole.INTEGRATOR)


def text(client: Client) -> str:
    return " ".join(client.get("/sources").content.decode().split())


def processed(*seconds: float) -> None:
    """Messages received five minutes ago and processed so many seconds later."""
    source = create_source()
    for took in seconds:
        stored = message(source)
        row = InboundMessage.objects.get(id=stored)
        at = row.received_at + timedelta(seconds=took)
        InboundMessage.objects.filter(id=stored).update(processed_at=at)


def test_each_stage_says_what_waits_and_since_when(client: Client) -> None:
    source, now = create_source(), database_now()
    for minutes in (2, 30):
        message(source, state="waiting", received_at=now - timedelta(minutes=minutes))
    message(source, state="parked", reason="syntax")
    placed = order("SO-1")
    for _ in range(2):
        RefoldRequest.objects.create(object_id=placed.object_id, due_at=now - timedelta(seconds=90))
    RefoldRequest.objects.create(object_id=placed.object_id, due_at=now + timedelta(hours=1))
    stages = {stage.code: stage for stage in load_pipeline(now).stages}
    assert (stages["read"].waiting, stages["read"].oldest_at) == (2, now - timedelta(minutes=30))
    timeline = stages["timeline"]
    assert (timeline.waiting, timeline.oldest_at) == (1, now - timedelta(seconds=90))
    page = text(client)
    assert '<a href="/messages?state=waiting" data-count-of-list="2"' in page
    assert '<a href="/messages?state=parked" data-count-of-list="1"' in page
    assert "oldest" in page
    listed = client.get("/messages?state=waiting").content.decode()
    assert listed.count("<tr data-id=") == 2


def test_a_count_that_ends_at_the_newest_messages_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    processed(1, 2, 3)
    assert "3 in the last hour" in text(client)
    monkeypatch.setattr(pipeline_stages, "NEWEST", 3)
    assert text(client).count("3 or more in the last hour") == 2


def test_the_time_from_receipt_is_that_of_the_last_hour(client: Client) -> None:
    processed(*[0.2] * 18, 5, 9)
    source = create_source("old")
    long_ago = message(source, received_at=database_now() - timedelta(hours=2))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE visibility_inbound_message SET processed_at = now() WHERE id = %s", [long_ago]
        )
    # Of 20 ordered values, 95% lies between the 19th and the 20th: 5 + 0.05 * (9 - 5) = 5.2.
    shown = "20 in the last hour, half within 200 ms of receipt, 95% within 5.2 s"
    assert shown in text(client)


@pytest.mark.parametrize(
    ("waiting", "received", "read", "expected"),
    [
        (600, 100, 400, "empty in about 10 min at this pace"),
        (600, 100, 0, "not moving: none was read in the last 5 minutes"),
        (600, 400, 400, "not shrinking: as many are received as are read"),
    ],
)
def test_when_the_queue_is_empty_in_words(
    waiting: int, received: int, read: int, expected: str
) -> None:
    assert describe_drain(waiting, received=received, read=read) == expected


def test_a_queue_that_does_not_move_says_so(client: Client) -> None:
    source = create_source()
    message(source, state="waiting", received_at=database_now() - timedelta(minutes=20))
    assert "Not moving: none was read in the last 5 minutes" in text(client)


def test_counts_have_thousands_separators(client: Client) -> None:
    source = create_source()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO visibility_inbound_message (source_id, received_at, dedupe_key,"
            " content_hash, headers, state) SELECT %s, now(), '', '', '{}', 'waiting'"
            " FROM generate_series(1, 1234)",
            [source.pk],
        )
    assert "<b>1,234</b> waiting" in text(client)
