"""The sources, their messages, and setting parked ones going again."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from connectors.sdk.payload import Reason
from tests.web.alert_cast import order, signed_in, source, statements
from tests.web.source_cast import event, message
from visibility.db.clock import database_now
from visibility.models import (
    AuditEntry,
    BusinessObject,
    Identifier,
    InboundMessage,
    ObjectRelation,
    Refusal,
    Source,
)
from visibility.pipeline import stages
from visibility.screens.messages import message_list, parked
from visibility.screens.sources import health
from visibility.screens.sources.labels import State
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The doorbells that were rung."""
    rung: list[str] = []
    monkeypatch.setattr(stages, "nudge", rung.append)
    return rung


@pytest.fixture
def integrator() -> Client:
    return signed_in(Role.INTEGRATOR, "ines")


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def state_of(feed: Source) -> State:
    return health.health(database_now(), [feed])[0].state


@pytest.mark.parametrize("role", [Role.OPERATIONS, Role.INTEGRATOR, Role.ADMIN])
def test_who_looks_after_feeds_may_see_them(role: Role) -> None:
    source()
    client = signed_in(role)
    for address in ("/sources", "/sources/wms", "/messages"):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("role", [Role.CUSTOMER_SERVICE, Role.EXECUTIVE])
def test_others_may_not(role: Role) -> None:
    feed = source()
    one = message(feed, state="parked", reason="schema")
    client = signed_in(role)
    for address in ("/sources", "/sources/wms", "/messages", f"/messages/{one}"):
        assert client.get(address).status_code == 403
    for address in (f"/messages/{one}/replay", "/sources/wms/replay"):
        assert client.post(address).status_code == 403


def test_a_stranger_is_asked_to_sign_in() -> None:
    assert Client().get("/sources")["Location"] == "/signin?next=/sources"


def test_without_a_source_the_page_says_what_comes_next(integrator: Client) -> None:
    page = text(integrator, "/sources")
    assert "No source is connected yet." in page
    assert "manage.py source add" in page


def test_a_feed_is_live_silent_paused_waiting_or_failing() -> None:
    now = database_now()
    live = source("live")
    message(live)
    silent = source("silent")
    message(silent, received_at=now - 2 * HOUR)
    failing = source("failing", poll_error="HTTP 500")
    message(failing)
    found = [
        state_of(feed)
        for feed in (live, silent, failing, source("new"), source("off", enabled=False))
    ]
    assert found == [State.LIVE, State.SILENT, State.FAILING, State.WAITING, State.PAUSED]


def test_a_feed_that_may_be_silent_is_live_however_long() -> None:
    feed = source(expect_every=None)
    message(feed, received_at=database_now() - 400 * HOUR)
    assert state_of(feed) == State.LIVE


def test_a_feed_whose_requests_are_refused_is_failing_and_says_why(integrator: Client) -> None:
    feed, now = source(), database_now()
    message(feed)
    Refusal.objects.create(slug="wms", status=401, hour=now, count=3, last_at=now)
    assert state_of(feed) == State.FAILING
    assert "with a signature that does not fit" in text(integrator, "/sources")


def test_the_worst_feed_comes_first_and_is_named(integrator: Client) -> None:
    message(source("alpha"))
    source("zulu", poll_error="HTTP 500")
    page = text(integrator, "/sources")
    assert "1 of 2 sources need a look: ZULU (failing)." in page
    assert page.index('href="/sources/zulu"') < page.index('href="/sources/alpha"')


def test_counts_delay_and_the_day_line() -> None:
    feed, now = source(), database_now()
    thing = BusinessObject.objects.create(kind="order")
    recent = message(feed, repeats=2)
    event(recent, feed, thing)
    message(feed, received_at=now - 3 * HOUR)
    message(feed, received_at=now - 30 * HOUR)
    found = health.health(now, [feed])[0]
    assert (found.last_hour, found.last_day, found.duplicates) == (1, 2, 2)
    assert (found.hours[23], found.hours[20], sum(found.hours)) == (1, 1, 2)
    assert found.delay is None  # it happened before we listened: history, no delay
    Source.objects.update(created_at=now - timedelta(days=2))
    assert health.health(now, [feed])[0].delay == timedelta(minutes=10)


def test_every_accepted_message_has_one_fate() -> None:
    feed, other = source(), source("other")
    message(feed, repeats=3)
    message(feed, state="parked", reason="schema")
    message(feed, state="waiting")
    message(other)
    found = health.balance(feed)
    assert (found.applied, found.parked, found.waiting, found.duplicate) == (1, 1, 1, 3)
    assert found.accepted == 6


def test_the_page_of_all_sources_costs_the_same_however_many(integrator: Client) -> None:
    for place in range(3):
        message(source(f"feed-{place}"), state="parked", reason="schema", detail=str(place))
    few = statements(integrator, "/sources")
    for place in range(3, 12):
        message(source(f"feed-{place}"), state="parked", reason="schema", detail=str(place))
    assert statements(integrator, "/sources") == few <= 17


