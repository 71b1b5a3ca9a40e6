"""Quiet hours, digest, rules, scope and team of a subscription: entered, sent, and by right."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert
from tests.builders.sla_rules import create_rule
from tests.builders.users import create_user, signed_in, user_of_role
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, Notification, Subscription, find_or_create_team
from visibility.notify import outbox
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
NEW = "/subscriptions/new/email"


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


@pytest.fixture(autouse=True)
def utc(settings: Settings) -> None:
    settings.TIME_ZONE = "UTC"


def form(**values: Any) -> dict[str, Any]:
    return {"setting.address": "ops@example.com", "enabled": "on"} | values


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def send(at: datetime) -> int:
    return outbox.send_due_notifications(now=at)


def add_with_hours(ops: Client, now: datetime, **values: Any) -> datetime:
    """Add a subscription with quiet hours around now; return when they end."""
    end = (now + timedelta(hours=3)).replace(second=0, microsecond=0)
    times = {"quiet_from": clock(now - timedelta(hours=2)), "quiet_until": clock(end)}
    assert ops.post(NEW, form(**times, **values)).status_code == 302
    return end


def test_alerts_of_quiet_hours_go_together_when_they_end(ops: Client) -> None:
    now = database_now()
    end = add_with_hours(ops, now)
    for number in range(2):
        queue_notifications_of_alert(alert(f"SO-{number}"), "opened")
    assert send(now + timedelta(seconds=5)) == 0
    assert send(end - timedelta(seconds=1)) == 0
    assert mail.outbox == []
    row = Notification.objects.first()
    assert row is not None
    assert (row.postponed_until, row.attempts) == (end, 0)
    assert send(end) == 2
    (message,) = mail.outbox
    assert "2 alerts" in message.subject


@pytest.mark.parametrize(("choice", "sent"), [({"critical_at_once": "on"}, 1), ({}, 0)])
def test_critical_alert_is_sent_in_quiet_hours_if_wanted(
    ops: Client, choice: dict[str, str], sent: int
) -> None:
    now = database_now()
    add_with_hours(ops, now, **choice)
    queue_notifications_of_alert(alert(severity="critical"), "opened")
    assert send(now + timedelta(seconds=5)) == sent


def test_end_of_quiet_hours_by_a_change_sends_what_waits(ops: Client) -> None:
    now = database_now()
    add_with_hours(ops, now)
    queue_notifications_of_alert(alert(), "opened")
    assert send(now + timedelta(seconds=5)) == 0
    stored = Subscription.objects.get()
    ops.post(f"/subscriptions/{stored.pk}/save", form(quiet_from="", quiet_until=""))
    assert send(now + timedelta(minutes=1)) == 1


def test_daily_digest_collects_the_alerts_of_a_day(ops: Client) -> None:
    now = database_now()
    slot = (now + timedelta(hours=5)).replace(second=0, microsecond=0)
    assert ops.post(NEW, form(digest="daily", digest_at=clock(slot))).status_code == 302
    for number in range(3):
        queue_notifications_of_alert(alert(f"SO-{number}"), "opened")
        assert send(now + timedelta(hours=number)) == 0
    assert send(slot) == 3
    assert len(mail.outbox) == 1


def test_form_keeps_all_values_and_the_history_names_them(ops: Client) -> None:
    rules = [create_rule(code="one"), create_rule(code="two")]
    team = find_or_create_team("Dallas")
    assert team
    values = form(
        rule=[rule.code for rule in rules],
        team=team.slug,
        time_zone="America/Chicago",
        quiet_from="22:00",
        quiet_until="06:30",
        digest="daily",
        digest_at="07:15",
        **{"scope.warehouse": "DAL"},
    )
    assert ops.post(NEW, values).status_code == 302
    stored = Subscription.objects.get()
    assert (stored.rules, stored.rule, stored.scope) == (["one", "two"], None, {"warehouse": "DAL"})
    assert (stored.team, stored.time_zone) == (team, "America/Chicago")
    shown = " ".join(ops.get(f"/subscriptions/{stored.pk}").content.decode().split())
    assert "All alerts of 2 rules, warehouse DAL." in shown
    assert "Daily digest at 07:15; quiet hours 22:00 to 06:30 (America/Chicago)." in shown
    assert 'type="time" value="22:00"' in shown
    assert "Team Dallas" in ops.get("/subscriptions").content.decode()
    ops.post(f"/subscriptions/{stored.pk}/save", values | {"rule": ["one"], "digest": ""})
    stored.refresh_from_db()
    assert (stored.rules, stored.rule, stored.digest) == ([], rules[0], "")
    assert AuditEntry.objects.filter(action="subscription.changed").count() == 1
    assert "Changed: rule, rules, digest" in ops.get(f"/subscriptions/{stored.pk}").content.decode()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"quiet_from": "22:00"}, "Quiet hours need a start and an end."),
        ({"quiet_from": "6:00", "quiet_until": "25:00"}, "Enter a time of day such as 22:00."),
        ({"quiet_from": "06:00", "quiet_until": "06:00"}, "must end at another time"),
        ({"time_zone": "Mars/Olympus"}, "Enter the name of a time zone"),
        ({"digest": "yearly"}, "Choose hourly, daily"),
        ({"team": "nobody"}, "There is no such team."),
        ({"rule": ["nothing"]}, "There is no rule"),
        ({"scope.warehouse": "x" * 101}, "Enter at most 100 characters."),
    ],
)
def test_invalid_value_is_shown_at_its_field(
    ops: Client, values: dict[str, Any], sentence: str
) -> None:
    create_rule()
    answer = ops.post(NEW, form(**values))
    content = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in content
    assert 'aria-invalid="true"' in content
    assert not Subscription.objects.exists()
    name, value = next(iter(values.items()))
    body = {name.removeprefix("scope."): value}
    if name.startswith("scope."):
        body = {"scope": body}
    elif name == "rule":
        body = {"rules": value}
    api = {"channel": "email", "settings": {"address": "ops@example.com"}, **values, **body}
    api.pop("scope.warehouse", None)
    api = {key: entry for key, entry in api.items() if key != "rule"}
    assert ops.post("/api/v1/subscriptions", api, "application/json").status_code == 400


def test_the_api_reads_and_writes_the_same(ops: Client) -> None:
    body = {
        "channel": "email",
        "settings": {"address": "ops@example.com"},
        "scope": {"channel": "edi"},
        "quiet_from": "22:00",
        "quiet_until": "06:00",
        "digest": "hourly",
        "critical_at_once": False,
    }
    created = ops.post("/api/v1/subscriptions", body, "application/json").json()
    shared = body.keys() - {"channel", "settings"}
    assert {name: created[name] for name in shared} == {name: body[name] for name in shared}
    address = f"/api/v1/subscriptions/{created['id']}"
    changed = ops.patch(
        address, {"quiet_from": None, "quiet_until": None, "scope": {}}, "application/json"
    ).json()
    assert (changed["quiet_from"], changed["scope"], changed["digest"]) == (None, {}, "hourly")


def test_message_of_a_team_has_only_what_all_members_may_see(ops: Client) -> None:
    team = find_or_create_team("Dallas")
    assert team
    team.members.add(user_of_role(UserRole.OPERATIONS))
    ops.post(NEW, form(team=team.slug))
    now = database_now()
    queue_notifications_of_alert(alert("SO-1"), "opened")
    assert send(now + timedelta(minutes=1)) == 1
    assert "Acme Tools" in str(mail.outbox[0].body)
    team.members.add(create_user(UserRole.INTEGRATOR, "ivan"))
    queue_notifications_of_alert(alert("SO-2"), "opened")
    assert send(now + timedelta(minutes=2)) == 1
    text = str(mail.outbox[1].body)
    assert "SO-2" in text
    assert "Acme" not in text
    assert "1,200.50" not in text
