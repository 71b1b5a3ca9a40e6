"""Pages of the alert inbox and of one alert."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import HOUR, alert, order, source_alert, statements
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.models import (
    AlertState,
    ClockState,
    Notification,
    SlaClock,
    Subscription,
    WorkCalendar,
)
from visibility.screens.alerts.inbox import PAGE_SIZE
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


def test_anonymous_user_is_redirected_to_sign_in() -> None:
    answer = Client().get("/alerts")
    assert (answer.status_code, answer["Location"]) == (302, "/signin?next=/alerts")


@pytest.mark.parametrize("role", list(UserRole))
def test_every_role_can_open_inbox(role: UserRole) -> None:
    assert signed_in(role).get("/alerts").status_code == 200


def test_user_without_role_gets_403() -> None:
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert client.get("/alerts").status_code == 403


def test_open_alert_shows_title_order_customer_value_and_owner(
    ops: Client,
) -> None:
    alert("SO-4711")
    page = " ".join(text(ops, "/alerts?by=one").split())
    for expected in (
        "SO-4711 <span>Released 4 h ago and no ship confirmation</span>",
        "Acme Tools",
        "1,201 USD",
        "Unassigned",
        "High",
        '<b>1 open</b></a> in <a href="/alerts?view=open&amp;by=cause">1 cause</a>',
        "1 unassigned</b>",
        "1,201 USD at risk</a>",
    ):
        assert expected in page


def test_titles_show_the_age_of_the_case_when_they_are_shown(ops: Client) -> None:
    template = "No ship confirmation {age} after the release"
    times: dict[str, Any] = {
        "started_at": database_now() - timedelta(hours=6),
        "title_template": template,
    }
    shown = alert("SO-4711", **times)
    ended = database_now() - timedelta(hours=1)
    closed = alert("SO-4712", state="resolved", resolved_at=ended, **times)
    order = shown.order_id
    for address in (
        "/alerts?by=one",
        f"/alerts/{shown.pk}",
        f"/orders/{order}",
        "/boards/operations",
    ):
        page = text(ops, address)
        assert ">6 h</time> after the release" in page, address
        assert "Released 4 h ago" not in page, address
    title = "No ship confirmation 6 h after the release"
    assert f"<title>{title}" in text(ops, f"/alerts/{shown.pk}")
    assert ops.get(f"/api/v1/alerts/{shown.pk}").json()["title"] == title
    assert "<h1>No ship confirmation 5 h after the release</h1>" in text(
        ops, f"/alerts/{closed.pk}"
    )


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("pending", "Not sent after 3 attempts"),
        ("failed", "Sending failed after 3 attempts"),
        ("written", "Written to a file, because no mail server is configured"),
        ("cancelled", "Cancelled before it was sent"),
    ],
)
def test_notification_that_no_server_accepted_is_not_shown_as_sent(
    ops: Client, state: str, sentence: str
) -> None:
    shown = alert("SO-1")
    Notification.objects.create(
        alert=shown,
        episode=1,
        transition="opened",
        subscription=Subscription.objects.create(user=user_of_role(UserRole.OPERATIONS)),
        state=state,
        attempts=3,
        error="550 no such mailbox",
    )
    page = text(ops, f"/alerts/{shown.pk}")
    assert sentence in page
    assert "550 no such mailbox" in page
    assert "Notification sent" not in page


def test_prices_are_hidden_without_permission() -> None:
    target = source_alert(create_source(), money=77123, currency="USD")
    client = signed_in(UserRole.INTEGRATOR)
    assert "77,123" not in text(client, "/alerts")
    assert "77,123" not in text(client, f"/alerts/{target.pk}")


def test_integrator_sees_source_alerts_only() -> None:
    hidden, shown = alert("SO-1"), source_alert(create_source())
    client = signed_in(UserRole.INTEGRATOR)
    page = text(client, "/alerts")
    assert "No data from WMS" in page
    assert "SO-1" not in page
    assert client.get(f"/alerts/{hidden.pk}").status_code == 404
    assert client.post(f"/alerts/{hidden.pk}/note", {"note": "x"}).status_code == 404
    assert client.get(f"/alerts/{shown.pk}").status_code == 200


def test_count_of_each_view_equals_its_list(ops: Client) -> None:
    olga = User.objects.get(username="olga")
    now = database_now()
    alert("SO-OPEN")
    alert("SO-MINE", owner=olga)
    alert("SO-ACK", state=AlertState.ACKNOWLEDGED, acknowledged_by=olga, owner=olga)
    alert("SO-SNOOZED", state=AlertState.SNOOZED, snoozed_until=now + HOUR)
    alert("SO-HELD", state=AlertState.SUPPRESSED)
    alert("SO-DONE", state=AlertState.RESOLVED, resolved_at=now)
    alert("SO-OLD", state=AlertState.RESOLVED, resolved_at=now - 30 * 24 * HOUR)
    expected = {
        "mine": {"SO-MINE", "SO-ACK"},
        "team": {"SO-OPEN"},
        "open": {"SO-OPEN", "SO-MINE"},
        "acknowledged": {"SO-ACK"},
        "snoozed": {"SO-SNOOZED"},
        "suppressed": {"SO-HELD"},
        "resolved": {"SO-DONE"},
    }
    for view, numbers in expected.items():
        page = text(ops, f"/alerts?view={view}&by=one")
        rows = page.partition("<tbody")[2]
        assert {
            n
            for n in ("SO-OPEN", "SO-MINE", "SO-ACK", "SO-SNOOZED", "SO-HELD", "SO-DONE", "SO-OLD")
            if n in rows
        } == numbers
        assert f'data-mark="{view}">{len(numbers)}<' in page


def test_filters_narrow_list_and_report_no_matches(ops: Client) -> None:
    alert("SO-1", severity="critical")
    alert(
        "SO-2",
        severity="low",
        rule=create_rule(code="other", title="Another rule", team="Carriers"),
    )
    assert "SO-2" not in text(ops, "/alerts?by=one&severity=critical")
    assert "SO-1" not in text(ops, "/alerts?by=one&rule=other")
    assert "match 1 filter." in text(ops, "/alerts?severity=medium")


def test_sort_by_severity_and_by_value(ops: Client) -> None:
    alert("SO-LOW", severity="low", money=9000)
    alert("SO-CRIT", severity="critical", money=1)
    page = text(ops, "/alerts?by=one")
    assert page.index("SO-CRIT") < page.index("SO-LOW")
    page = text(ops, "/alerts?by=one&sort=money")
    assert page.index("SO-LOW") < page.index("SO-CRIT")


@pytest.mark.parametrize("sort", ["worst", "money", "newest", "overdue"])
def test_pages_have_no_gaps_or_duplicates(ops: Client, sort: str) -> None:
    many = PAGE_SIZE + 7
    for n in range(many):
        alert(f"SO-{n:03}", money=None if n % 3 else 5)
    seen: list[str] = []
    address = f"/alerts?by=one&sort={sort}"
    for _ in range(3):
        page = text(ops, address)
        rows = page.partition('id="alerts-list"')[2].partition("</tbody>")[0]
        seen += re.findall(r"SO-\d{3}", rows)
        link = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        if not link:
            break
        address = link
    assert (len(seen), len(set(seen))) == (many, many)


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "WyIxIl0", "\u00e9", "bnVsbA", "WyJhIiwiYiIsImMiXQ"]
)
def test_invalid_cursor_redirects_to_first_page(ops: Client, cursor: str) -> None:
    assert ops.get("/alerts", {"by": "one", "after": cursor}).status_code == 302


def test_empty_inbox_shows_running_timers_and_next_due(ops: Client) -> None:
    waiting = order("SO-1")
    SlaClock.objects.create(
        rule=create_rule(),
        order=waiting.object,
        started_at=database_now(),
        due_at=database_now() + timedelta(minutes=12, seconds=30),
        state=ClockState.RUNNING,
    )
    page = " ".join(text(ops, "/alerts").split())
    assert "No open alerts." in page
    assert "1 SLA timer running. The next SLA timer is due" in page
    assert "in 12 min" in page
    assert "(Released orders ship within 4 h)" in page


def test_inbox_statement_count_does_not_grow(ops: Client) -> None:
    alert("SO-FIRST")
    few = statements(ops, "/alerts")
    for n in range(20):
        alert(f"SO-{n}", owner=User.objects.get(username="olga"))
    # Page frame; change number, clock, groups and their money, two counts, rules, users and their
    # load; four for operational problems. One by one also the page; the causes are counted.
    assert statements(ops, "/alerts") == few <= 19
    # Columns, saved views and teams of the person.
    assert statements(ops, "/alerts?by=one") <= 23


def test_alert_page_explains_cause_closing_and_response(ops: Client) -> None:
    target = alert("SO-9", broken=True)
    create_source()
    SlaClock.objects.update(expected_sources=["wms"])
    page = " ".join(text(ops, f"/alerts/{target.pk}").split())
    for expected in (
        "The timer started",
        "“Dallas, Mon to Fri”",
        "the next step was due",
        "from WMS. It is 2 h overdue.",
        "Closes automatically when WMS reports the step",
        "Call the shift lead in Dallas.",
        "The truck leaves at 17:00 without it.",
        "Order SO-9",
        "No one is subscribed to this alert.",
    ):
        assert expected in page


def test_alert_page_says_that_somebody_subscribed_after_it_was_raised(ops: Client) -> None:
    target = alert("SO-9")
    mail = {"user": User.objects.get(username="olga"), "channel": "email"}
    Subscription.objects.create(**mail, severities=["low"])
    Subscription.objects.create(**mail, enabled=False)
    assert "No one is subscribed to this alert." in text(ops, f"/alerts/{target.pk}")
    Subscription.objects.create(**mail)
    page = text(ops, f"/alerts/{target.pk}")
    assert "Subscribed after it was raised: nobody was notified of this alert." in page
    assert "No one is subscribed" not in page


def test_alert_page_counts_working_hours_beside_the_time_overdue(ops: Client) -> None:
    # Open in the first hour of each day only: of 48 hours two are working hours, of 24 one.
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    calendar = WorkCalendar.objects.create(
        code="short", title="Short days", hours={day: [["00:00", "01:00"]] for day in days}
    )
    due_at = database_now() - timedelta(days=2)
    target = alert(
        "SO-9",
        broken=True,
        rule=create_rule(calendar, code="short"),
        started_at=due_at - HOUR,
        due_at=due_at,
    )
    page = " ".join(text(ops, f"/alerts/{target.pk}").split())
    assert "It is 2 d (2 working h) overdue." in page
    assert "This alert is overdue by 2 d (2 working h)." in page
    assert "It is 2 d (2 working h) overdue." in text(ops, f"/alerts/{target.pk}/preview")


def test_alert_page_statement_count_does_not_grow(ops: Client) -> None:
    target = alert("SO-9", broken=True)
    ops.post(f"/alerts/{target.pk}/note", {"note": "still waiting"})
    ops.get("/alerts")
    few = statements(ops, f"/alerts/{target.pk}")
    for _ in range(20):
        ops.post(f"/alerts/{target.pk}/note", {"note": "still waiting"})
    ops.get("/alerts")
    assert statements(ops, f"/alerts/{target.pk}") == few <= 19


def test_unknown_alert_is_404(ops: Client) -> None:
    assert ops.get("/alerts/999999999999999999999").status_code == 404


def test_live_page_gets_rows_that_left_the_view(ops: Client) -> None:
    target = alert("SO-7")
    signed_in(UserRole.OPERATIONS, "otto").post(f"/alerts/{target.pk}/acknowledge")
    page = text(ops, f"/alerts?view=open&by=one&also={target.pk},x,{'9' * 30}")
    also = page.partition('id="alerts-also"')[2]
    assert "by otto" in also or "by otto" in page


def test_html_in_data_is_escaped(ops: Client) -> None:
    hostile_rule = create_rule(
        code="bad", title=HOSTILE, team=HOSTILE, response=HOSTILE, consequence=HOSTILE
    )
    of = order(
        HOSTILE, customer_name=HOSTILE, answer=HOSTILE, next_step=HOSTILE, channel=HOSTILE[:60]
    )
    target = alert(of=of, rule=hostile_rule, title=HOSTILE, team=HOSTILE, currency="<b>x</b>")
    User.objects.filter(username="olga").update(first_name=HOSTILE)
    ops.post(f"/alerts/{target.pk}/note", {"note": HOSTILE})
    ops.post(f"/alerts/{target.pk}/acknowledge", {"note": HOSTILE})
    for address in (
        "/alerts?view=acknowledged",
        "/alerts?view=acknowledged&by=one",
        "/alerts?view=acknowledged&by=order",
        "/alerts?view=acknowledged&by=customer",
        f"/alerts/{target.pk}",
        f"/alerts?rule={HOSTILE}&team={HOSTILE}&view={HOSTILE}&sort={HOSTILE}",
    ):
        page = text(ops, address)
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page


@pytest.mark.parametrize("role", [UserRole.EXECUTIVE, UserRole.OPERATIONS])
def test_customer_name_needs_contacts_permission(role: UserRole) -> None:
    target = alert(of=order("SO-1", customer_name="Nora Quist", customer_no="C100"))
    client = signed_in(role)
    for address in ("/alerts", f"/alerts/{target.pk}", "/boards/operations"):
        page = text(client, address)
        assert ("Nora Quist" in page) is (role is UserRole.OPERATIONS), address
        assert ("C100" in page) is (role is UserRole.EXECUTIVE), address
    by_customer = text(client, "/alerts?by=customer")
    assert ("Nora Quist" in by_customer) is (role is UserRole.OPERATIONS)
    wall = text(client, "/boards/operations?kiosk=1")
    assert "Nora Quist" not in wall
    assert "C100" in wall


def test_alert_of_a_failing_rule_explains_when_it_closes(ops: Client) -> None:
    target = source_alert(
        create_source(title="WMS"),
        kind="rule_failed",
        source=None,
        rule=create_rule(),
        title="It fails",
    )
    title = "Rule that fails with an error: Released orders ship within 4 h"
    assert title in text(ops, "/alerts?by=one")
    assert title in text(ops, "/alerts")
    page = text(ops, f"/alerts/{target.pk}")
    assert "The rule has failed since" in page
    assert "Closes automatically when the rule works again." in page
    assert "Call the shift lead" not in page


def test_alert_of_another_rule_about_sources_does_not_claim_silence(ops: Client) -> None:
    target = source_alert(
        create_source(title="WMS"), kind="too_many_parked", rule=create_rule(), title="Parked"
    )
    page = text(ops, f"/alerts/{target.pk}")
    assert "The condition of the rule has held for WMS since" in page
    assert "sends no data" not in page
    assert "Call the shift lead" in page


def test_alert_names_the_type_of_its_impact(ops: Client) -> None:
    page = text(ops, f"/alerts/{alert().pk}")
    assert "Type of impact: customer service delay, revenue leakage" in page
