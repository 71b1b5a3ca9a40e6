"""Replay of parked messages: the effect before, the progress, and the result."""

import gzip
import re
import sys
from collections.abc import Callable
from html import unescape
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tests.builders.alerts import order, statements
from tests.builders.cloudevents import cloudevent
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest.parse_messages_and_pick_versions import (
    ParseOutcome,
    StoredMessage,
    parse_message,
)
from visibility.models import (
    Event,
    Identifier,
    InboundMessage,
    MessageReplay,
    RefoldRequest,
    Source,
)
from visibility.pipeline import job_functions
from visibility.screens.messages import replay_preview, trial_reading
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def integrator() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def session(integrator: Client) -> Client:
    """The integrator, signed in, in a client that checks CSRF tokens."""
    known = signed_in(UserRole.INTEGRATOR, "ines")
    integrator.force_login(User.objects.get(username="ines"))
    assert known.cookies
    return integrator


@pytest.fixture
def parked_messages() -> Source:
    """Four parked messages that can be read now, about one known order, and two torn ones."""
    source = create_source(config={"order_number": "sales_order@erp"})
    placed = order("SO-1")
    Identifier.objects.create(
        kind="order",
        scheme="sales_order",
        issuer="erp",
        value="SO-1",
        raw="SO-1",
        is_identity=True,
        object=placed.object,
    )
    for number in range(4):
        body = orjson.dumps(
            cloudevent("order.released", {"order": {"number": "SO-1"}}, event_id=f"e{number}")
        )
        message(source, state="parked", reason="mapping", detail="PRT_SHP", body=body)
    for _ in range(2):
        message(source, state="parked", reason="syntax", detail="torn", body=b'{"id": ')
    return source


def post(client: Client, url: str, values: dict[str, Any]) -> Any:
    """Post a form with the CSRF token of the page before it."""
    client.get("/messages/replay")
    token = client.cookies["csrftoken"].value
    return client.post(url, {**values, "csrfmiddlewaretoken": token}, follow=True)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_effect_is_shown_before_and_nothing_is_stored(
    session: Client, parked_messages: Source
) -> None:
    page = text(session.get("/messages/replay?source=wms"))
    assert "Replay 6 messages" in page
    assert "6 messages, 1 known order. Nothing has changed yet." in page
    assert "Would be parked again" in page
    assert "SO-1" in page
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"parked"}
    assert not Event.objects.exists()
    assert not RefoldRequest.objects.exists()
    assert not MessageReplay.objects.exists()


def test_result_says_what_was_applied_and_what_is_still_parked(
    session: Client, parked_messages: Source
) -> None:
    page = text(post(session, "/messages/replays", {"source": "wms"}))
    assert "Replay of 6 messages" in page
    assert "0 of 6 messages processed." in page
    assert "<progress" in page
    job_functions.process_messages_and_refold()
    replay = MessageReplay.objects.get()
    page = text(session.get(f"/messages/replays/{replay.pk}"))
    assert "4 applied, 2 parked again." in page
    assert "1 order affected" in page
    for query, count in (("state=applied", 4), ("state=parked&reason=syntax", 2)):
        listed = text(session.get(f"/messages?replay={replay.pk}&{query}"))
        assert listed.count("<tr data-id=") == count


def test_without_csrf_token_nothing_is_replayed(session: Client, parked_messages: Source) -> None:
    assert session.post("/messages/replays", {"source": "wms"}).status_code == 403
    assert not MessageReplay.objects.exists()


def test_causes_are_grouped_across_sources_and_link_to_exactly_their_messages(
    session: Client,
) -> None:
    for source in (create_source(), create_source("other")):
        for _ in range(2):
            message(source, state="parked", reason="schema", detail="sku: expected text")
    message(create_source("third"), state="parked", reason="schema", detail="")
    page = text(session.get("/sources"))
    query = "state=parked&amp;reason=schema&amp;detail=sku%3A+expected+text"
    assert f'href="/messages?{query}" data-count-of-list="4">4</a>' in page
    listed = text(session.get(f"/messages?{query.replace('&amp;', '&')}"))
    assert listed.count("<tr data-id=") == 4
    listed = text(session.get("/messages?state=parked&reason=schema&detail="))
    assert listed.count("<tr data-id=") == 1