def test_lists_of_messages_cost_the_same_however_long(integrator: Client) -> None:
    feed = source()
    message(feed)
    few = statements(integrator, "/messages")
    for _ in range(20):
        message(feed)
    assert statements(integrator, "/messages") == few <= 8


@pytest.mark.parametrize("address", ["/sources", "/sources/wms?tab=messages", "/messages"])
def test_text_from_outside_is_never_markup(integrator: Client, address: str) -> None:
    feed = source(title=HOSTILE, poll_error=HOSTILE, owner=HOSTILE, config={HOSTILE: HOSTILE})
    message(feed, state="parked", reason="mapping", detail=HOSTILE, key=HOSTILE)
    for place in (address, "/sources/wms", "/sources/wms?tab=parked", "/sources/wms?tab=settings"):
        assert HOSTILE not in text(integrator, place)
    assert "&lt;script&gt;" in text(integrator, address)


def test_a_message_shows_its_verdict_events_and_orders(integrator: Client) -> None:
    feed, placed = source(), order("SO-4711")
    one = message(feed, repeats=2)
    event(one, feed, placed.object)
    page = text(integrator, f"/messages/{one}")
    for words in ("It made 1 event.", "order.received", "orders/create", "SO-4711", "85 ms"):
        assert words in page


def test_an_order_is_touched_through_its_parcel_and_after_a_merge(integrator: Client) -> None:
    feed, placed = source(), order("SO-4711")
    old = BusinessObject.objects.create(kind="order", merged_into=placed.object)
    parcel = BusinessObject.objects.create(kind="package")
    ObjectRelation.objects.create(parent=old, child=parcel, event_id=1)
    one = message(feed)
    event(one, feed, parcel, type="shipment.delivered")
    assert "SO-4711" in text(integrator, f"/messages/{one}")


@pytest.mark.parametrize("number", [1, 10**30])
def test_a_message_that_is_not_there_is_not_found(integrator: Client, number: int) -> None:
    assert integrator.get(f"/messages/{number}").status_code == 404
    assert integrator.post(f"/messages/{number}/replay").status_code == 404
    assert integrator.get("/sources/nothing").status_code == 404


def test_the_content_is_shown_on_demand_and_its_reading_recorded(integrator: Client) -> None:
    one = message(source(), body=f'{{"name": "{HOSTILE}", "qty": 1.10}}'.encode())
    assert "&quot;qty&quot;" not in text(integrator, f"/messages/{one}")
    assert not AuditEntry.objects.exists()
    page = text(integrator, f"/messages/{one}?body=1")
    assert HOSTILE not in page
    assert "1.10" in page
    entry = AuditEntry.objects.get()
    assert (entry.what, entry.object) == ("message.read", f"message {one}")
    assert entry.who is not None
    assert entry.who.username == "ines"


def test_content_that_is_no_text_is_shown_all_the_same(integrator: Client) -> None:
    one = message(source(), body=b"\xff\xfe\x00[" + b"[" * 5000)
    assert text(integrator, f"/messages/{one}?body=1")


def test_operations_see_the_verdict_but_not_the_content() -> None:
    one = message(source(), body=b"secret content")
    client = signed_in(Role.OPERATIONS)
    assert "You may not read message contents" in text(client, f"/messages/{one}")
    assert client.get(f"/messages/{one}?body=1").status_code == 403
    assert not AuditEntry.objects.exists()


def test_headers_that_prove_who_sent_it_stay_hidden(integrator: Client) -> None:
    headers = {"x-shopify-hmac-sha256": "abcdef", "authorization": "Bearer x1", "x-topic": "orders"}
    one = message(source(), headers=headers)
    page = text(integrator, f"/messages/{one}")
    assert "abcdef" not in page
    assert "Bearer x1" not in page
    assert "orders" in page


def test_secrets_show_only_that_they_are_set(integrator: Client) -> None:
    source(sealed_secrets="gAAAAABsealed", config={"api_token": "t0ps3cret", "site": "Dallas"})
    page = text(integrator, "/sources/wms?tab=settings")
    assert "set; settings last changed" in page
    assert "/hooks/wms" in page
    assert "Dallas" in page
    assert "t0ps3cret" not in page
    assert "gAAAAAB" not in page
    assert signed_in(Role.OPERATIONS).get("/sources/wms?tab=settings").status_code == 403


def test_parked_messages_are_grouped_by_cause_and_say_what_to_do(integrator: Client) -> None:
    feed = source()
    for _ in range(3):
        message(feed, state="parked", reason="mapping", detail="status: PRT_SHP is unknown")
    message(feed, state="parked", reason="schema", detail="sku: expected text, got nothing")
    found = parked.groups(feed.id)
    assert [(group.reason, group.count) for group in found] == [("mapping", 3), ("schema", 1)]
    page = text(integrator, "/sources/wms?tab=parked")
    assert "A word of theirs is unknown to us" in page
    assert "PRT_SHP" in page


