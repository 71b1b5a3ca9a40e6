"""A contradiction is none while the side that would settle it is silent, or not yet read."""

from datetime import datetime, timedelta

import pytest
from django.db import connection

from tests.web.test_orders import signed_in, text
from tests.web.test_truths import lines, listen, tell
from visibility.db.clock import database_now
from visibility.models import InboundMessage, Order, Source
from visibility.pipeline import stages

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SAID = "Shipped: NORTH says 8, ERP says 0"


@pytest.fixture
def now(db: None) -> datetime:
    return database_now()


@pytest.fixture
def order(now: datetime) -> Order:
    """The 3PL shipped 8 of 12 two days ago, and the ERP still says 0."""
    listen()
    tell("erp", "order.received", now - 96 * HOUR, {"lines": lines("ordered", A=12)})
    tell("erp", "order.released", now - 72 * HOUR, {"lines": lines("shipped", A=0)})
    shipped = {"shipment": "S1", "part": "shipment S1", "lines": lines("shipped", A=8)}
    tell("north", "shipment.confirmed", now - 48 * HOUR, shipped)
    stages.advance()
    return Order.objects.get()


def last_word(slug: str, at: datetime, *, every: timedelta | None = HOUR) -> None:
    """A source that spoke then for the last time, and is expected to speak each hour."""
    Source.objects.filter(slug=slug).update(expect_every=every, created_at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE visibility_inbound_message m SET received_at = %s FROM visibility_source s "
            "WHERE s.id = m.source_id AND s.slug = %s",
            [at, slug],
        )


def unread(slug: str, *, for_: timedelta) -> None:
    """A source whose newest message nobody has read yet."""
    at = database_now()
    tell(slug, "order.changed", at, {"lines": lines("shipped", A=8)})
    InboundMessage.objects.filter(state="waiting").update(received_at=at - for_)


def page(order: Order, tab: str = "timeline") -> str:
    return text(signed_in("customer_service"), f"/orders/{order.pk}?tab={tab}")


def test_it_waits_for_the_side_that_is_silent(order: Order, now: datetime) -> None:
    last_word("erp", now - 47 * HOUR)
    shown = page(order)
    assert SAID in shown
    assert "waiting for ERP, silent since " in shown
    assert "Systems contradict each other" not in shown
    assert "Conflicting claims" not in shown


def test_the_truths_call_it_no_contradiction(order: Order, now: datetime) -> None:
    last_word("erp", now - 47 * HOUR)
    shown = page(order, "truths")
    assert "No contradictions" in shown
    assert "no contradiction yet, waiting for ERP, silent since " in shown


def test_it_waits_for_the_side_that_is_not_read(order: Order) -> None:
    unread("erp", for_=timedelta(minutes=3))
    assert "waiting for ERP, not read since " in page(order)


@pytest.mark.parametrize(
    ("silent", "since", "every"),
    [
        ("erp", 40, HOUR),  # it had its chance to follow, and did not
        ("north", 47, HOUR),  # the newest word is its own
        ("erp", 47, None),  # nobody knows its rhythm
        ("finance", 47, HOUR),  # it has no say in this
    ],
)
def test_otherwise_it_stays_a_contradiction(
    order: Order, now: datetime, silent: str, since: int, every: timedelta | None
) -> None:
    last_word(silent, now - since * HOUR, every=every)
    shown = page(order)
    assert SAID in shown
    assert "waiting for" not in shown
    assert "Systems contradict each other: shipped" in shown


def test_what_came_this_moment_holds_nothing(order: Order) -> None:
    unread("erp", for_=timedelta())
    assert "waiting for" not in page(order)


def test_once_the_feed_has_caught_up_it_is_one(order: Order, now: datetime) -> None:
    last_word("erp", now - 47 * HOUR)
    tell("erp", "order.changed", now - HOUR, {"attributes": {"channel": "web"}})
    stages.advance()
    shown = page(order)
    assert "waiting for" not in shown
    assert "Systems contradict each other: shipped" in shown


def test_looking_back_shows_what_was_known(order: Order, now: datetime) -> None:
    """Whether a feed was silent then is not asked."""
    client = signed_in("customer_service")
    last_word("erp", now - 47 * HOUR)
    at = (database_now()).isoformat().replace("+00:00", "Z")
    shown = text(client, f"/orders/{order.pk}?as_known_at={at}")
    assert SAID in shown
    assert "waiting for" not in shown


@pytest.mark.parametrize(("since", "found"), [(40, True), (47, False)])
def test_lists_and_counts_say_the_same(
    order: Order, now: datetime, since: int, *, found: bool
) -> None:
    client = signed_in("customer_service")
    last_word("erp", now - since * HOUR)
    chip = '>Conflicting claims <span class="count">1</span>'
    assert (chip in text(client, "/orders")) is found
    for query, listed in (("state=conflict", found), ("without=conflict", not found)):
        assert (f'href="/orders/{order.pk}"' in text(client, f"/orders?{query}")) is listed
    shipped = text(client, "/orders?state=conflict&state=partially_shipped")
    assert f'href="/orders/{order.pk}"' in shipped


def test_the_interface_says_the_same(order: Order, now: datetime) -> None:
    client = signed_in("customer_service")
    for address in (f"/api/v1/orders/{order.pk}", f"/api/v1/orders/{order.pk}/timeline"):
        last_word("erp", now - 40 * HOUR)
        found = client.get(address).json()
        assert [c["field"] for c in found["conflicts"]] == ["shipped"]
        assert "conflict" in found["states"]
        last_word("erp", now - 47 * HOUR)
        found = client.get(address).json()
        assert found["conflicts"] == []
        assert "conflict" not in found["states"]
        assert "contradict" not in found["answer"]
        assert found.get("conflict_count", 0) == 0
