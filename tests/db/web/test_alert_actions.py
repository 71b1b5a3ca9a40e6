"""Actions on alerts: single and bulk."""

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import HOUR, alert, source_alert
from tests.builders.sources import create_source
from tests.builders.users import create_user, signed_in
from visibility.alerts import actions
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AlertState,
    AuditEntry,
    Notification,
    OrderWatch,
    Subscription,
)
from visibility.screens.alerts.inbox import PAGE_SIZE
from visibility.web import undoable_alert_actions
from visibility.web.alert_actions import InvalidActionField, snooze_end
from visibility.web.pages import alert_actions as pages
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
ACTING = (UserRole.OPERATIONS, UserRole.ADMIN)


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


def test_acknowledge_assigns_alert_and_writes_history_and_audit(ops: Client) -> None:
    target = alert()
    answer = ops.post(f"/alerts/{target.pk}/acknowledge", follow=True)
    assert "Acknowledged." in answer.content.decode()
    target.refresh_from_db()
    assert (target.state, target.owner) == ("acknowledged", User.objects.get(username="olga"))
    assert AuditEntry.objects.filter(action="alert.acknowledged").count() == 1
    page = ops.get(f"/alerts/{target.pk}").content.decode()
    assert "Acknowledged" in page.partition("Alert history")[2]


def test_second_acknowledge_shows_message_instead_of_error(ops: Client) -> None:
    target = alert()
    ops.post(f"/alerts/{target.pk}/acknowledge")
    other = signed_in(UserRole.OPERATIONS, "otto")
    answer = other.post(f"/alerts/{target.pk}/acknowledge", follow=True)
    assert answer.status_code == 200
    assert "olga has already acknowledged this alert." in answer.content.decode()


def test_alert_can_be_assigned_to_me_to_others_and_to_no_one(ops: Client) -> None:
    target, otto = alert(), create_user(UserRole.OPERATIONS, "otto")
    for wish, owner in (("me", "olga"), (str(otto.pk), "otto"), ("nobody", None)):
        ops.post(f"/alerts/{target.pk}/assign", {"to": wish})
        target.refresh_from_db()
        assert (target.owner.username if target.owner else None) == owner


@pytest.mark.parametrize("wish", ["", "0", "x", "9" * 30])
def test_alert_can_be_assigned_only_to_users_with_permission(ops: Client, wish: str) -> None:
    target, service = alert(), create_user(UserRole.CUSTOMER_SERVICE)
    for to in (wish, str(service.pk)):
        answer = ops.post(f"/alerts/{target.pk}/assign", {"to": to}, follow=True)
        assert "Choose an owner." in answer.content.decode()
    target.refresh_from_db()
    assert target.owner is None


@pytest.mark.calendar
def test_snooze_end_of_each_preset() -> None:
    now = database_now()
    assert snooze_end("1h", "", now=now) == now + HOUR
    assert snooze_end("4h", "", now=now) == now + 4 * HOUR
    zone = ZoneInfo(settings.TIME_ZONE)
    tomorrow = snooze_end("tomorrow", "", now=now).astimezone(zone)
    assert (tomorrow.hour, tomorrow.date()) == (8, now.astimezone(zone).date() + timedelta(days=1))
    at = (now + 5 * HOUR).astimezone(zone)
    end = snooze_end("custom", f"{at:%Y-%m-%dT%H:%M}", now=now)
    assert end == at.replace(second=0, microsecond=0)


@pytest.mark.parametrize("at", ["", "soon", "9999-12-31T23:59", "0001-01-01T00:00"])
def test_snooze_without_valid_end_is_rejected(ops: Client, at: str) -> None:
    target = alert()
    ops.post(f"/alerts/{target.pk}/snooze", {"until": "custom", "at": at})
    target.refresh_from_db()
    assert target.state == AlertState.OPEN
    if at != "0001-01-01T00:00":
        with pytest.raises(InvalidActionField):
            snooze_end("custom", at, now=database_now())


def test_resolve_requires_a_cause(ops: Client) -> None:
    target = alert()
    answer = ops.post(f"/alerts/{target.pk}/resolve", {"note": " "}, follow=True)
    assert "Resolving an alert requires a note" in answer.content.decode()
    ops.post(f"/alerts/{target.pk}/resolve", {"note": "Truck was late"})
    target.refresh_from_db()
    assert (target.state, target.resolution) == ("resolved", "Truck was late")


def test_resolving_alert_whose_condition_holds_reopens_it(ops: Client) -> None:
    target = alert(broken=True)
    answer = ops.post(f"/alerts/{target.pk}/resolve", {"note": "done"}, follow=True)
    assert "Alert reopened: the condition still holds." in answer.content.decode()
    target.refresh_from_db()
    assert (target.state, target.episode) == ("open", 2)


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("acknowledge", ACTING),
        ("assign", ACTING),
        ("snooze", ACTING),
        ("resolve", ACTING),
        ("note", (UserRole.CUSTOMER_SERVICE, *ACTING)),
    ],
)
def test_each_action_requires_its_permission(action: str, allowed: tuple[UserRole, ...]) -> None:
    target = source_alert(create_source())
    fields = {"to": "me", "until": "1h", "note": "a cause", "act": action, "ids": [target.pk]}
    for role in UserRole:
        client = signed_in(role)
        may = role in allowed or (action == "note" and role is UserRole.INTEGRATOR)
        Alert.objects.update(state=AlertState.OPEN, acknowledged_by=None)
        for address in (f"/alerts/{target.pk}/{action}", "/alerts/bulk"):
            assert client.post(address, fields).status_code == (302 if may else 403), role


