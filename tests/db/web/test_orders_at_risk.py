"""Orders at risk, of unknown status and entered twice: one definition for pill, view and counts."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert, order
from tests.builders.listed_orders import walk_pages
from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.identity.duplicate_order_suggestions import find_suggestions
from visibility.models import (
    ClockState,
    DecisionIdentifier,
    Identifier,
    IdentityDecision,
    Milestone,
    Order,
    SlaClock,
    WorkCalendar,
)
from visibility.sla.calendar import DAYS
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def now() -> datetime:
    return database_now()


@pytest.fixture
def clerk() -> Client:
    return signed_in(UserRole.CUSTOMER_SERVICE)


def midnight_utc(moment: datetime) -> datetime:
    """How a promised date without a time is stored."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def pills(client: Client, address: str = "/orders") -> dict[str, str]:
    """The sentence of the pill *At risk* by order number."""
    page = unescape(client.get(address).content.decode())
    rows = re.findall(r'<tr data-id="\d+".*?</tr>', page, re.DOTALL)
    texts = {}
    for row in rows:
        number = re.findall(r'class="row-link"[^>]*>([^<]+)<', row)[0]
        if pill := re.findall(r'>At risk<span class="visually-hidden">: ([^<]*)<', row):
            texts[number] = pill[0]
    return texts


def count_of_view(client: Client, query: str) -> int:
    page = client.get("/orders").content.decode()
    return int(re.findall(rf'href="/orders\?{query}" data-count-of-list="(\d+)"', page)[0])


def run_timer(of: Order, now: datetime, *, started: timedelta, due: timedelta) -> None:
    SlaClock.objects.create(
        rule=create_rule(),
        order=of.object,
        subject_key="",
        started_at=now - started,
        due_at=now + due,
        state=ClockState.RUNNING,
    )


def test_pill_view_and_preview_say_why_an_order_is_at_risk(clerk: Client, now: datetime) -> None:
    alert(of=order("SO-ALERT"))
    order("SO-HELD", status="on_hold", promised_at=midnight_utc(now + DAY))
    order("SO-BACK", status="backordered", promised_at=now + 3 * HOUR)
    # Not at risk: promised later, late, delivered, or not on hold.
    order("SO-LATER", status="on_hold", promised_at=midnight_utc(now + 2 * DAY))
    order("SO-LATE", status="on_hold", promised_at=now - 2 * DAY)
    order("SO-RELEASED", promised_at=midnight_utc(now + DAY))
    alert(of=order("SO-DONE", delivered_at=now - HOUR))
    shown = pills(clerk)
    assert set(shown) == {"SO-ALERT", "SO-HELD", "SO-BACK"}
    title = create_rule().title
    assert shown["SO-ALERT"] == f"SLA alert “{title}” is open, due 2 h ago"
    day = now + DAY
    assert shown["SO-HELD"] == f"On hold, and promised for {day:%a}, {day:%b} {day.day}"
    assert shown["SO-BACK"].startswith("Back-ordered, and promised for ")
    assert len(walk_pages(clerk, "/orders?at_risk=1")) == count_of_view(clerk, "at_risk=1") == 3
    assert len(clerk.get("/api/v1/orders?at_risk=1").json()["items"]) == 3
    for number in ("SO-ALERT", "SO-HELD"):
        listed = Order.objects.get(number=number)
        preview = unescape(clerk.get(f"/orders/{listed.pk}/preview").content.decode())
        assert f"<li>{shown[number]}</li>" in preview
        page = unescape(clerk.get(f"/orders/{listed.pk}").content.decode())
        assert "<span>At risk</span></span>" in page
        assert f"<p>{shown[number]}</p>" in page
    calm = Order.objects.get(number="SO-RELEASED")
    assert "<span>At risk</span>" not in clerk.get(f"/orders/{calm.pk}").content.decode()