def test_every_reason_has_words() -> None:
    assert set(parked.WORDS) == set(Reason)
    assert parked.words("something new")[0] == "It could not be read"


def test_one_parked_message_is_set_going_again(integrator: Client, bells: list[str]) -> None:
    one = message(source(), state="parked", reason="mapping")
    answer = integrator.post(f"/messages/{one}/replay", follow=True)
    assert "1 message set going again." in answer.content.decode()
    assert InboundMessage.objects.get(id=one).state == "waiting"
    assert bells == ["advance"]
    assert AuditEntry.objects.get().what == "message.replay"


def test_replaying_what_is_not_parked_changes_nothing(integrator: Client) -> None:
    one = message(source())
    answer = integrator.post(f"/messages/{one}/replay", follow=True)
    assert "Nothing to replay" in answer.content.decode()
    assert InboundMessage.objects.get(id=one).state == "applied"


def test_a_cause_is_replayed_and_the_others_stay(integrator: Client) -> None:
    feed, other = source(), source("other")
    cause: dict[str, Any] = {"state": "parked", "reason": "mapping", "detail": "PRT_SHP"}
    mine = [message(feed, **cause) for _ in range(2)]
    stay = [
        message(feed, **cause | {"detail": "CNCLD"}),
        message(feed, **cause | {"reason": "schema"}),
        message(other, **cause),
    ]
    integrator.post("/sources/wms/replay?reason=mapping", {"detail": "PRT_SHP"})
    states = dict(InboundMessage.objects.values_list("id", "state"))
    assert {states[one] for one in mine} == {"waiting"}
    assert {states[one] for one in stay} == {"parked"}


def test_operations_see_parked_messages_and_may_not_replay() -> None:
    one = message(source(), state="parked", reason="mapping")
    client = signed_in(Role.OPERATIONS)
    assert "/replay" not in text(client, "/sources/wms?tab=parked")
    assert client.post(f"/messages/{one}/replay").status_code == 403
    assert client.post("/sources/wms/replay").status_code == 403
    assert InboundMessage.objects.get(id=one).state == "parked"


def test_replay_asks_for_a_post(integrator: Client) -> None:
    one = message(source(), state="parked", reason="mapping")
    assert integrator.get(f"/messages/{one}/replay").status_code == 405
    assert integrator.get("/sources/wms/replay").status_code == 405


def test_any_number_leads_to_its_messages(integrator: Client) -> None:
    feed, placed = source(), order("SO-4711")
    one = message(feed, key="evt_one")
    event(one, feed, placed.object)
    other = message(feed, key="evt_two")
    Identifier.objects.create(
        kind="order",
        scheme="sales_order",
        issuer="erp",
        value="SO-4711",
        raw="SO-4711",
        strong=True,
        object=placed.object,
    )
    for number in ("so-4711", "evt_one", str(one)):
        page = text(integrator, f"/messages?q={number}")
        assert f'href="/messages/{one}"' in page
        assert f'href="/messages/{other}"' not in page
    assert "No message found" in text(integrator, "/messages?q=nothing")


def test_messages_are_narrowed_by_source_and_verdict(integrator: Client) -> None:
    one = message(source(), state="parked", reason="schema")
    other = message(source("other"))
    page = text(integrator, "/messages?source=other&state=applied")
    assert f'href="/messages/{other}"' in page
    assert f'href="/messages/{one}"' not in page


@pytest.mark.parametrize("by", ["", "?source=wms", "?source=wms&tab=messages"])
def test_pages_of_messages_meet_without_gap_or_overlap(integrator: Client, by: str) -> None:
    feed = source()
    for _ in range(message_list.PAGE + 3):
        message(feed)
    chosen = feed.id if by else None
    first = message_list.listed(source_id=chosen)
    rest = message_list.listed(source_id=chosen, after=first[message_list.PAGE - 1].place)
    seen = [row.id for row in [*first[: message_list.PAGE], *rest]]
    assert len(seen) == len(set(seen)) == message_list.PAGE + 3
    assert "Older" in text(integrator, f"/messages{by}")


@pytest.mark.parametrize(
    "address",
    [
        "/messages?q=%00&source=%00&state=%00&after=%00",
        "/messages?after=x~y&state=nothing&source=nothing",
        "/messages?q=" + "9" * 300,
        "/sources/wms?tab=nothing&after=~",
    ],
)
def test_an_address_made_up_by_hand_is_answered(integrator: Client, address: str) -> None:
    message(source())
    assert integrator.get(address).status_code == 200


def test_another_version_of_a_message_is_shown_beside_it(integrator: Client) -> None:
    feed = source()
    one = message(feed, key="same")
    other = message(feed, key="same", state="parked", reason="conflict")
    assert f'href="/messages/{other}"' in text(integrator, f"/messages/{one}")