def test_actions_reject_get_and_missing_csrf_token() -> None:
    target = alert()
    client = Client(enforce_csrf_checks=True)
    client.force_login(create_user(UserRole.OPERATIONS))
    assert client.get(f"/alerts/{target.pk}/acknowledge").status_code == 405
    assert client.post(f"/alerts/{target.pk}/acknowledge").status_code == 403
    assert client.get("/alerts/bulk").status_code == 405


def test_unknown_action_is_404(ops: Client) -> None:
    assert ops.post(f"/alerts/{alert().pk}/explode").status_code == 404
    assert ops.post("/alerts/bulk", {"act": "explode"}).status_code == 404


def test_bulk_reports_changed_and_rejected_alerts(ops: Client) -> None:
    good = [alert(f"SO-{n}") for n in range(3)]
    resolved = alert("SO-9", state=AlertState.RESOLVED, resolved_at=database_now())
    ids = [a.pk for a in (*good, resolved)]
    page = ops.post("/alerts/bulk", {"act": "acknowledge", "ids": ids}, follow=True)
    text = page.content.decode()
    assert "Acknowledged 3 alerts." in text
    assert f"1 alert not changed. Alert #{resolved.pk}: This alert is already resolved." in text


def test_bulk_resolve_reports_reopened_alerts(ops: Client) -> None:
    ids = [alert("SO-1", broken=True).pk, alert("SO-2").pk]
    fields = {"act": "resolve", "ids": ids, "note_resolve": "Truck was late"}
    text = ops.post("/alerts/bulk", fields, follow=True).content.decode()
    assert "Resolved 1 alert." in text
    assert "1 alert reopened: the condition still holds." in text