def test_timer_is_a_risk_after_most_of_its_time(
    clerk: Client, now: datetime, settings: Settings
) -> None:
    """In a zone where it is noon, so that it ends on the same day."""
    settings.TIME_ZONE = f"Etc/GMT{now.hour - 12:+d}"
    run_timer(order("SO-CLOSE"), now, started=9 * HOUR, due=timedelta(minutes=1))
    run_timer(order("SO-EARLY"), now, started=timedelta(minutes=1), due=timedelta(minutes=2))
    shown = pills(clerk)
    assert list(shown) == ["SO-CLOSE"]
    assert re.fullmatch(r"SLA timer “.+” is due in \d+ (s|min)", shown["SO-CLOSE"])


def test_cutoff_that_is_close_or_over_is_a_risk(clerk: Client, now: datetime) -> None:
    """In a zone where it is noon, so that cut-off and order are of one day at any hour."""
    offset = 12 - now.hour
    zone = f"Etc/GMT{-offset:+d}"
    soon = now.astimezone(UTC) + timedelta(minutes=40)
    local = soon + timedelta(hours=offset)
    WorkCalendar.objects.create(
        code="dallas",
        title="Dallas",
        zone=zone,
        cutoffs=[
            {
                "warehouse": "Dallas",
                "carrier": "UPS",
                "times": dict.fromkeys(DAYS, f"{local:%H:%M}"),
            }
        ],
    )
    due = {"warehouse": "Dallas", "carrier": "UPS", "promised_at": soon + HOUR}
    order("SO-SLOW", **due)
    ready = order("SO-READY", **due)
    Milestone.objects.create(order=ready, code="picked", reached_at=now, completed_at=now)
    order("SO-RENO", **{**due, "warehouse": "Reno"})
    shown = pills(clerk)
    assert list(shown) == ["SO-SLOW"]
    assert re.fullmatch(r"Cut-off for Dallas, UPS in (39|40) min; not picked yet", shown["SO-SLOW"])
    assert count_of_view(clerk, "at_risk=1") == 1


def test_row_with_several_facts_names_the_most_urgent_first(clerk: Client, now: datetime) -> None:
    both = order("SO-1", status="on_hold", promised_at=now + HOUR)
    alert(of=both)
    first, second = pills(clerk)["SO-1"].split(". ")
    assert first.startswith("SLA alert")
    assert second.startswith("On hold, and promised for")
    assert count_of_view(clerk, "at_risk=1") == 1


def duplicate(number: str, now: datetime, **fields: object) -> Order:
    wanted = {"customer_po": "PO-7", "customer_no": "C1", "total": Decimal(90), "currency": "USD"}
    created = order(number, ordered_at=now - DAY, **{**wanted, **fields})
    for scheme, issuer, value, is_identity in (
        ("customer_po", "C1", created.customer_po, False),
        ("sales_order", "erp", number, True),
    ):
        Identifier.objects.create(
            object=created.object,
            kind="order",
            scheme=scheme,
            issuer=issuer,
            value=value,
            raw=value,
            is_identity=is_identity,
        )
    return created


def test_possible_duplicates_are_those_of_record_matching(clerk: Client, now: datetime) -> None:
    left, right = duplicate("SO-1", now), duplicate("SO-2", now - DAY)
    duplicate("SO-3", now, total=Decimal(91))
    duplicate("SO-4", now, customer_no="C2")
    duplicate("SO-5", now - 5 * DAY)
    duplicate("SO-6", now, customer_po="PO-8")
    listed = set(walk_pages(clerk, "/orders?duplicate=1"))
    assert listed == {left.pk, right.pk}
    suggested = [s for s in find_suggestions() if s.rule == "Possible duplicate"]
    assert {pk for s in suggested for pk in (s.left.pk, s.right.pk)} == listed
    assert count_of_view(clerk, "duplicate=1") == 2
    decision = IdentityDecision.objects.create(
        verdict="distinct",
        left_label="SO-1",
        right_label="SO-2",
        decided_at=now,
        decided_by_id=int(clerk.session["_auth_user_id"]),
    )
    for side, number in enumerate(("SO-1", "SO-2")):
        DecisionIdentifier.objects.create(
            decision=decision,
            side=side,
            kind="order",
            scheme="sales_order",
            issuer="erp",
            value=number,
            used_at=now,
        )
    assert walk_pages(clerk, "/orders?duplicate=1") == []
