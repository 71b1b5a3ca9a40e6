"""What people do with alerts: one at a time, and in bulk."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.web.alert_cast import HOUR, alert, person, signed_in, source, source_alert
from visibility.db.clock import database_now
from visibility.models import Alert, AlertState, AuditEntry
from visibility.screens.alerts.inbox import PAGE
from visibility.web.alert_actions import BadAct, snooze_end
from visibility.web.pages import alerts as pages
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
ACTING = (Role.OPERATIONS, Role.ADMIN)


@pytest.fixture
def ops() -> Client:
    return signed_in(Role.OPERATIONS, "olga")


def test_acknowledging_makes_it_mine_with_history_and_audit(ops: Client) -> None:
    found = alert()
    answer = ops.post(f"/alerts/{found.pk}/acknowledge", follow=True)
    assert "Acknowledged." in answer.content.decode()
    found.refresh_from_db()
    assert (found.state, found.owner) == ("acknowledged", User.objects.get(username="olga"))
    assert AuditEntry.objects.filter(what="alert.acknowledged").count() == 1
    page = ops.get(f"/alerts/{found.pk}").content.decode()
    assert "Acknowledged" in page.partition("History")[2]


def test_the_second_of_two_people_gets_a_sentence_not_an_error(ops: Client) -> None:
    found = alert()
    ops.post(f"/alerts/{found.pk}/acknowledge")
    other = signed_in(Role.OPERATIONS, "otto")
    answer = other.post(f"/alerts/{found.pk}/acknowledge", follow=True)
    assert answer.status_code == 200
    assert "olga has acknowledged it already" in answer.content.decode()


def test_an_alert_can_be_taken_given_away_and_given_up(ops: Client) -> None:
    found, otto = alert(), person(Role.OPERATIONS, "otto")
    for wish, owner in (("me", "olga"), (str(otto.pk), "otto"), ("nobody", None)):
        ops.post(f"/alerts/{found.pk}/assign", {"to": wish})
        found.refresh_from_db()
        assert (found.owner.username if found.owner else None) == owner


@pytest.mark.parametrize("wish", ["", "0", "x", "9" * 30])
def test_an_alert_is_given_only_to_people_who_may_act(ops: Client, wish: str) -> None:
    found, service = alert(), person(Role.CUSTOMER_SERVICE)
    for to in (wish, str(service.pk)):
        answer = ops.post(f"/alerts/{found.pk}/assign", {"to": to}, follow=True)
        assert "Choose who takes it." in answer.content.decode()
    found.refresh_from_db()
    assert found.owner is None


def test_a_snooze_ends_when_the_form_says() -> None:
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
def test_a_snooze_without_an_end_in_reach_is_refused(ops: Client, at: str) -> None:
    found = alert()
    ops.post(f"/alerts/{found.pk}/snooze", {"until": "custom", "at": at})
    found.refresh_from_db()
    assert found.state == AlertState.OPEN
    if at != "0001-01-01T00:00":
        with pytest.raises(BadAct):
            snooze_end("custom", at, now=database_now())


def test_resolving_needs_a_cause(ops: Client) -> None:
    found = alert()
    answer = ops.post(f"/alerts/{found.pk}/resolve", {"note": " "}, follow=True)
    assert "resolving needs a reason" in answer.content.decode()
    ops.post(f"/alerts/{found.pk}/resolve", {"note": "Truck was late"})
    found.refresh_from_db()
    assert (found.state, found.resolution) == ("resolved", "Truck was late")


def test_resolving_what_is_still_broken_opens_it_again_and_says_so(ops: Client) -> None:
    found = alert(broken=True)
    answer = ops.post(f"/alerts/{found.pk}/resolve", {"note": "done"}, follow=True)
    assert "Still true" in answer.content.decode()
    found.refresh_from_db()
    assert (found.state, found.episode) == ("open", 2)


@pytest.mark.parametrize(
    ("act", "allowed"),
    [
        ("acknowledge", ACTING),
        ("assign", ACTING),
        ("snooze", ACTING),
        ("resolve", ACTING),
        ("note", (Role.CUSTOMER_SERVICE, *ACTING)),
    ],
)
def test_each_act_asks_for_its_right(act: str, allowed: tuple[Role, ...]) -> None:
    found = source_alert(source())
    fields = {"to": "me", "until": "1h", "note": "a cause", "act": act, "ids": [found.pk]}
    for role in Role:
        client = signed_in(role)
        may = role in allowed or (act == "note" and role is Role.INTEGRATOR)
        Alert.objects.update(state=AlertState.OPEN, acknowledged_by=None)
        for address in (f"/alerts/{found.pk}/{act}", "/alerts/bulk"):
            assert client.post(address, fields).status_code == (302 if may else 403), role


def test_an_act_is_neither_a_get_nor_a_cross_site_post() -> None:
    found = alert()
    client = Client(enforce_csrf_checks=True)
    client.force_login(person(Role.OPERATIONS))
    assert client.get(f"/alerts/{found.pk}/acknowledge").status_code == 405
    assert client.post(f"/alerts/{found.pk}/acknowledge").status_code == 403
    assert client.get("/alerts/bulk").status_code == 405


def test_an_unknown_act_is_not_found(ops: Client) -> None:
    assert ops.post(f"/alerts/{alert().pk}/explode").status_code == 404
    assert ops.post("/alerts/bulk", {"act": "explode"}).status_code == 404


def test_bulk_says_how_many_were_done_and_which_were_refused_and_why(ops: Client) -> None:
    good = [alert(f"SO-{n}") for n in range(3)]
    gone = alert("SO-9", state=AlertState.RESOLVED, resolved_at=database_now())
    ids = [a.pk for a in (*good, gone)]
    page = ops.post("/alerts/bulk", {"act": "acknowledge", "ids": ids}, follow=True)
    words = page.content.decode()
    assert "Acknowledged: 3." in words
    assert f"1 refused. No. {gone.pk}: It is already resolved." in words


def test_bulk_resolving_says_what_is_still_true(ops: Client) -> None:
    ids = [alert("SO-1", broken=True).pk, alert("SO-2").pk]
    fields = {"act": "resolve", "ids": ids, "note_resolve": "Truck was late"}
    words = ops.post("/alerts/bulk", fields, follow=True).content.decode()
    assert "Resolved: 1." in words
    assert "Still true: the promise is broken for 1, so they opened again." in words


def test_an_act_rings_the_doorbell_of_the_open_pages(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(pages, "announce", lambda newest, _kinds: rung.append(newest))
    found = alert()
    ops.post(f"/alerts/{found.pk}/note", {"note": "x"})
    ops.post("/alerts/bulk", {"act": "acknowledge", "ids": [found.pk]})
    assert rung == [1, 2]


@pytest.mark.parametrize(
    ("button", "state", "owned"),
    [("assign:me", "open", True), ("snooze:4h", "snoozed", False), ("acknowledge", None, True)],
)
def test_the_buttons_of_the_bar_act_on_the_selection(
    ops: Client, button: str, state: str | None, owned: bool
) -> None:
    found = alert()
    ops.post("/alerts/bulk", {"act": button, "ids": [found.pk]})
    found.refresh_from_db()
    assert (found.state, found.owner is not None) == (state or "acknowledged", owned)


def test_bulk_reaches_all_that_match_the_filters_and_no_others(ops: Client) -> None:
    for n in range(PAGE + 3):
        alert(f"SO-{n}", severity="critical")
    other = alert("SO-X", severity="low")
    ops.post("/alerts/bulk?severity=critical", {"act": "acknowledge", "all": "1"})
    assert Alert.objects.filter(state=AlertState.ACKNOWLEDGED).count() == PAGE + 3
    other.refresh_from_db()
    assert other.state == AlertState.OPEN


@pytest.mark.parametrize("ids", [[], ["x"], ["9" * 40], ["-1"]])
def test_bulk_on_nothing_says_so(ops: Client, ids: list[str]) -> None:
    answer = ops.post("/alerts/bulk", {"act": "acknowledge", "ids": ids}, follow=True)
    assert "Nothing was selected." in answer.content.decode()


def test_a_form_leads_back_to_own_pages_only(ops: Client) -> None:
    found = alert()
    for wish in ("//evil.example/x", "https://evil.example", "javascript:alert(1)"):
        answer = ops.post(f"/alerts/{found.pk}/note", {"note": "x", "next": wish})
        assert answer["Location"] == f"/alerts/{found.pk}"
    answer = ops.post(f"/alerts/{found.pk}/note", {"note": "x", "next": "/alerts?view=mine"})
    assert answer["Location"] == "/alerts?view=mine"