def test_alert_action_notifies_open_pages(ops: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[int] = []
    monkeypatch.setattr(
        pages, "broadcast_change_number", lambda newest, _kinds: published.append(newest)
    )
    target = alert()
    ops.post(f"/alerts/{target.pk}/note", {"note": "x"})
    ops.post("/alerts/bulk", {"act": "acknowledge", "ids": [target.pk]})
    assert published == [1, 2]


@pytest.mark.parametrize(
    ("button", "state", "owned"),
    [("assign:me", "open", True), ("snooze:4h", "snoozed", False), ("acknowledge", None, True)],
)
def test_toolbar_buttons_apply_to_selection(
    ops: Client, button: str, state: str | None, owned: bool
) -> None:
    target = alert()
    ops.post("/alerts/bulk", {"act": button, "ids": [target.pk]})
    target.refresh_from_db()
    assert (target.state, target.owner is not None) == (state or "acknowledged", owned)


def test_bulk_on_all_matching_respects_filters(ops: Client) -> None:
    for n in range(PAGE_SIZE + 3):
        alert(f"SO-{n}", severity="critical")
    other = alert("SO-X", severity="low")
    ops.post("/alerts/bulk?severity=critical", {"act": "acknowledge", "all": "1"})
    assert Alert.objects.filter(state=AlertState.ACKNOWLEDGED).count() == PAGE_SIZE + 3
    other.refresh_from_db()
    assert other.state == AlertState.OPEN


@pytest.mark.parametrize("ids", [[], ["x"], ["9" * 40], ["-1"]])
def test_bulk_without_selection_shows_message(ops: Client, ids: list[str]) -> None:
    answer = ops.post("/alerts/bulk", {"act": "acknowledge", "ids": ids}, follow=True)
    assert "No alerts selected." in answer.content.decode()


def test_forms_redirect_to_own_site_only(ops: Client) -> None:
    target = alert()
    for wish in ("//evil.example/x", "https://evil.example", "javascript:alert(1)"):
        answer = ops.post(f"/alerts/{target.pk}/note", {"note": "x", "next": wish})
        assert answer["Location"] == f"/alerts/{target.pk}"
    answer = ops.post(f"/alerts/{target.pk}/note", {"note": "x", "next": "/alerts?view=mine"})
    assert answer["Location"] == "/alerts?view=mine"


@pytest.mark.parametrize(
    ("button", "columns"),
    [
        ("acknowledge", ("state", "acknowledged_by_id", "owner_id")),
        ("assign:me", ("owner_id",)),
        ("snooze:4h", ("state", "snoozed_until")),
        ("resolve", ("state", "resolved_at", "resolution")),
    ],
)
def test_undo_restores_what_the_action_replaced_and_is_audited(
    button: str, columns: tuple[str, ...]
) -> None:
    """With a CSRF token and a session, through the forms of the page."""
    first, second = alert("SO-1"), alert("SO-2")
    before = {a.pk: [getattr(a, name) for name in columns] for a in (first, second)}
    client = Client(enforce_csrf_checks=True)
    client.force_login(create_user(UserRole.OPERATIONS))
    fields = {"act": button, "ids": [first.pk, second.pk], "note_resolve": "Truck was late"}
    page = post_form(client, "/alerts", "/alerts/bulk", fields)
    first.refresh_from_db()
    assert [getattr(first, name) for name in columns] != before[first.pk]
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None
    undone = post_form(client, page, "/alerts/undo", {"token": token[1]})
    assert "Restored 2 alerts." in undone
    for target in (first, second):
        target.refresh_from_db()
        assert [getattr(target, name) for name in columns] == before[target.pk]
        assert AuditEntry.objects.filter(
            action="alert.undone", object=f"alert {target.pk}", user__username="operations"
        ).exists()
    repeated = post_form(client, page, "/alerts/undo", {"token": token[1]})
    assert "This action can no longer be undone." in repeated


def post_form(client: Client, page: str, address: str, fields: dict[str, Any]) -> str:
    """Submit a form with the CSRF token of its page (its address, or its text)."""
    text = client.get(page).content.decode() if page.startswith("/") else page
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
    assert token is not None
    answer: Any = client.post(address, {**fields, "csrfmiddlewaretoken": token[1]}, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_undo_leaves_alerts_that_changed_since(ops: Client) -> None:
    target = alert()
    page = ops.post("/alerts/bulk", {"act": "acknowledge", "ids": [target.pk]}, follow=True)
    token = ops.session["alert_undo"]["token"]
    assert token in page.content.decode()
    actions.add_note(target.pk, by=create_user(UserRole.ADMIN), now=database_now(), note="On it")
    text = ops.post("/alerts/undo", {"token": token}, follow=True).content.decode()
    assert f"1 alert not changed. Alert #{target.pk}: This alert has changed since then." in text
    target.refresh_from_db()
    assert target.state == AlertState.ACKNOWLEDGED


def test_undo_has_an_end_and_belongs_to_its_session(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = alert()
    ops.post(f"/alerts/{target.pk}/acknowledge")
    token = ops.session["alert_undo"]["token"]
    other = signed_in(UserRole.OPERATIONS, "otto")
    assert (
        "can no longer"
        in other.post("/alerts/undo", {"token": token}, follow=True).content.decode()
    )
    monkeypatch.setattr(undoable_alert_actions, "MAX_AGE", timedelta(0))
    assert (
        "can no longer" in ops.post("/alerts/undo", {"token": token}, follow=True).content.decode()
    )
    target.refresh_from_db()
    assert target.state == AlertState.ACKNOWLEDGED


def test_notes_and_reopened_alerts_offer_no_undo(ops: Client) -> None:
    target = alert(broken=True)
    for fields in ({"act": "note", "note_note": "x"}, {"act": "resolve", "note_resolve": "x"}):
        page = ops.post("/alerts/bulk", {**fields, "ids": [target.pk]}, follow=True)
        assert 'action="/alerts/undo"' not in page.content.decode()


def test_escalating_raises_the_severity_notifies_its_subscribers_and_can_be_undone(
    ops: Client,
) -> None:
    target = alert(severity="medium", state=AlertState.SNOOZED, snoozed_until=database_now() + HOUR)
    olga = User.objects.get(username="olga")
    high, low = (
        Subscription.objects.create(user=olga, severities=[level]) for level in ("high", "low")
    )
    address = f"/alerts/{target.pk}"
    refused = ops.post(f"{address}/escalate", {"note": " "}, follow=True).content.decode()
    assert "Escalating an alert requires a note." in refused
    page = ops.post(f"{address}/escalate", {"note": "line down"}, follow=True).content.decode()
    target.refresh_from_db()
    assert (target.severity, target.state, target.snoozed_until) == ("high", "open", None)
    queued = Notification.objects.filter(alert=target, transition="escalated_high")
    assert [row.subscription_id for row in queued] == [high.pk] != [low.pk]
    assert AuditEntry.objects.filter(action="alert.escalated").count() == 1
    assert "line down" in page.partition("Alert history")[2]
    token = re.findall(r'name="token" value="([^"]+)"', page)[0]
    ops.post("/alerts/undo", {"token": token})
    target.refresh_from_db()
    assert (target.severity, target.state) == ("medium", "snoozed")
    for _ in range(2):
        ops.post("/alerts/bulk", {"ids": [target.pk], "act": "escalate", "note_escalate": "again"})
    target.refresh_from_db()
    assert target.severity == "critical"
    page = ops.post(f"{address}/escalate", {"note": "more"}, follow=True).content.decode()
    assert "This alert already has the highest severity." in page
    assert f'action="{address}/escalate"' not in page


def test_order_of_an_alert_is_watched_from_its_page(ops: Client) -> None:
    target = alert()
    page = ops.get(f"/alerts/{target.pk}").content.decode()
    assert "Watch the order" in page
    form = {"next": f"/alerts/{target.pk}"}
    page = ops.post(f"/orders/{target.order_id}/watch", form, follow=True).content.decode()
    assert "Stop watching the order" in page
    assert OrderWatch.objects.get().order_id == target.order_id
