"""The alert inbox, one alert, and the acts."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.web.alert_cast import (
    HOUR,
    alert,
    order,
    rule,
    signed_in,
    source,
    source_alert,
    statements,
)
from visibility.db.clock import database_now
from visibility.models import AlertState, ClockState, SlaClock
from visibility.screens.alerts.inbox import PAGE
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def ops() -> Client:
    return signed_in(Role.OPERATIONS, "olga")


def test_a_stranger_is_asked_to_sign_in() -> None:
    answer = Client().get("/alerts")
    assert (answer.status_code, answer["Location"]) == (302, "/signin?next=/alerts")


@pytest.mark.parametrize("role", list(Role))
def test_every_role_sees_the_inbox(role: Role) -> None:
    assert signed_in(role).get("/alerts").status_code == 200


def test_somebody_without_a_role_sees_nothing() -> None:
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert client.get("/alerts").status_code == 403


def test_an_open_alert_shows_its_sentence_order_customer_money_and_that_nobody_has_it(
    ops: Client,
) -> None:
    alert("SO-4711")
    page = text(ops, "/alerts")
    for words in (
        "Released 4 h ago and no ship confirmation",
        "Order SO-4711 · Acme Tools",
        "1,201 USD",
        "Unowned",
        "High",
        "1 alert is open",
    ):
        assert words in page


def test_who_may_not_see_prices_sees_none() -> None:
    found = source_alert(source(), money=77123, currency="USD")
    client = signed_in(Role.INTEGRATOR)
    assert "77,123" not in text(client, "/alerts")
    assert "77,123" not in text(client, f"/alerts/{found.pk}")


def test_an_integrator_sees_the_alerts_of_sources_only() -> None:
    hidden, shown = alert("SO-1"), source_alert(source())
    client = signed_in(Role.INTEGRATOR)
    page = text(client, "/alerts")
    assert "WMS has been silent" in page
    assert "SO-1" not in page
    assert client.get(f"/alerts/{hidden.pk}").status_code == 404
    assert client.post(f"/alerts/{hidden.pk}/note", {"note": "x"}).status_code == 404
    assert client.get(f"/alerts/{shown.pk}").status_code == 200


def test_each_view_counts_and_lists_the_same_alerts(ops: Client) -> None:
    olga = User.objects.get(username="olga")
    now = database_now()
    alert("SO-OPEN")
    alert("SO-MINE", owner=olga)
    alert("SO-ACK", state=AlertState.ACKNOWLEDGED, acknowledged_by=olga, owner=olga)
    alert("SO-SNOOZED", state=AlertState.SNOOZED, snoozed_until=now + HOUR)
    alert("SO-HELD", state=AlertState.HELD)
    alert("SO-DONE", state=AlertState.RESOLVED, resolved_at=now)
    alert("SO-OLD", state=AlertState.RESOLVED, resolved_at=now - 30 * 24 * HOUR)
    expected = {
        "mine": {"SO-MINE", "SO-ACK"},
        "team": {"SO-OPEN"},
        "open": {"SO-OPEN", "SO-MINE"},
        "acknowledged": {"SO-ACK"},
        "snoozed": {"SO-SNOOZED"},
        "held": {"SO-HELD"},
        "resolved": {"SO-DONE"},
    }
    for view, numbers in expected.items():
        page = text(ops, f"/alerts?view={view}")
        rows = page.partition("<tbody")[2]
        assert {
            n
            for n in ("SO-OPEN", "SO-MINE", "SO-ACK", "SO-SNOOZED", "SO-HELD", "SO-DONE", "SO-OLD")
            if n in rows
        } == numbers
        assert f'data-mark="{view}">{len(numbers)}<' in page


def test_the_filters_narrow_and_say_when_nothing_matches(ops: Client) -> None:
    alert("SO-1", severity="critical")
    alert("SO-2", severity="low", rule=rule("other", title="Another rule", team="Carriers"))
    assert "SO-2" not in text(ops, "/alerts?severity=critical")
    assert "SO-1" not in text(ops, "/alerts?rule=other")
    assert "matches 1 filter." in text(ops, "/alerts?severity=medium")


def test_the_worst_stands_first_and_money_can_be_first(ops: Client) -> None:
    alert("SO-LOW", severity="low", money=9000)
    alert("SO-CRIT", severity="critical", money=1)
    page = text(ops, "/alerts")
    assert page.index("SO-CRIT") < page.index("SO-LOW")
    page = text(ops, "/alerts?sort=money")
    assert page.index("SO-LOW") < page.index("SO-CRIT")


@pytest.mark.parametrize("sort", ["worst", "money", "newest"])
def test_pages_follow_each_other_without_gap_or_repeat(ops: Client, sort: str) -> None:
    many = PAGE + 7
    for n in range(many):
        alert(f"SO-{n:03}", money=None if n % 3 else 5)
    seen: list[str] = []
    address = f"/alerts?sort={sort}"
    for _ in range(3):
        page = text(ops, address)
        rows = page.partition('id="alerts-list"')[2].partition("</tbody>")[0]
        seen += [part[:6] for part in rows.split("Order ")[1:]]
        link = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        if not link:
            break
        address = link
    assert (len(seen), len(set(seen))) == (many, many)


@pytest.mark.parametrize("place", ["x", "W10", "WyIxIl0", "\u00e9", "bnVsbA", "WyJhIiwiYiIsImMiXQ"])
def test_a_tampered_place_leads_back_to_the_first_page(ops: Client, place: str) -> None:
    assert ops.get("/alerts", {"after": place}).status_code == 302


def test_the_empty_inbox_says_what_runs_and_what_comes_next(ops: Client) -> None:
    one = order("SO-1")
    SlaClock.objects.create(
        rule=rule(),
        order=one.object,
        started_at=database_now(),
        due_at=database_now() + timedelta(minutes=12, seconds=30),
        state=ClockState.RUNNING,
    )
    page = " ".join(text(ops, "/alerts").split())
    assert "Nothing open." in page
    assert "1 clock running, next due" in page
    assert "in 12 min" in page
    assert "(Released orders ship within 4 h)" in page


def test_the_inbox_costs_the_same_for_one_alert_and_for_many(ops: Client) -> None:
    alert("SO-FIRST")
    few = statements(ops, "/alerts")
    for n in range(20):
        alert(f"SO-{n}", owner=User.objects.get(username="olga"))
    # The frame's own; change number, clock, page, two counts, rules, people and their loads;
    # three for what is wrong with the product itself.
    assert statements(ops, "/alerts") == few <= 17


def test_one_alert_says_why_it_fired_what_closes_it_and_what_to_do(ops: Client) -> None:
    found = alert("SO-9", broken=True)
    source()
    SlaClock.objects.update(waits_for="wms")
    page = " ".join(text(ops, f"/alerts/{found.pk}").split())
    for words in (
        "The clock started",
        "“Dallas, Mon to Fri”",
        "word from WMS was due",
        "has not come: 2 h over.",
        "It closes by itself when WMS reports the step",
        "Call the shift lead in Dallas.",
        "The truck leaves at 17:00 without it.",
        "Order SO-9",
        "Nobody subscribed to this",
    ):
        assert words in page


def test_one_alert_costs_a_fixed_number_of_statements(ops: Client) -> None:
    found = alert("SO-9", broken=True)
    few = statements(ops, f"/alerts/{found.pk}")
    for _ in range(20):
        ops.post(f"/alerts/{found.pk}/note", {"note": "still waiting"})
    ops.get("/alerts")
    assert statements(ops, f"/alerts/{found.pk}") == few <= 18


def test_an_alert_that_does_not_exist_is_not_found(ops: Client) -> None:
    assert ops.get("/alerts/999999999999999999999").status_code == 404


def test_a_live_page_learns_what_became_of_rows_that_left_its_view(ops: Client) -> None:
    found = alert("SO-7")
    signed_in(Role.OPERATIONS, "otto").post(f"/alerts/{found.pk}/acknowledge")
    page = text(ops, f"/alerts?view=open&also={found.pk},x,{'9' * 30}")
    also = page.partition('id="alerts-also"')[2]
    assert "by otto" in also or "by otto" in page


def test_hostile_text_is_shown_as_text(ops: Client) -> None:
    made = rule("bad", title=HOSTILE, team=HOSTILE, response=HOSTILE, consequence=HOSTILE)
    of = order(
        HOSTILE, customer_name=HOSTILE, answer=HOSTILE, awaited=HOSTILE, channel=HOSTILE[:60]
    )
    found = alert(of=of, rule=made, title=HOSTILE, team=HOSTILE, currency="<b>x</b>")
    User.objects.filter(username="olga").update(first_name=HOSTILE)
    ops.post(f"/alerts/{found.pk}/note", {"note": HOSTILE})
    ops.post(f"/alerts/{found.pk}/acknowledge", {"note": HOSTILE})
    for address in (
        "/alerts?view=acknowledged",
        f"/alerts/{found.pk}",
        f"/alerts?rule={HOSTILE}&team={HOSTILE}&view={HOSTILE}&sort={HOSTILE}",
    ):
        page = text(ops, address)
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page


@pytest.mark.parametrize("role", [Role.EXECUTIVE, Role.OPERATIONS])
def test_the_customer_is_named_to_those_who_may_see_contacts(role: Role) -> None:
    found = alert(of=order("SO-1", customer_name="Nora Quist", customer_no="C100"))
    client = signed_in(role)
    for address in ("/alerts", f"/alerts/{found.pk}", "/boards/operations"):
        page = text(client, address)
        assert ("Nora Quist" in page) is (role is Role.OPERATIONS), address
        assert ("C100" in page) is (role is Role.EXECUTIVE), address
    wall = text(client, "/boards/operations?kiosk=1")
    assert "Nora Quist" not in wall
    assert "C100" in wall