def test_duplicates_of_a_polled_source_are_explained(session: Client) -> None:
    message(create_source("erp", connector="business_central"), repeats=7)
    message(create_source(), repeats=7)
    assert text(session.get("/sources")).count("re-read</span>") == 1
    assert "re-read by the poller, not counted twice" in text(session.get("/sources/erp"))
    assert "re-read by the poller" not in text(session.get("/sources/wms"))


def test_replay_pages_run_a_fixed_number_of_statements(
    session: Client, parked_messages: Source
) -> None:
    before = statements(session, "/messages/replay?source=wms")
    for _ in range(9):
        message(parked_messages, state="parked", reason="mapping", detail="PRT_SHP")
    assert statements(session, "/messages/replay?source=wms") == before <= 14


@pytest.fixture
def api() -> Callable[..., Any]:
    client = signed_in(UserRole.INTEGRATOR, "ines")

    def call(path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"/api/v1/messages/replays{path}"
        if body is None:
            return client.get(url)
        return client.post(url, orjson.dumps(body), content_type="application/json")

    return call


def test_replay_over_the_api(api: Callable[..., Any], parked_messages: Source) -> None:
    preview = api("/preview?source=wms").json()
    assert (preview["selected"], preview["readable"], preview["order_count"]) == (6, 4, 1)
    assert preview["still_parked"] == [{"reason": "syntax", "detail": "", "count": 2}]
    started = api("", {"source": "wms"})
    assert (started.status_code, started.json()["waiting"]) == (202, 6)
    job_functions.process_messages_and_refold()
    result = api(f"/{started.json()['id']}").json()
    assert (result["applied"], result["finished"], result["orders"]) == (4, True, 1)
    assert result["still_parked"] == [{"reason": "syntax", "detail": "", "count": 2}]
    assert api("", {"source": "nothing"}).status_code == 400
    assert api("", {"source": "wms", "reason": "schema"}).status_code == 409
    assert api("/999").status_code == 404


def read_here(*arguments: Any) -> trial_reading.TrialReading:
    """Read the messages in this process, where the connector can be replaced."""
    return trial_reading.TrialReading(tuple(trial_reading.read_messages(*arguments)))


# Reads the first message, and does not return from the second for 15 seconds.
HANGS_IN_SECOND_MESSAGE = """
import time
import django
django.setup()
from visibility.screens.messages import trial_reading
parse, seen = trial_reading.parse_message, []
def parse_and_hang(message, source):
    seen.append(message)
    if len(seen) == 2:
        time.sleep(15)
    return parse(message, source)
trial_reading.parse_message = parse_and_hang
trial_reading.main()
"""


def test_message_that_hangs_its_parser_ends_the_trial_and_is_named(
    session: Client, parked_messages: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_preview, "MAX_TRIED_SECONDS", 0.5)
    command = (sys.executable, "-c", HANGS_IN_SECOND_MESSAGE)
    monkeypatch.setattr(trial_reading, "COMMAND", command)
    hanging = InboundMessage.objects.order_by("-id").values_list("id", flat=True)[1]
    page = text(session.get("/messages/replay?source=wms"))
    assert "A trial with 1 of 6 messages" in page
    assert f"Reading message {hanging} did not end in time and was stopped" in page
    assert "Beyond the limits of a trial" in page
    assert "Replay 6 messages" in page


def test_trial_that_does_not_start_says_so(
    session: Client, parked_messages: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_reading, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    page = text(session.get("/messages/replay?source=wms"))
    assert "The trial could not be started: try again later" in page
    assert "Replay 6 messages" in page


FAILED_BEFORE = "A previous attempt failed with an error or ran out of time or memory"


def test_message_that_crashed_its_worker_is_not_tried_but_can_be_replayed(
    session: Client,
    api: Callable[..., Any],
    parked_messages: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crashed = message(parked_messages, state="parked", reason="crash", detail="failed 5 times")
    parsed: list[int] = []

    def record_and_parse(stored: StoredMessage, source: Source) -> ParseOutcome:
        parsed.append(stored.id)
        return parse_message(stored, source)

    monkeypatch.setattr(trial_reading, "parse_message", record_and_parse)
    monkeypatch.setattr(replay_preview, "read_messages_in_own_process", read_here)
    page = text(session.get("/messages/replay?source=wms"))
    assert len(parsed) == 6
    assert crashed not in parsed
    assert "Replay 7 messages" in page
    assert "A trial with 6 of 7 messages" in page
    assert "Not tried" in page
    assert FAILED_BEFORE in page
    preview = api("/preview?source=wms").json()
    assert (preview["selected"], preview["tried"]) == (7, 6)
    assert preview["not_tried"] == [{"why": FAILED_BEFORE, "count": 1}]
    page = text(session.get(f"/messages/replay?id={crashed}"))
    assert '<button class="btn" type="submit">Replay 1 message</button>' in page
    assert "Not known: no message was tried." in page
    assert "Replay of 1 message" in text(post(session, "/messages/replays", {"id": crashed}))


def test_message_that_fails_with_an_error_in_the_trial_would_be_parked_again(
    session: Client, api: Callable[..., Any], parked_messages: Source, monkeypatch: Any
) -> None:
    failing = InboundMessage.objects.filter(reason="mapping").latest("id").pk

    def parse_or_fail(stored: StoredMessage, source: Source) -> ParseOutcome:
        if stored.id == failing:
            raise ZeroDivisionError("no unit \ud800")
        return parse_message(stored, source)

    monkeypatch.setattr(trial_reading, "parse_message", parse_or_fail)
    monkeypatch.setattr(replay_preview, "read_messages_in_own_process", read_here)
    assert "ZeroDivisionError: no unit" in text(session.get("/messages/replay?source=wms"))
    preview = api("/preview?source=wms").json()
    assert (preview["tried"], preview["readable"], preview["not_tried"]) == (6, 3, [])
    failed = {"reason": "crash", "detail": "ZeroDivisionError: no unit \ufffd", "count": 1}
    assert failed in preview["still_parked"]


def test_trial_ends_after_a_time(
    session: Client, parked_messages: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_preview, "MAX_TRIED_SECONDS", 0)
    page = text(session.get("/messages/replay?source=wms"))
    assert "A trial with 1 of 6 messages" in page
    assert "Beyond the limits of a trial: 200 messages, 8 MB or 5 seconds" in page
    assert "Replay 6 messages" in page


def test_trial_counts_the_decompressed_bytes(
    parked_messages: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_preview, "MAX_TRIED_BYTES", 100_000)
    body = gzip.compress(b'{"id": "' + b"x" * 60_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    ids = [
        message(parked_messages, state="parked", reason="syntax", body=body, headers=headers)
        for _ in range(3)
    ]
    preview = replay_preview.preview_replay(ids)
    assert (preview.tried, [group.count for group in preview.not_tried]) == (1, [2])


def test_messages_without_payload_are_counted_apart(parked_messages: Source) -> None:
    ids = [message(parked_messages, state="parked", reason=reason) for reason in ("crash", "size")]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM visibility_message_body WHERE message_id = ANY(%s)", [ids])
    ids.append(message(parked_messages, state="parked", reason="schema"))
    preview = replay_preview.preview_replay([*ids, message(parked_messages)])
    assert (preview.selected, preview.tried, preview.without_body) == (3, 1, 2)
    assert not preview.is_partial


def test_each_count_of_a_result_is_that_of_the_list_behind_it(
    session: Client, parked_messages: Source
) -> None:
    ids = [
        message(parked_messages, state="parked", reason="schema", detail=detail)
        for detail in ("", "", "sku: expected text", "qty: expected a number")
    ]
    ids += InboundMessage.objects.filter(reason="syntax").values_list("id", flat=True)
    replay = MessageReplay.objects.create(message_ids=ids, requested_at=database_now())
    page = text(session.get(f"/messages/replays/{replay.pk}"))
    assert "by the command line" in page
    links = re.findall(r'<a href="([^"]*state=parked[^"]*)"[^>]*>(\d+)</a>', page)
    assert sorted(int(count) for _, count in links) == [1, 1, 2, 2]
    for url, count in links:
        assert text(session.get(unescape(url))).count("<tr data-id=") == int(count)


def test_payload_with_half_a_surrogate_pair_is_shown(parked_messages: Source) -> None:
    admin = signed_in(UserRole.ADMIN, "ada")
    torn = message(parked_messages, state="parked", reason="schema", body=rb'{"a": "x\ud800y"}')
    response = admin.get(f"/messages/{torn}?body=1")
    assert response.status_code == 200
    assert "x\ufffdy" in response.content.decode()
